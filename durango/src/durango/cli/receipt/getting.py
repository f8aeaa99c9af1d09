"""`durango receipt get`: receipts from the isolate, in a bundle."""

from pathlib import Path

import click

from durango.cli.attested import attestation_facts
from durango.cli.keeping import BundleFile
from durango.cli.membership import Membership, membership_options
from durango.cli.options import FILE, force_option
from durango.receipts import (
    receipt_facts,
    receipt_line,
)
from veracruz_shells.console import emit, json_option
from veracruz_shells.files import refuse_existing


@click.command("get")
@membership_options
@click.option(
    "--number",
    type=click.IntRange(1, (1 << 32) - 1),
    help="Which one, from 1.  [default: the newest]",
)
@click.option("--all", "every", is_flag=True, help="All that the isolate keeps, in their order.")
@click.option("--output", type=FILE, required=True, help="The file for the bundle.")
@force_option
@json_option
def get(
    *,
    membership: Membership,
    number: int | None,
    every: bool,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Fetch receipts of POLICY's computation, of runs that failed too; every member may.

    The file is all that `durango receipt verify` needs.
    """
    if every and number is not None:
        raise click.UsageError("--all and --number exclude each other")
    refuse_existing(output, force=force)
    principal, attestation = membership.connect()
    with principal:
        found = principal.receipts() if every else [principal.receipt(number)]
    kept = BundleFile(output, membership.access, attestation, force)
    kept.keep(signed for _, signed in found)
    receipts, policy = [each for each, _ in found], membership.access.policy
    facts = {
        "file": output,
        "receipts": [receipt_facts(each) for each in receipts],
        "attestation": attestation_facts(attestation),
    }
    lines = [f"{output} has", *(f"  {receipt_line(each, policy)}" for each in receipts)]
    emit(facts, "\n".join(lines), as_json=as_json)
