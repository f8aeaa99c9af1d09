"""Fetching results."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from colima.runtime import ComputationState
from durango.cli.attested import attestation_facts
from durango.cli.keeping import BundleFile
from durango.cli.membership import Membership, membership_options
from durango.cli.options import FILE, force_option
from durango.cli.waiting import wait_for, wait_option
from durango.errors import DurangoError
from durango.receipts import balance_lines, receipt_facts
from durango.rights import require_reader
from veracruz_shells.console import emit, json_option, progress, subgroup
from veracruz_shells.files import new_file, refuse_existing, to_standard_output
from veracruz_utils.errors import VeracruzError

if TYPE_CHECKING:
    from durango.principal import FetchedResult, Principal

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
@click.option(
    "--retry",
    is_flag=True,
    help="Have the program run again after a run that failed, though no input has changed.",
)
@wait_option
@force_option
@json_option
def get_result(
    *,
    membership: Membership,
    output: Path,
    receipt: Path | None,
    retry: bool,
    wait: float,
    force: bool,
    as_json: bool,
) -> None:
    """Fetch the result of POLICY's computation; the first reader's request runs the program.

    The file gets its name only when the whole result is there and the receipt fits it. After a run
    that failed the same failure is told again until an input has changed, or with --retry.
    """
    if as_json and output == _STDOUT:
        raise click.UsageError(
            "--json and --output - both write to standard output: give --output a file"
        )
    if output == _STDOUT and sys.stdout is None:
        raise DurangoError("standard output is closed: give --output a file")
    for path in (output, receipt):
        if path is not None and path != _STDOUT:
            refuse_existing(path, force=force)
    require_reader(membership.access.policy, membership.member, "read the result")
    principal, attestation = membership.connect()
    with principal:
        ready = (ComputationState.READY_TO_EXECUTE, ComputationState.FINISHED_EXECUTING)
        wait_for(principal, ready, wait)
        kept = BundleFile(receipt, membership.access, attestation, force)
        try:
            outcome = save_result(principal, output, kept, retry=retry, force=force)
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


def save_result(
    principal: "Principal", output: Path, kept: BundleFile, *, retry: bool, force: bool
) -> "FetchedResult":
    """Fetch into the file, and keep the receipt even of a run without a result."""
    if output == _STDOUT:
        with to_standard_output():
            outcome = _fetch(principal, sys.stdout.buffer, retry=retry)
        kept.keep([outcome.signed_receipt])
        _require_result(outcome)
        return outcome
    with new_file(output, mode=0o600, force=force) as file:
        outcome = _fetch(principal, file, retry=retry)
        file.flush()
        # On the disk before the receipt has its name: there is none without its result.
        os.fsync(file.fileno())
        kept.keep([outcome.signed_receipt])
        _require_result(outcome)
        return outcome


def _fetch(principal: "Principal", file: BinaryIO, *, retry: bool) -> "FetchedResult":
    if file.isatty():  # where the result is, nothing else is drawn
        return principal.save_result(file.write, retry=retry)
    with progress("waiting for the run") as advance:

        def write(piece: bytes) -> None:
            if not advance.done:
                advance.become("fetching the result")
            file.write(piece)
            advance(len(piece))

        return principal.save_result(write, retry=retry)


def _require_result(outcome: "FetchedResult") -> None:
    if outcome.output_size is None:
        raise DurangoError(
            "the program ended without an error and wrote no result: there is nothing to fetch"
        )
