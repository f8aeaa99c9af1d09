"""`durango attest`: check the isolate, and say what was checked against what."""

import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from durango.attestation_files import SavedAttestation
from durango.chain import chain_lines, chain_of
from durango.cli.attested import attestation_facts, outcome_lines
from durango.cli.attested_page import attested_page, refused_page
from durango.cli.membership import Access, access_options
from durango.cli.options import FILE, force_option
from durango.errors import GateError
from durango.evidence import Attestation
from veracruz_shells.console import SecondsRange, emit, json_option, note, progress, write_new_file
from veracruz_shells.files import refuse_existing
from veracruz_utils.errors import UnreachableError

_AGAIN_S: Final = 0.5


@click.command("attest")
@access_options
@click.option("--output", type=FILE, help="Write the attestation to this file.")
@click.option(
    "--html", type=FILE, help="Write what was checked as a page of one file, of a refusal, too."
)
@click.option(
    "--wait",
    type=SecondsRange(0, 7 * 86400),
    default=0.0,
    metavar="SECONDS",
    help="How long to go on asking while the bridge or the attestation service is not there.",
)
@force_option
@json_option
def attest_command(
    *,
    access: Access,
    output: Path | None,
    html: Path | None,
    wait: float,
    force: bool,
    as_json: bool,
) -> None:
    """Check the isolate behind the bridge against your own copy of POLICY.

    Nothing is sent to the isolate. Each line says what was checked against what; the first check
    that fails ends the command with status 3.
    """
    for path in (output, html):
        if path is not None:
            refuse_existing(path, force=force)
    try:
        attestation = _attested(access, wait)
    except GateError as error:
        if html is not None:
            write_new_file(
                html, refused_page(error, access.policy).encode(), mode=0o644, force=force
            )
        raise
    if html is not None:
        told = attested_page(attestation, access.policy)
        write_new_file(html, told.encode(), mode=0o644, force=force)
    if output is not None:
        saved = SavedAttestation.of(attestation, at=datetime.now(UTC))
        write_new_file(output, saved.to_bytes(), mode=0o644, force=force)
    emit({**_facts(attestation, output), "page": html}, _text(attestation), as_json=as_json)


def _attested(access: Access, wait_s: float) -> Attestation:
    deadline = time.monotonic() + wait_s
    told = None
    with progress("waiting") if wait_s else nullcontext():
        while True:
            try:
                return access.attest()
            except UnreachableError as error:
                if time.monotonic() >= deadline:
                    raise
                if str(error) != told:
                    told = str(error)
                    note(f"{told} (waiting for up to {deadline - time.monotonic():.0f} s)")
            time.sleep(min(_AGAIN_S, max(0.0, deadline - time.monotonic())))


def _facts(attestation: Attestation, output: Path | None) -> dict[str, object]:
    return {
        **attestation_facts(attestation),
        "checks": [
            {"check": passed.check.value, "found": passed.found, "against": passed.against}
            for passed in attestation.checks
        ],
        "chain": [link.facts for link in chain_of(attestation)],
        "file": output,
    }


def _text(attestation: Attestation) -> str:
    lines = [
        f"ok  {passed.check:<16}  {passed.found}\n    {'':<16}  against {passed.against}"
        for passed in attestation.checks
    ]
    chain = ["what vouches for what:", *chain_lines(attestation)]
    return "\n".join([*lines, *chain, *outcome_lines(attestation)])
