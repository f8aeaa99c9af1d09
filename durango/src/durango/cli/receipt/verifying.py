"""`durango receipt verify`: receipts against one's own files, offline."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from durango.bundles import MAX_BUNDLE_BYTES, ReceiptBundle, VerifiedBundle, verify_bundle
from durango.cli.attested import attestation_facts, load_attestation
from durango.cli.options import FILE, force_option, load_tabasco_key
from durango.cli.receipt.verdict_page import unverified_page, verified_page
from durango.content import open_content
from durango.platforms import protection
from durango.receipts import (
    MAX_OPENING_BYTES,
    CommitmentOpening,
    receipt_facts,
    receipt_line,
)
from psa_attestation.receipts.receipt import Receipt
from veracruz_shells.console import emit, json_option, read_file, write_new_file
from veracruz_shells.files import refuse_existing
from veracruz_shells.policy_files import read_policy
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Policy

_BARE: Final = b"\xd2"
"""How a signed receipt by itself begins: tag 18 of CBOR. A bundle is a map."""


@click.command("verify")
@click.argument("file", type=FILE)
@click.option(
    "--policy",
    type=FILE,
    help="Your own copy of the policy, which has to be the file's.",
)
@click.option(
    "--tabasco-key",
    type=FILE,
    envvar="DURANGO_TABASCO_KEY",
    help="Tabasco's public result key (PEM), compared elsewhere, which has to be the file's.",
)
@click.option("--result", type=FILE, help="The result file, to check that a receipt is about it.")
@click.option(
    "--opening",
    type=FILE,
    multiple=True,
    help="The opening of an input you sent, to check that the program saw it; repeatable.",
)
@click.option(
    "--attestation",
    type=FILE,
    help="For a receipt by itself, as Veracruz before bundles wrote them: the file of `durango "
    "attest`. It takes --policy as well.",
)
@click.option(
    "--html", type=FILE, help="Write the verdict as a page of one file, of a refusal, too."
)
@force_option
@json_option
def verify(
    *,
    file: Path,
    policy: Path | None,
    tabasco_key: Path | None,
    result: Path | None,
    opening: tuple[Path, ...],
    attestation: Path | None,
    html: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Check the receipts in FILE, a bundle, offline and at any later time.

    The file is enough: it has the policy, and the attestation with Tabasco's result, judged as of
    the moment it was relied on. What all of it rests on is told: the policy, unless --policy says
    that it is yours, and that policy's key of Tabasco. Compare their digests with what you know.
    """
    if html is not None:
        refuse_existing(html, force=force)
    own = None if policy is None else read_policy(policy)
    key = load_tabasco_key(tabasco_key)
    with in_file(file):
        bundle = _load(file, own, key, attestation)
    output = None
    if result is not None:
        with open_content(result) as content:
            output = content.digest()
    openings = [(path, load_opening(path)) for path in opening]
    try:
        with in_file(file):
            found = verify_bundle(bundle, policy=own, tabasco_key=key, output=output)
        for path, each in openings:
            with in_file(path):
                verify_bundle(bundle, policy=own, tabasco_key=key, openings=[each])
    except VeracruzError as error:
        if html is not None:
            told = unverified_page(error, file=str(file))
            write_new_file(html, told.encode(), mode=0o644, force=force)
        raise
    facts = {
        "receipts": [receipt_facts(each) for each in found.receipts],
        "attestation": attestation_facts(found.attestation),
        "policy_digest": found.policy.digest,
        "policy_is": "yours" if own else "the file's",
        "tabasco_key_digest": Digest.of(found.tabasco_key),
        "tabasco_key_is": "yours" if key else "the file's",
        "page": html,
    }
    held = [
        *_attested_lines(found),
        *((receipt_line(each, found.policy),) for each in found.receipts),
    ]
    if output is not None:
        held.append((f"result  {output}, from {result}",))
    held += [(f"opening {path}: the program saw this input",) for path in opening]
    rests_on = _trust_lines(found, own_policy=own is not None, own_key=key is not None)
    if html is not None:
        told = verified_page(found, file=str(file), held=held, rests_on=rests_on)
        write_new_file(html, told.encode(), mode=0o644, force=force)
    lines = ["ok  " + "\n    ".join(each) for each in held]
    emit(facts, "\n".join([*lines, *rests_on]), as_json=as_json)


def _load(
    file: Path, own: Policy | None, key: bytes | None, attestation: Path | None
) -> ReceiptBundle:
    data = read_file(file, limit=MAX_BUNDLE_BYTES, what="receipt")
    if not data.startswith(_BARE):
        if attestation is not None:
            raise click.UsageError(f"{file} has its own attestation: omit --attestation")
        return ReceiptBundle.parse(data)
    if attestation is None or own is None:
        raise click.UsageError(
            f"{file} is a receipt by itself: give --attestation and --policy as well"
        )
    beside = key if own.tabasco_key is None else None
    return ReceiptBundle((data,), load_attestation(attestation), own.raw, beside)


def load_opening(path: Path) -> CommitmentOpening:
    """The opening in a file."""
    with in_file(path):
        return CommitmentOpening.from_json(read_file(path, limit=MAX_OPENING_BYTES, what="opening"))


@contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Let what is wrong with a file begin with its name."""
    try:
        yield
    except VeracruzError as error:
        if not str(error).startswith(("cannot read", str(path))):
            error.args = (f"{path}: {error}",)
        raise


def _attested_lines(found: VerifiedBundle) -> list[tuple[str, ...]]:
    """What held; the first of each says what, the others more of it."""
    attested = found.attestation
    program = [f"program {found.policy.program_digest}, {found.policy.strategy.value}"]
    first = found.receipts[0]
    if isinstance(first, Receipt) and first.number > 1:
        program.append(f"of receipts before number {first.number} the file says nothing")
    return [
        (
            f"signed by the attested isolate {attested.certificate_digest}",
            f"on {attested.platform}, {protection(attested.platform)}",
        ),
        (f"policy  {found.policy.digest}",),
        tuple(program),
    ]


def _trust_lines(found: VerifiedBundle, *, own_policy: bool, own_key: bool) -> list[str]:
    """What is believed without having been compared with anything of one's own."""
    lines = []
    if not own_policy:
        lines.append(
            f"this rests on policy {found.policy.digest}, as the file has it: compare it with the "
            "one that you agreed to, or give --policy"
        )
    if not (own_policy and found.policy.tabasco_key is not None) and not own_key:
        lines.append(
            f"and on Tabasco's key {Digest.of(found.tabasco_key)}, as the file has it: compare it "
            "with what Tabasco publishes, or give --tabasco-key"
        )
    return lines
