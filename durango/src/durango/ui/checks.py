"""What was compared with what before a receipt was believed, for people to read."""

from collections.abc import Iterable

from durango._words import layer_names, milliseconds
from durango.evidence import Attestation
from durango.principal import FetchedResult
from durango.receipts import CommitmentOpening, end_words, host_time_of, output_of
from durango.ui.texts import N_
from psa_attestation.receipts.receipt import Receipt
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy


@frozen
class Comparison:
    """Something that a receipt says and that was held against something else.

    Attributes:
        what: its name, to be translated.
        found: what the receipt says.
        against: what that was compared with, to be translated.
    """

    what: str
    found: str
    against: str


def comparisons(
    receipt: Receipt,
    attestation: Attestation,
    policy: Policy,
    openings: Iterable[CommitmentOpening],
    outcome: FetchedResult | None,
) -> list[Comparison]:
    """What `durango.receipts.verify_receipt` held it against, all of which was the same.

    Args:
        receipt: that was verified.
        attestation: of the isolate.
        policy: the principal's own copy.
        openings: of the principal's own inputs.
        outcome: the result that was fetched here, if there is one.
    """
    found = [
        Comparison(
            N_("signature"),
            str(attestation.certificate_digest),
            N_("by the isolate that was attested"),
        ),
        Comparison(N_("policy"), receipt.policy_digest.hex(), N_("your policy file")),
        Comparison(N_("program"), receipt.program_digest.hex(), N_("your policy file")),
        Comparison(N_("execution"), receipt.strategy, N_("your policy file")),
        Comparison(
            N_("order of the inputs"),
            ", ".join(policy.named(each.client_id) for each in receipt.inputs) or "-",
            N_("your policy file"),
        ),
        Comparison(
            N_("readers"),
            ", ".join(policy.named(each) for each in receipt.readers),
            N_("your policy file"),
        ),
        Comparison(N_("runtime"), receipt.measurement.hex(), N_("the attested isolate")),
        Comparison(
            N_("layers of isolation"),
            layer_names(attestation.isolation),
            N_("the attested isolate"),
        ),
    ]
    commitments = {each.commitment for each in receipt.inputs}
    found += [
        Comparison(
            N_("your own input"),
            opening.commitment.hex(),
            N_("what you sent, with the salt that only you have"),
        )
        for opening in openings
        if opening.commitment in commitments
    ]
    if outcome is not None and outcome.receipt.number == receipt.number:
        found.append(
            Comparison(N_("result"), output_of(receipt) or "-", N_("the result that you fetched"))
        )
    return found


def run_of(receipt: Receipt) -> dict[str, str]:
    """How the run went, by names that are translated."""
    said = {
        N_("ended"): end_words(receipt.end),
        N_("round and attempt"): f"{receipt.round}, {receipt.attempt}",
        N_("engine"): receipt.engine,
        N_("the host's clock"): host_time_of(receipt),
    }
    if receipt.details is not None and receipt.details.run_ms is not None:
        said[N_("took")] = milliseconds(receipt.details.run_ms)
    if receipt.details is not None and receipt.details.return_code:
        said[N_("return code")] = str(receipt.details.return_code)
    return said
