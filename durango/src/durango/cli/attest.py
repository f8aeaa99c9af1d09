"""`durango attest`: check the isolate, and say what was checked against what."""

from datetime import UTC, datetime
from pathlib import Path

import click

from durango._words import layer_names, timestamp
from durango.attestation_files import SavedAttestation
from durango.cli.attested import attestation_facts
from durango.cli.membership import Access, access_options
from durango.cli.options import FILE, force_option
from durango.evidence import Attestation
from durango.platforms import protection
from veracruz_shells.console import emit, json_option, write_new_file


@click.command("attest")
@access_options
@click.option("--output", type=FILE, help="Write the attestation to this file.")
@force_option
@json_option
def attest_command(*, access: Access, output: Path | None, force: bool, as_json: bool) -> None:
    """Check the isolate behind the bridge against your own copy of POLICY.

    Nothing is sent to the isolate. Each line says what was checked against what; the first check
    that fails ends the command with status 3.
    """
    attestation = access.attest()
    if output is not None:
        saved = SavedAttestation.of(attestation, at=datetime.now(UTC))
        write_new_file(output, saved.to_bytes(), mode=0o644, force=force)
    emit(_facts(attestation, output), _text(attestation), as_json=as_json)


def _facts(attestation: Attestation, output: Path | None) -> dict[str, object]:
    return {
        **attestation_facts(attestation),
        "checks": [
            {"check": passed.check.value, "found": passed.found, "against": passed.against}
            for passed in attestation.checks
        ],
        "file": output,
    }


def _text(attestation: Attestation) -> str:
    lines = [
        f"ok  {passed.check:<16}  {passed.found}\n    {'':<16}  against {passed.against}"
        for passed in attestation.checks
    ]
    lines.append(
        f"accepted: isolate {attestation.certificate_digest}\n"
        f"until {timestamp(attestation.expires_at)}, on {attestation.platform},\n"
        f"{protection(attestation.platform)};\n"
        f"layers of isolation in force: {layer_names(attestation.isolation)}"
    )
    return "\n".join(lines)
