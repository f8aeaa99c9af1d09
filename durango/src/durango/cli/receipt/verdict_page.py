"""What receipts prove as a page of one file: for those who have no command line."""

from collections.abc import Iterable, Sequence
from typing import Final

from durango.bundles import AnyReceipt, VerifiedBundle
from durango.cli.attested_page import checks_section, facts_table
from durango.errors import GateError
from durango.receipts import receipt_facts
from psa_attestation.receipts.receipt import Receipt
from veracruz_shells.page import Code, bullets, page, section, table, verdict
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Policy

_HEADING: Final = "What these receipts prove"
_MADE_BY: Final = (
    "Made by `durango receipt verify`; the file of receipts is what counts, and everybody who has "
    "it can make this page from it."
)
NOT_PROVEN: Final = (
    "that an input is true: only that its provider sent exactly this one.",
    "when the runs were: the host's clock is nobody's word but the host's.",
    "that Tabasco is honest: its key signed what is said of the isolate.",
    "that there were no runs after the last of these receipts.",
)
"""What receipts leave open, however they are verified; the page for browsers says the same."""


def verified_page(
    found: VerifiedBundle, *, file: str, held: Iterable[Sequence[str]], rests_on: Sequence[str]
) -> str:
    """Receipts that fit all they were held against.

    Args:
        found: what they say.
        file: what they were read from.
        held: what was checked; the first of each says what, the others more of it.
        rests_on: what was believed without having been compared.
    """
    count = len(found.receipts)
    which, them = ("1 receipt", "it") if count == 1 else (f"{count} receipts", "them")
    own = "nothing but what you gave: your policy, and the key of Tabasco in it or beside it"
    return page(
        f"Receipts for policy {found.policy.digest.short}",
        verdict(
            f"{which} verified: all of it fits together",
            f"The isolate that was attested for this policy signed {them}, and no receipt is "
            "missing between the first and the last.",
            good=True,
        ),
        section("What was checked", bullets("; ".join(each) for each in held)),
        section("What it rests on", bullets(rests_on or [own])),
        section("What it does not prove", bullets(NOT_PROVEN)),
        *(_receipt(each, found.policy) for each in found.receipts),
        checks_section(*found.attestation.checks),
        heading=_HEADING,
        about=f"{file}, about policy {found.policy.digest}. {_MADE_BY}",
    )


def unverified_page(error: VeracruzError, *, file: str) -> str:
    """Receipts that do not hold, and why."""
    return page(
        "Receipts that are not verified",
        verdict("not verified", error, "Believe nothing that the file says.", good=False),
        checks_section(*error.passed, failed=error) if isinstance(error, GateError) else "",
        heading=_HEADING,
        about=f"{file}. {_MADE_BY}",
    )


def _receipt(receipt: AnyReceipt, policy: Policy) -> str:
    facts = receipt_facts(receipt)
    del facts["inputs"]
    title = f"Receipt of round {receipt.round}"
    if isinstance(receipt, Receipt):
        title = f"Receipt {receipt.number}"
        facts["readers"] = [policy.named(reader) for reader in receipt.readers]
    inputs = [
        (
            policy.named(each.client_id),
            f"{each.kind} package {each.package_id}",
            Code(each.commitment.hex()),
        )
        for each in receipt.inputs
    ]
    head = ("From", "Input", "Commitment")
    return section(
        title,
        facts_table(facts),
        table(inputs, head=head, caption="What the program saw, in order"),
    )
