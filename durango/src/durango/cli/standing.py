"""Looking after the computation: where it stands, another round, its end."""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from colima.runtime import ComputationState, Failure, RefusalReason, StateIs
from durango._words import timestamp
from durango.cli.attested import attestation_facts
from durango.cli.membership import Membership, membership_options
from durango.cli.waiting import wait_for, wait_option
from durango.errors import DurangoError
from durango.failures import failure_facts, failure_lines
from durango.refusals import RequestFailedError
from durango.rights import require_reader
from durango.standing import (
    changes,
    description,
    is_final,
    names,
    standing_facts,
    standing_lines,
)
from veracruz_shells.console import emit, json_option, subgroup
from veracruz_shells.terminal import can_draw, size_of, width_of, wrapped
from veracruz_utils.policy import PROGRAM_SENDERS, Policy

if TYPE_CHECKING:
    from durango.principal import Principal

_LOOK_S: Final = 1.0
_OVER: Final = {RefusalReason.SHUT_DOWN, RefusalReason.EXPIRED}


@click.command("status")
@membership_options
@click.option(
    "--watch",
    is_flag=True,
    help="Go on showing it until nothing more can come of it: anew on a terminal, elsewhere a line "
    "for each change. Ctrl-C ends it.",
)
@json_option
def status(*, membership: Membership, watch: bool, as_json: bool) -> None:
    """Show where the computation of POLICY stands, and whose turn it is.

    Every member sees which places are filled, by whom and since when, how often the program was
    run, and whether the last run failed. The program's provider sees how; and, if the policy says
    debug, where in the program, what it returned and its message.
    """
    principal, attestation = membership.connect()
    policy = membership.access.policy
    with principal:
        if watch:
            _watch(principal, policy, as_json=as_json)
            return
        found = principal.state()
        digest = principal.program_digest()
        author = bool(membership.member.roles & PROGRAM_SENDERS)
        ended = policy.debug and found.state is ComputationState.FINISHED_EXECUTING
        failed = found.failure is not Failure.NONE or found.state is ComputationState.ERROR
        report = principal.failure_report() if author and (failed or ended) else None
    facts = {
        **standing_facts(found, policy),
        "program_digest": digest,
        "policy_digest": policy.digest,
        "attestation": attestation_facts(attestation),
        "failure": failure_facts(report),
        "message": (report.message or None) if report else None,
    }
    lines = [
        *standing_lines(found, policy),
        f"program {digest or 'not there yet'}",
        f"policy  {policy.digest}",
    ]
    if report is not None:
        lines += failure_lines(report)
    emit(facts, "\n".join(lines), as_json=as_json)


def _watch(principal: "Principal", policy: Policy, *, as_json: bool) -> None:
    """Show the state whenever it is another, until it is final or the isolate ends."""
    screen = _Screen() if can_draw(sys.stdout) and not as_json else None
    before: StateIs | None = None
    while True:
        try:
            found = principal.state()
        except RequestFailedError as error:
            if error.answer.reason not in _OVER:
                raise
            click.echo("the computation is over", err=as_json)
            return
        if found != before:
            if screen is not None:
                screen.draw(standing_lines(found, policy))
            elif as_json:
                click.echo(json.dumps(standing_facts(found, policy)))
            else:
                moment = timestamp(datetime.now(UTC))
                for line in changes(before, found, policy):
                    click.echo(f"{moment} {line}")
            sys.stdout.flush()
        before = found
        if found.state is ComputationState.ERROR:
            raise DurangoError(description(found, policy))
        if is_final(found, policy):
            return
        time.sleep(_LOOK_S)


class _Screen:
    """The lines of a terminal from where the cursor was, drawn over again and again."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines in place of the last, as many as there is room for."""
        size = size_of(sys.stdout)
        columns = max(1, size.columns - 1)
        rows = [row for line in lines for row in wrapped(line, columns)][: max(1, size.lines - 1)]
        # A terminal that became narrower has broken what was drawn.
        above = sum(-(-max(1, width_of(row)) // size.columns) for row in self._drawn)
        up = f"\x1b[{above}A" if above else ""
        click.echo(f"{up}\r\x1b[J" + "\n".join(rows))
        self._drawn = rows


@subgroup("round", help="Begin another round.")
def round_group() -> None:
    """The group."""


@round_group.command("next")
@membership_options
@wait_option
@json_option
def next_round(*, membership: Membership, wait: float, as_json: bool) -> None:
    """Ask for another round: same program and data, new stream items, the result as previous one.

    It begins when all have asked whose word the policy asks for.
    """
    policy = membership.access.policy
    require_reader(policy, membership.member, "begin another round")
    membership.access.require_in_force()
    principal, _ = membership.connect()
    with principal:
        wait_for(principal, (ComputationState.FINISHED_EXECUTING,), wait)
        awaited = principal.next_round()
        found = principal.state()
    facts = {**standing_facts(found, policy), "awaited": list(awaited)}
    text = f"round {found.round} began, {description(found, policy)}"
    if awaited:
        label = membership.member.label
        text = f"{label} has asked for another round; it takes the word of {names(awaited, policy)}"
    emit(facts, text, as_json=as_json)


@click.command("shutdown")
@membership_options
@json_option
def shutdown(*, membership: Membership, as_json: bool) -> None:
    """Ask for the end of the computation; the isolate ends when all readers have asked."""
    policy = membership.access.policy
    require_reader(policy, membership.member, "ask for shutdown")
    principal, _ = membership.connect()
    with principal:
        awaited = principal.shutdown()
    readers = sorted(policy.result_readers)
    label = membership.member.label
    text = f"{label} has asked, and so has every other reader: the isolate ends"
    if awaited:
        text = f"{label} has asked; the isolate ends when {names(awaited, policy)} asked as well"
    facts = {"client_id": principal.client_id, "readers": readers, "awaited": list(awaited)}
    emit(facts, text, as_json=as_json)
