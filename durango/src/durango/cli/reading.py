"""Fetching results, and looking after the computation."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from colima.runtime import ComputationState, StateIs
from durango.cli.keeping import BundleFile
from durango.cli.options import (
    FILE,
    Membership,
    attestation_facts,
    force_option,
    membership_options,
    wait_for,
    wait_option,
)
from durango.errors import DurangoError
from durango.failures import failure_facts, failure_lines
from durango.principal import FetchedResult, Principal
from durango.receipts import balance_lines, receipt_facts
from durango.rights import require_reader
from veracruz_shells.console import emit, json_option, subgroup
from veracruz_shells.files import new_file, refuse_existing
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Policy, Role

_STDOUT: Final = Path("-")


@subgroup("result", help="Have the program run and fetch the result.")
def result() -> None:
    """The group."""


@result.command("get")
@membership_options
@click.option(
    "--output", type=FILE, required=True, help="The file for the result; - is standard output."
)
@click.option(
    "--receipt",
    type=FILE,
    help="Keep the runtime's signed receipt in this file, with the attestation and the policy: all "
    "that `durango receipt verify` needs. Of a run that failed, too.",
)
@wait_option
@force_option
@json_option
def get_result(
    *,
    membership: Membership,
    output: Path,
    receipt: Path | None,
    wait: float,
    force: bool,
    as_json: bool,
) -> None:
    """Fetch the result of POLICY's computation; the first reader's request runs the program.

    The file gets its name only when the whole result is there and the receipt fits it.
    """
    if as_json and output == _STDOUT:
        raise click.UsageError(
            "--json and --output - both write to standard output: give --output a file"
        )
    for path in (output, receipt):
        if path is not None and path != _STDOUT:
            refuse_existing(path, force=force)
    _require_reader(membership, "read the result")
    principal, attestation = membership.connect()
    with principal:
        wait_for(
            principal,
            (ComputationState.READY_TO_EXECUTE, ComputationState.FINISHED_EXECUTING),
            wait,
        )
        kept = BundleFile(receipt, membership.access, attestation, force)
        try:
            outcome = _save(principal, output, kept, force=force)
        except VeracruzError as error:
            kept.keep_failed(principal, error)
            raise
    facts = {
        "size": outcome.output_size,
        "digest": outcome.output_digest,
        "file": output,
        "receipt_file": receipt,
        "receipt": receipt_facts(outcome.receipt),
        "attestation": attestation_facts(attestation),
    }
    if output != _STDOUT:
        text = f"result in {output}: {outcome.output_size} bytes, {outcome.output_digest}"
        lines = [text, *balance_lines(outcome.receipt)]
        emit(facts, "\n".join(lines), as_json=as_json)


def _save(principal: Principal, output: Path, kept: BundleFile, *, force: bool) -> FetchedResult:
    """Fetch into the file, and keep the receipt even of a run without a result."""
    if output == _STDOUT:
        outcome = principal.save_result(sys.stdout.buffer.write)
        sys.stdout.buffer.flush()
        kept.keep([outcome.signed_receipt])
        _require_result(outcome)
        return outcome
    with new_file(output, mode=0o600, force=force) as file:
        outcome = principal.save_result(file.write)
        file.flush()
        # On the disk before the receipt has its name: there is none without its result.
        os.fsync(file.fileno())
        kept.keep([outcome.signed_receipt])
        _require_result(outcome)
        return outcome


def _require_result(outcome: FetchedResult) -> None:
    if outcome.output_size is None:
        raise DurangoError(
            "the program ended without an error and wrote no result: there is nothing to fetch"
        )


@subgroup("round", help="Begin another round.")
def round_group() -> None:
    """The group."""


@round_group.command("next")
@membership_options
@wait_option
@json_option
def next_round(*, membership: Membership, wait: float, as_json: bool) -> None:
    """Begin another round: same program and data, new stream items, the result as previous one."""
    _require_reader(membership, "begin another round")
    membership.access.policy.require_in_force(datetime.now(UTC))
    principal, _ = membership.connect()
    with principal:
        wait_for(principal, (ComputationState.FINISHED_EXECUTING,), wait)
        principal.next_round()
        found = principal.state()
    facts = {"round": found.round, "state": found.state.name}
    emit(
        facts,
        f"round {found.round} began, {_description(found, membership.access.policy)}",
        as_json=as_json,
    )


@click.command("status")
@membership_options
@json_option
def status(*, membership: Membership, as_json: bool) -> None:
    """Show where the computation of POLICY stands.

    The program's provider sees how a failed computation failed; and, if the policy says debug,
    where in the program, what it returned and its message.
    """
    principal, attestation = membership.connect()
    with principal:
        found = principal.state()
        digest = principal.program_digest()
        author = Role.PI_PROVIDER in membership.member.roles
        policy = membership.access.policy
        ends = (
            {ComputationState.ERROR, ComputationState.FINISHED_EXECUTING}
            if policy.debug
            else {ComputationState.ERROR}
        )
        report = principal.failure_report() if author and found.state in ends else None
    facts = {
        "state": found.state.name,
        "round": found.round,
        "running": found.running,
        "program_digest": digest,
        "policy_digest": policy.digest,
        "attestation": attestation_facts(attestation),
        "failure": failure_facts(report),
        "message": (report.message or None) if report else None,
    }
    text = (
        f"{found.state.name}: {_description(found, policy)}\n"
        f"round   {found.round}\n"
        f"program {digest or 'not there yet'}\n"
        f"policy  {policy.digest}"
    )
    if report is not None:
        text = "\n".join([text, *failure_lines(report)])
    emit(facts, text, as_json=as_json)


@click.command("shutdown")
@membership_options
@json_option
def shutdown(*, membership: Membership, as_json: bool) -> None:
    """Ask for the end of the computation; the isolate ends when all readers have asked."""
    _require_reader(membership, "ask for shutdown")
    principal, _ = membership.connect()
    with principal:
        principal.shutdown()
    readers = sorted(membership.access.policy.result_readers)
    names = ", ".join(f"client {client_id}" for client_id in readers)
    emit(
        {"client_id": principal.client_id, "readers": readers},
        f"client {principal.client_id} has asked; the isolate ends when every reader has ({names})",
        as_json=as_json,
    )


def _require_reader(membership: Membership, act: str) -> None:
    require_reader(membership.access.policy, membership.member, act)


def _description(found: StateIs, policy: Policy) -> str:
    """What a state means and who has to act, in words."""
    if found.state is ComputationState.READY_TO_EXECUTE and found.running:
        return "the program is running"
    author = [
        identity.client_id for identity in policy.identities if Role.PI_PROVIDER in identity.roles
    ]
    data, streams = _from(policy.data_provision_order), _from(policy.streaming_order)
    return {
        ComputationState.INITIAL: f"waiting for the program{_from(author)}",
        ComputationState.DATA_SOURCES_LOADING: f"waiting for data{data}",
        ComputationState.STREAM_SOURCES_LOADING: f"waiting for stream items{streams}",
        ComputationState.READY_TO_EXECUTE: "ready: the first reader's request runs the program",
        ComputationState.FINISHED_EXECUTING: "the result can be fetched",
        ComputationState.ERROR: "the run failed; the computation has to be started anew",
    }[found.state]


def _from(client_ids: Sequence[int]) -> str:
    names = ", ".join(str(client_id) for client_id in dict.fromkeys(client_ids))
    return f" of client {names}"
