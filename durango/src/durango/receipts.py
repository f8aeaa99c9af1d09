"""Receipts: the runtime's signed account of a run, held against what a principal knows itself.

Offline and long after: the attestation says which certificate the isolate had, the receipt is
signed with that certificate's key, and the key never left the isolate.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field
from datetime import UTC, datetime
from typing import Final, Self

from colima.runtime import ContentKind
from durango._html import table
from durango._words import layer_names, nan_words, timestamp
from durango.errors import ContentError, ReceiptError
from durango.evidence import Attestation
from psa_attestation.errors import AttestationError, Stage
from psa_attestation.receipts.receipt import (
    InputCommitment,
    Receipt,
    RunDetails,
    RunEnd,
    commit,
)
from psa_attestation.receipts.verification import verify_receipt as verify_signed
from psa_attestation.receipts.version_1 import ReceiptV1
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import IsolationLayer, Policy
from veracruz_utils.refused_inputs import refused_input_of
from veracruz_utils.secret import Secret
from veracruz_utils.strict_json import JsonError, read_json

MAX_OPENING_BYTES: Final = 4 * 1024
_OF_THE_ATTESTER: Final = {IsolationLayer.IMAGE_ROOT, IsolationLayer.SEPARATE_USER}
_KINDS: Final = {ContentKind.DATA: "data", ContentKind.STREAM: "stream"}


@frozen
class CommitmentOpening:
    """What its provider alone knows of an input; it proves the input's place in a receipt.

    Attributes:
        client_id: who provided it.
        package_id: the provider's number for it.
        kind: data or stream.
        digest: SHA-256 of the input.
        salt: keeps others from guessing the input from its commitment; 32 bytes.
    """

    client_id: int
    package_id: int
    kind: ContentKind
    digest: Digest
    salt: Secret = field(repr=False)

    def __repr__(self) -> str:
        # Not the digest: of an input that can be guessed it tells which it is.
        return (
            f"<CommitmentOpening: {_KINDS[self.kind]} package {self.package_id} of client "
            f"{self.client_id}, commitment {self.commitment.hex()[:12]}>"
        )

    @property
    def commitment(self) -> bytes:
        """What stands for the input in receipts, 32 bytes; says nothing about it to others."""
        return commit(self.salt.reveal(), self.digest.value)

    def to_json(self) -> bytes:
        """The content of an opening file: keep it as safe as the input."""
        return (
            json.dumps(
                {
                    "client_id": self.client_id,
                    "package_id": self.package_id,
                    "kind": _KINDS[self.kind],
                    "digest": str(self.digest),
                    "salt": self.salt.reveal().hex(),
                },
                indent=2,
            ).encode()
            + b"\n"
        )

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The opening in such a file.

        Raises:
            ContentError: it is something else.
        """
        try:
            members = read_json(data, max_bytes=MAX_OPENING_BYTES)
        except JsonError as error:
            raise _not_an_opening() from error
        match members:
            case {
                "client_id": int(client_id),
                "package_id": int(package_id),
                "kind": "data" | "stream" as kind,
                "digest": str(digest),
                "salt": str(salt),
            } if (
                isinstance(members, dict)
                and len(members) == 5
                and _is_u32(client_id)
                and _is_u32(package_id)
            ):
                return cls(
                    client_id,
                    package_id,
                    ContentKind.DATA if kind == "data" else ContentKind.STREAM,
                    _hexadecimal(digest),
                    # A salt has the form of a digest: 32 bytes in lowercase hexadecimal.
                    Secret(_hexadecimal(salt).value),
                )
            case _:
                raise _not_an_opening()


def verify_receipt(
    signed: bytes,
    *,
    attestation: Attestation,
    policy: Policy,
    output: Digest | None = None,
    openings: Iterable[CommitmentOpening] = (),
) -> Receipt | ReceiptV1:
    """What an attested isolate says it did, where that fits the policy and one's own files.

    Args:
        signed: the receipt (COSE_Sign1).
        attestation: of the isolate that is said to have made it, through the gate.
        policy: the principal's own copy.
        output: SHA-256 of the result at hand, if it is to be compared.
        openings: of the principal's own inputs, if they are to be found in it.

    Returns:
        A `ReceiptV1` of a runtime that wrote the first format; it says less.

    Raises:
        ReceiptError: a check failed; the message names both sides.
    """
    # (1) The attested isolate signed it: the certificate is the attested one, and its key did.
    try:
        receipt = verify_signed(signed, certificate_digest=attestation.certificate_digest.value)
    except AttestationError as error:
        if error.stage in (Stage.ENCODING, Stage.ENVELOPE):
            raise ReceiptError(
                f"this is not a receipt: {error}; give the file of 'result get --receipt'"
            ) from error
        raise ReceiptError(f"the receipt is not by the attested isolate: {error}") from error
    # (2) It is about this policy and its program, run in the way the policy says.
    _same("policy", receipt.policy_digest.hex(), str(policy.digest))
    _same("program", receipt.program_digest.hex(), str(policy.program_digest))
    _same("execution strategy", receipt.strategy, policy.strategy.value)
    # (3) The program saw inputs of the right principals, in the policy's order.
    _same("order of data", _clients(receipt, "data"), _listed(policy.data_provision_order))
    _same("order of streams", _clients(receipt, "stream"), _listed(policy.streaming_order))
    # (4) The runtime is the one that was attested, and does what the policy says with the result.
    if isinstance(receipt, Receipt):
        _check_runtime(receipt, attestation, policy)
    # (5) This is what it wrote.
    if output is not None:
        require_output(receipt, output)
    # (6) My inputs are among those it saw.
    for opening in openings:
        require_input(receipt, opening)
    return receipt


def require_output(receipt: Receipt | ReceiptV1, output: Digest) -> None:
    """Refuse a receipt of a run that gave another result, or none, or that does not say.

    Raises:
        ReceiptError: it is one.
    """
    if isinstance(receipt, Receipt) and receipt.details is None:
        raise ReceiptError(
            "the receipt is closed, as the isolate gives it to who reads no result, and says "
            "nothing of that: take one that a reader got"
        )
    _same(
        "result",
        output_of(receipt) or "none",
        str(output),
        remedy="take the file of this very run",
    )


def require_input(receipt: Receipt | ReceiptV1, opening: CommitmentOpening) -> None:
    """Refuse a receipt of a run that did not see the input of this opening.

    Raises:
        ReceiptError: it is one.
    """
    name = f"{_KINDS[opening.kind]} package {opening.package_id} of client {opening.client_id}"
    for given in receipt.inputs:
        place = (given.client_id, given.package_id, given.kind)
        if place == (opening.client_id, opening.package_id, _KINDS[opening.kind]):
            _same(
                f"commitment to {name}",
                given.commitment.hex(),
                opening.commitment.hex(),
                remedy="that opening is of another send, of what was replaced since or of another "
                "computation: give the file that the last `--opening` wrote",
            )
            return
    raise ReceiptError(f"the receipt knows nothing of {name}: the program did not see it")


def receipt_facts(receipt: Receipt | ReceiptV1) -> dict[str, object]:
    """What a receipt says, for programs; the keys are stable."""
    facts: dict[str, object] = {
        "policy_digest": receipt.policy_digest.hex(),
        "program_digest": receipt.program_digest.hex(),
        "round": receipt.round,
        "execution_strategy": receipt.strategy,
        "engine": receipt.engine,
        "inputs": [_input_facts(given) for given in receipt.inputs],
    } | _details_facts(receipt)
    if isinstance(receipt, ReceiptV1):
        return facts
    return facts | {
        "number": receipt.number,
        "previous_receipt": _hex(receipt.previous_receipt),
        "attempt": receipt.attempt,
        "end": end_words(receipt.end),
        "open": receipt.details is not None,
        "readers": list(receipt.readers),
        "debug": receipt.debug,
        "isolation": list(receipt.isolation),
        "measurement": receipt.measurement.hex(),
        "seed": _hex(receipt.seed),
        "canonical_nans": receipt.canonical_nans,
        "privacy": None if receipt.privacy is None else asdict(receipt.privacy),
        "host_time": host_time_of(receipt),
    }


def _details_facts(receipt: Receipt | ReceiptV1) -> dict[str, object]:
    """What only readers learn; None is what there is none of, and all of a closed receipt."""
    details = receipt if isinstance(receipt, ReceiptV1) else receipt.details or RunDetails()
    return {
        "output_digest": output_of(receipt),
        "return_code": details.return_code,
        "run_ms": details.run_ms,
        "fuel": details.fuel,
    }


def receipt_line(receipt: Receipt | ReceiptV1, policy: Policy) -> str:
    """What a receipt says, in a line for people."""
    inputs = ", ".join(
        f"{given.kind} package {given.package_id} of {policy.named(given.client_id)}"
        for given in receipt.inputs
    )
    on = f"on {inputs or 'no input'}, {receipt.engine}"
    if isinstance(receipt, ReceiptV1):
        ended = f"return code {receipt.return_code}, {receipt.run_ms} ms"
        return f"round {receipt.round}: {ended}, {on}"
    which = f"receipt {receipt.number}, round {receipt.round}, attempt {receipt.attempt}"
    ended = end_words(receipt.end)
    if receipt.details is not None and receipt.details.return_code is not None:
        ended += f", return code {receipt.details.return_code}"
        if (refused := refused_input_of(receipt.details.return_code)) is not None:
            ended += f" ({refused.words(policy)})"
        if receipt.details.run_ms is not None:
            ended += f", {receipt.details.run_ms} ms"
    nans = f"bits of NaNs {nan_words(canonical=receipt.canonical_nans)}"
    clock = f"the host's clock said {host_time_of(receipt)}"
    return "; ".join([f"{which}: {ended}, {on}", nans, *balance_lines(receipt), clock])


def receipt_table(receipt: Receipt | ReceiptV1) -> str:
    """What a receipt says, as HTML."""
    rows = [
        (name.replace("_", " "), json.dumps(value) if isinstance(value, dict) else value)
        for name, value in receipt_facts(receipt).items()
        if name != "inputs" and value is not None
    ]
    inputs = [
        (each.kind, each.client_id, each.package_id, each.commitment.hex())
        for each in receipt.inputs
    ]
    return table((), rows) + table(("input", "client", "package", "commitment"), inputs)


def balance_lines(receipt: Receipt | ReceiptV1) -> list[str]:
    """What a run left of the privacy budget, in a line for people; no line without a budget."""
    if isinstance(receipt, ReceiptV1) or receipt.privacy is None:
        return []
    found = receipt.privacy
    line = f"privacy budget: epsilon {found.epsilon_spent} spent, {found.epsilon_left} left"
    if (found.delta_spent, found.delta_left) != ("0", "0"):
        line += f"; delta {found.delta_spent} spent, {found.delta_left} left"
    return [line]


def output_of(receipt: Receipt | ReceiptV1) -> str | None:
    """The digest of the result that its readers may have, in hexadecimal; None without one."""
    if isinstance(receipt, Receipt):
        return None if receipt.details is None else _hex(receipt.details.output_digest)
    # It has one for an error code as well, of what nobody got.
    return _hex(receipt.output_digest) if receipt.return_code == 0 else None


def end_words(end: RunEnd) -> str:
    """How a run ended, in a word or two."""
    return end.name.lower().replace("_", " ")


def host_time_of(receipt: Receipt) -> str:
    """When the host's clock said that it was; nobody vouches for it."""
    try:
        return timestamp(datetime.fromtimestamp(receipt.host_time, UTC))
    except (OverflowError, ValueError, OSError):
        return f"{receipt.host_time} s after 1970"


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()


def _input_facts(given: InputCommitment) -> Mapping[str, object]:
    return {
        "client_id": given.client_id,
        "package_id": given.package_id,
        "kind": given.kind,
        "commitment": given.commitment.hex(),
    }


def _check_runtime(receipt: Receipt, attestation: Attestation, policy: Policy) -> None:
    _same("measurement", receipt.measurement.hex(), attestation.measurement.hex())
    _same("readers", _listed(receipt.readers), _listed(sorted(policy.result_readers)))
    _same("debug", str(receipt.debug), str(policy.debug))
    if policy.conduct.canonical_nans:  # a runtime from before it could be left out did it always
        _same(
            "bits of NaNs", nan_words(canonical=receipt.canonical_nans), nan_words(canonical=True)
        )
    # What its root attester brings about, the runtime within does not see; what the runtime has and
    # its host was not found to give, is not attested.
    attested = attestation.isolation - _OF_THE_ATTESTER
    found = [layer for layer in attested if layer in receipt.isolation]
    _same("isolation", layer_names(found), layer_names(attested))


def _same(what: str, found: str, expected: str, *, remedy: str = "") -> None:
    if found != expected:
        advice = f": {remedy}" if remedy else ""
        raise ReceiptError(f"the receipt's {what} is {found}, expected {expected}{advice}")


def _clients(receipt: Receipt | ReceiptV1, kind: str) -> str:
    return _listed(given.client_id for given in receipt.inputs if given.kind == kind)


def _listed(client_ids: Iterable[int]) -> str:
    return ", ".join(f"client {client_id}" for client_id in client_ids) or "nobody"


def _is_u32(number: int) -> bool:
    # By `type`, for the pattern `int()` matches True as well.
    return type(number) is int and 0 <= number < 1 << 32


def _hexadecimal(text: str) -> Digest:
    try:
        return Digest.from_hex(text)
    except VeracruzError as error:
        raise _not_an_opening() from error


def _not_an_opening() -> ContentError:
    return ContentError("not an opening file: `durango data send --opening FILE` makes one")
