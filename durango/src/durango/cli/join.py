"""`durango join`: all of a principal's part in one command, with a question at each step.

Read, check, sign, attest, send what is mine, wait, fetch. At a terminal every step is asked for; in
a script `--yes` agrees to all of them, and every file has to be named.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from colima.runtime import ComputationState, ContentKind
from durango.cli.attested import attestation_facts
from durango.cli.encoding import Encoding, encoding_options, open_input
from durango.cli.keeping import BundleFile
from durango.cli.membership import Membership, membership_options
from durango.cli.options import FILE, force_option, releases_option
from durango.cli.reading import save_result
from durango.cli.waiting import wait_for
from durango.consents import sign_policy
from durango.content import UploadContent, open_content
from durango.errors import NotAuthorisedError
from durango.input_places import place_of
from durango.policy.checking import check_policy
from durango.policy.meaning import explain_policy
from durango.policy.rules import Severity
from durango.releases import Releases
from veracruz_shells.console import SecondsRange, emit, json_option, note, progress
from veracruz_shells.files import refuse_existing
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import RESULT_READERS, Policy, PolicyIdentity, Role

if TYPE_CHECKING:
    from durango.principal import Principal

_USUAL_WAIT_S: Final = 3600.0
_RESULT: Final = "the result"
_NOT_IN: Final = (ComputationState.INITIAL, ComputationState.DATA_SOURCES_LOADING)
_READABLE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@frozen
class _Part:
    """Something to send; `package` is its number among this principal's of that kind."""

    kind: ContentKind
    package: int
    content: UploadContent


@dataclass(slots=True)
class _Join:
    """One run of the command."""

    membership: Membership
    yes: bool
    done: dict[str, object] = field(default_factory=dict)
    sent: list[dict[str, object]] = field(default_factory=list)
    left_out: list[click.UsageError] = field(default_factory=list)

    @property
    def policy(self) -> Policy:
        return self.membership.access.policy

    @property
    def member(self) -> PolicyIdentity:
        return self.membership.member

    def ask(self, question: str) -> None:
        """Go on only if whoever sits here, or `--yes`, agrees."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise click.UsageError(f"{question}: there is no terminal to ask at: give --yes")
        click.confirm(question, abort=True, err=True)

    def path(self, what: str, option: str) -> Path:
        """A file that was not named on the command line."""
        if self.yes or not sys.stdin.isatty():
            raise click.UsageError(f"{what} needs a file: give it by {option}")
        if what == _RESULT:
            return Path(click.prompt(f"file of {what}", err=True))
        file: Path = click.prompt(f"file of {what}", type=_READABLE, err=True)
        return file

    def path_or_in(self, what: str, option: str) -> Path | None:
        """A file that was not named; None where only the isolate can tell if it is needed.

        The program and the data of one round are those of the next.
        """
        asked = not self.yes and sys.stdin.isatty()
        if self.policy.conduct.rounds == 1 or (
            asked and not click.confirm(f"Is {what} in already", err=True)
        ):
            return self.path(what, option)
        self.left_out.append(
            click.UsageError(f"{what} needs a file until all data are in: give it by {option}")
        )
        return None

    def require_given(self, principal: "Principal") -> None:
        """Go on only if what was left out is in."""
        if self.left_out and principal.state().state in _NOT_IN:
            raise self.left_out[0]


@click.command("join")
@membership_options
@click.option("--program", type=FILE, help="Your program, if you provide it.")
@click.option(
    "--data", type=FILE, multiple=True, help="Your inputs, in the order of your places; repeatable."
)
@click.option(
    "--stream", type=FILE, multiple=True, help="Your stream items of this round; repeatable."
)
@encoding_options
@click.option("--output", type=FILE, help="The file for the result, if you read it.")
@click.option("--receipt", type=FILE, help="Keep what proves the run in this file.")
@click.option("--yes", is_flag=True, help="Agree to every step; for scripts.")
@click.option(
    "--wait",
    type=SecondsRange(0, 7 * 86400),
    default=_USUAL_WAIT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the others at each step.",
)
@releases_option
@force_option
@json_option
def join(
    *,
    membership: Membership,
    program: Path | None,
    data: tuple[Path, ...],
    stream: tuple[Path, ...],
    encoding: Encoding,
    output: Path | None,
    receipt: Path | None,
    yes: bool,
    wait: float,
    config: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Take part in the computation of POLICY: read it, check it, sign, attest, send, fetch.

    What you have to do follows from the policy and your certificate. A step that was done before
    is found done. Where there are several rounds, begin one by `durango round next`, and join
    again: with your stream items of that round, and without the program and data that are in.
    """
    joining = _Join(membership, yes)
    if not yes:  # nobody names a file before it is told what for
        _agree(joining, config)
    reads = bool(joining.member.roles & RESULT_READERS)
    if reads and output is None:
        output = joining.path(_RESULT, "--output")
    for path in (output if reads else None, receipt):
        if path is not None:
            refuse_existing(path, force=force)
    with ExitStack() as files:
        given = {ContentKind.DATA: data, ContentKind.STREAM: stream}
        parts = list(_contents(joining, program, given, encoding, files))
        if yes:
            _agree(joining, config)
        principal, attestation = membership.connect()
        with principal:
            joining.done["attestation"] = attestation_facts(attestation)
            joining.require_given(principal)
            kept = BundleFile(receipt, membership.access, attestation, force)
            kept.keep([])
            kept = replace(kept, force=True)  # what comes takes the place of what is there now
            _consent(joining, principal)
            for part in parts:
                _send(joining, principal, part, wait)
            if reads:
                assert output is not None
                _fetch(joining, principal, output, kept, wait, force=force)
    text = f"{joining.member.label} has done its part"
    if output is not None and reads:
        text += f": the result is in {output}"
    facts = {"client_id": joining.member.client_id, "sent": joining.sent, **joining.done}
    emit(facts, text, as_json=as_json)


def _contents(
    joining: _Join,
    program: Path | None,
    given: Mapping[ContentKind, Sequence[Path]],
    encoding: Encoding,
    files: ExitStack,
) -> Iterator[_Part]:
    """What this principal has to send, looked at before anything is."""
    if Role.PI_PROVIDER in joining.member.roles:
        path = program or joining.path_or_in("the program", "--program")
        if path is not None:
            yield _Part(ContentKind.PROGRAM, 0, files.enter_context(open_content(path)))
    for kind, paths in given.items():
        data = kind is ContentKind.DATA
        order = joining.policy.data_provision_order if data else joining.policy.streaming_order
        places = order.count(joining.member.client_id)
        option = f"--{kind.name.lower()}"
        if len(paths) > places:
            raise NotAuthorisedError(
                f"{len(paths)} files are given by {option}, and the policy has {places} places of "
                f"that kind for {joining.member.label}: give as many"
            )
        for package in range(places):
            place = place_of(joining.policy, joining.member, kind, package)
            if package < len(paths):
                path = paths[package]
            elif data:
                path = joining.path_or_in(place.label, option)
            else:
                path = joining.path(place.label, option)
            if path is None:
                continue
            content = open_input(path, joining.membership, kind, package, encoding)
            yield _Part(kind, package, files.enter_context(content))


def _agree(joining: _Join, config: Path) -> None:
    """Say what the policy means and what deserves a second look."""
    now = datetime.now(UTC)
    joining.membership.access.require_in_force()
    if not joining.yes:
        note(f"{explain_policy(joining.policy)}\n")
    findings = check_policy(joining.policy, releases=Releases(config, at=now), at=now).remarks
    for finding in findings:
        if finding.rule.severity is not Severity.NOTE:
            note(str(finding))
    joining.done["findings"] = [each.facts for each in findings]
    joining.ask(f"Take part as {joining.member.label} in policy {joining.policy.digest.short}")


def _consent(joining: _Join, principal: "Principal") -> None:
    """Sign and hand in, where the policy waits for this principal."""
    if joining.member.client_id not in principal.state().consent_awaited:
        return
    joining.ask(f"Sign policy {joining.policy.digest.short}")
    principal.consent(sign_policy(joining.policy, joining.membership.identity))
    joining.done["consent"] = True
    note(f"{joining.member.label} agrees to policy {joining.policy.digest}")


def _send(joining: _Join, principal: "Principal", part: _Part, wait_s: float) -> None:
    content = part.content
    name = f"{part.kind.name.lower()} {content.name}"
    joining.ask(f"Send {name}, {content.size} bytes")
    if part.kind is not ContentKind.PROGRAM:
        states = tuple(ComputationState)[_FIRST[part.kind].value :]
        wait_for(principal, states, wait_s)
    with progress(f"sending {name}", length=content.size) as advance:
        match part.kind:
            case ContentKind.PROGRAM:
                principal.send_program(content, on_progress=advance)
            case ContentKind.DATA:
                principal.send_data(part.package, content, on_progress=advance)
            case ContentKind.STREAM:
                principal.send_stream(part.package, content, on_progress=advance)
    note(f"sent {name}")
    joining.sent.append({"kind": part.kind.name.lower(), "package_id": part.package})


def _fetch(
    joining: _Join, principal: "Principal", output: Path, kept: BundleFile, wait_s: float, *,
    force: bool,
) -> None:  # fmt: skip
    ready = (ComputationState.READY_TO_EXECUTE, ComputationState.FINISHED_EXECUTING)
    wait_for(principal, ready, wait_s)
    joining.ask("Have the program run, if it has not, and fetch the result")
    try:
        outcome = save_result(principal, output, kept, retry=False, force=force)
    except VeracruzError as error:
        kept.keep_failed(principal, error)
        raise
    joining.done["result"] = {"file": output, "digest": outcome.output_digest}


_FIRST: Final = {
    ContentKind.DATA: ComputationState.DATA_SOURCES_LOADING,
    ContentKind.STREAM: ComputationState.STREAM_SOURCES_LOADING,
}
