"""`durango receipt`: hold a receipt against the policy, the attestation and one's own files."""

from pathlib import Path

import click

from durango.cli.options import (
    FILE,
    attestation_facts,
    load_attestation,
    load_tabasco_key,
    tabasco_key_option,
)
from durango.content import open_content
from durango.platforms import protection
from durango.receipts import MAX_OPENING_BYTES, CommitmentOpening, receipt_facts, verify_receipt
from psa_attestation.receipts.receipt import MAX_RECEIPT_BYTES, Receipt
from psa_attestation.receipts.version_1 import ReceiptV1
from veracruz_shells.console import emit, json_option, read_file
from veracruz_shells.policy_files import read_policy


@click.group("receipt", help="Check the runtime's account of a run.")
def receipt() -> None:
    """The group."""


@receipt.command("verify")
@click.argument("receipt", type=FILE)
@click.option(
    "--attestation", type=FILE, required=True, help="The file of `durango attest --output`."
)
@click.option("--policy", type=FILE, required=True, help="Your copy of the policy.")
@tabasco_key_option
@click.option("--result", type=FILE, help="The result file, to check that the receipt is about it.")
@click.option(
    "--opening",
    type=FILE,
    multiple=True,
    help="The opening of an input you sent, to check that the program saw it; repeatable.",
)
@json_option
def verify(
    *,
    receipt: Path,
    attestation: Path,
    policy: Path,
    tabasco_key: Path | None,
    result: Path | None,
    opening: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Check RECEIPT offline, at any later time.

    Attestation and policy are judged as of the moment the attestation was made: a receipt stays
    good when they have expired.
    """
    saved = load_attestation(attestation)
    agreed = read_policy(policy, at=saved.attested_at)
    attested = saved.verify(agreed, tabasco_key=load_tabasco_key(tabasco_key), at=saved.attested_at)
    output = None
    if result is not None:
        with open_content(result) as content:
            output = content.digest()
    openings = [_load_opening(path) for path in opening]
    found = verify_receipt(
        read_file(receipt, limit=MAX_RECEIPT_BYTES, what="receipt"),
        attestation=attested,
        policy=agreed,
        output=output,
        openings=openings,
    )
    facts = {"receipt": receipt_facts(found), "attestation": attestation_facts(attested)}
    text = [
        f"ok  signed by the attested isolate {attested.certificate_digest}",
        f"    on {attested.platform}, {protection(attested.platform)}",
        f"ok  policy  {agreed.digest}",
        f"ok  program {agreed.program_digest}, {found.strategy}",
        f"ok  inputs  {_inputs(found)}",
    ]
    if output is not None:
        text.append(f"ok  result  {output}, from {result}")
    text += [f"ok  opening {path}: the program saw this input" for path in opening]
    text.append(
        f"round {found.round}, return code {found.return_code}, {found.run_ms} ms, {found.engine}"
    )
    emit(facts, "\n".join(text), as_json=as_json)


def _load_opening(path: Path) -> CommitmentOpening:
    return CommitmentOpening.from_json(read_file(path, limit=MAX_OPENING_BYTES, what="opening"))


def _inputs(found: Receipt | ReceiptV1) -> str:
    return (
        ", ".join(
            f"{given.kind} package {given.package_id} of client {given.client_id}"
            for given in found.inputs
        )
        or "none"
    )
