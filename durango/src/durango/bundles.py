"""Bundles: all that it takes to verify receipts years later, in one file.

The receipts, the attestation that a principal relied on with Tabasco's result, and the policy. Who
is given a bundle by somebody else believes nothing of it that it does not compare with what it
knows: everybody can make a policy, be its Tabasco, and attest and sign whatever it likes.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, Self

from durango._html import bullets, heading, paragraph
from durango.attestation_files import MAX_FILE_BYTES, SavedAttestation
from durango.errors import ContentError, GateError, ReceiptError, TabascoKeyError
from durango.evidence import Attestation, GateCheck
from durango.receipts import (
    CommitmentOpening,
    receipt_line,
    require_input,
    require_output,
    verify_receipt,
)
from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import Value
from psa_attestation.errors import AttestationError
from psa_attestation.receipts.receipt import MAX_RECEIPT_BYTES, Receipt
from psa_attestation.receipts.verification import closed_digest
from psa_attestation.receipts.version_1 import ReceiptV1
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import MAX_POLICY_BYTES, Policy
from veracruz_utils.public_keys import KeyFormatError, p256_key_of_der

MAX_BUNDLE_BYTES: Final = 72 * 1024 * 1024
"""As many receipts as an isolate keeps, 64 MiB, and what goes with them."""
MAX_BUNDLE_RECEIPTS: Final = 65_536
_FORMAT: Final = "veracruz-bundle-1"
_MAX_KEY_BYTES: Final = 256

AnyReceipt = Receipt | ReceiptV1


@frozen
class ReceiptBundle:
    """What a bundle file holds. Nothing of it is believed: see `verify_bundle`.

    Attributes:
        receipts: as they were signed, in their order; none in one that was kept when data were
            sent, before there was a run.
        attestation: of the isolate that made them.
        policy: its exact text.
        tabasco_key: Tabasco's result key (DER), beside a policy of 2021, which names none.
    """

    receipts: tuple[bytes, ...]
    attestation: SavedAttestation
    policy: bytes
    tabasco_key: bytes | None = None

    def __repr__(self) -> str:
        count = len(self.receipts)
        digest = Digest.of(self.policy).short
        return f"<ReceiptBundle: {count} receipt{'s' if count != 1 else ''}, policy {digest}>"

    @classmethod
    def of(
        cls,
        receipts: Iterable[bytes],
        attestation: Attestation,
        policy: Policy,
        *,
        tabasco_key: bytes | None = None,
    ) -> Self:
        """What a principal keeps that relied on `attestation`.

        Args:
            receipts: as they were signed.
            attestation: of the isolate that made them, through the gate.
            policy: the principal's own copy.
            tabasco_key: the one that was given beside a policy that names none.
        """
        key = tabasco_key if policy.tabasco_key is None else None
        # As of its beginning: by now it may be over, as after a long wait for the others.
        saved = SavedAttestation.of(attestation, at=attestation.issued_at)
        return cls(tuple(receipts), saved, policy.raw, key)

    def to_bytes(self) -> bytes:
        """The content of a bundle file: deterministic CBOR."""
        members: dict[str, bytes | str | list[bytes]] = {
            "format": _FORMAT,
            "receipts": list(self.receipts),
            "attestation": self.attestation.to_bytes(),
            "policy": self.policy,
        }
        if self.tabasco_key is not None:
            members["tabasco_key"] = self.tabasco_key
        return encode(members)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The bundle in such a file.

        Raises:
            ContentError: it is something else.
            ReceiptError: it is damaged.
            AttestationFileError: what it has for an attestation is none.
        """
        limits = DecodeLimits(
            max_bytes=MAX_BUNDLE_BYTES, max_items=MAX_BUNDLE_RECEIPTS + 16, max_depth=3
        )
        try:
            members = decode(data, limits)
        except AttestationError as error:
            if _FORMAT.encode() in data:
                raise ReceiptError(
                    "a bundle of receipts that was cut off or damaged: take another copy of it"
                ) from error
            raise _not_a_bundle() from error
        match members:
            case {
                "format": str(form),
                "receipts": list(receipts),
                "attestation": bytes(attestation),
                "policy": bytes(policy),
                **others,
            } if form == _FORMAT and len(attestation) <= MAX_FILE_BYTES:
                key = _key(others)
                if len(policy) > MAX_POLICY_BYTES:
                    raise _not_a_bundle()
                saved = SavedAttestation.parse(attestation)
                return cls(_receipts(receipts), saved, policy, key)
            case _:
                raise _not_a_bundle()


@frozen
class VerifiedBundle:
    """A bundle whose parts fit each other.

    Attributes:
        receipts: what they say, in their order; at least one.
        attestation: of the isolate, as of the time when it was relied on.
        policy: what it holds, whatever its dates.
        tabasco_key: who vouched for it (DER): the policy names it, or the bundle beside a policy of
            2021.
    """

    receipts: tuple[AnyReceipt, ...]
    attestation: Attestation
    policy: Policy
    tabasco_key: bytes

    def __repr__(self) -> str:
        count = len(self.receipts)
        isolate = self.attestation.certificate_digest.short
        return (
            f"<VerifiedBundle: {count} receipt{'s' if count != 1 else ''} by isolate {isolate}, "
            f"policy {self.policy.digest.short}>"
        )

    def _repr_html_(self) -> str:
        rests = [
            f"signed by isolate {self.attestation.certificate_digest}",
            f"this rests on policy {self.policy.digest}",
            f"and on Tabasco's key {Digest.of(self.tabasco_key)}",
        ]
        parts = [paragraph(receipt_line(each, self.policy)) for each in self.receipts]
        head = heading(f"{len(self.receipts)} verified, all of it fits together")
        return head + bullets(rests) + "".join(parts)


def verify_bundle(
    bundle: ReceiptBundle,
    *,
    policy: Policy | None = None,
    tabasco_key: bytes | None = None,
    output: Digest | None = None,
    openings: Sequence[CommitmentOpening] = (),
) -> VerifiedBundle:
    """What a bundle's receipts say, where all of it holds together.

    The attestation is judged as of when it was relied on, the policy whatever its dates: to those
    the isolate saw.

    Args:
        bundle: from a file.
        policy: the principal's own copy, which has to be the bundle's; None takes its word.
        tabasco_key: Tabasco's key (DER) as it was compared elsewhere, which has to be the bundle's.
        output: SHA-256 of the result at hand, which has to be that of one of the receipts.
        openings: of inputs, each of which has to be in one of the receipts.

    Raises:
        ReceiptError, GateError, TabascoKeyError, PolicyError: something does not hold.
    """
    # (1) The policy: the principal's own if it gave one.
    agreed = Policy.parse(bundle.policy, at=None)
    if policy is not None and policy.digest != agreed.digest:
        _refuse_damage(bundle, policy, tabasco_key)
        from durango.policy.differences import differing_terms  # noqa: PLC0415 - for who errs

        raise ReceiptError(
            f"the bundle's policy is {agreed.digest}, yours is {policy.digest}, and "
            f"{differing_terms(agreed, policy)}: give the policy of that computation"
        )
    # (2) Who vouched for the isolate.
    key = _vouching_key(bundle, agreed, tabasco_key)
    # (3) The isolate: the attestation passes the gate, as of its time.
    saved = bundle.attestation
    try:
        attestation = saved.verify(agreed, tabasco_key=key, at=saved.attested_at)
    except GateError as error:
        if error.check != GateCheck.POLICY:
            raise
        raise error.with_remedy(f"it is {_CHANGED}") from error
    # (4) The receipts are by that isolate and about that policy, and none is missing between.
    if not bundle.receipts:
        raise ReceiptError(
            "there is no receipt in the bundle, which was kept before a run; its attestation "
            "holds: get the receipts by `durango receipt get`"
        )
    receipts = tuple(
        verify_receipt(signed, attestation=attestation, policy=agreed) for signed in bundle.receipts
    )
    _check_chain(bundle.receipts, receipts)
    # (5) One's own files are in them.
    if output is not None:
        _hold_one(receipts, partial(require_output, output=output))
    for opening in openings:
        _hold_one(receipts, partial(require_input, opening=opening))
    return VerifiedBundle(receipts, attestation, agreed, key)


_CHANGED: Final = "a bundle that was damaged or changed since it was kept: take another copy of it"


def _refuse_damage(bundle: ReceiptBundle, own: Policy, tabasco_key: bytes | None) -> None:
    """Refuse a bundle with another policy than one's own if its attestation is for one's own."""
    saved = bundle.attestation
    beside = tabasco_key or bundle.tabasco_key if own.tabasco_key is None else tabasco_key
    try:
        saved.verify(own, tabasco_key=beside, at=saved.attested_at)
    except VeracruzError:
        return
    raise ReceiptError(f"its attestation is for your policy, the policy in it is not: {_CHANGED}")


def _vouching_key(bundle: ReceiptBundle, policy: Policy, given: bytes | None) -> bytes:
    if (bundle.tabasco_key is None) == (policy.tabasco_key is None):
        raise TabascoKeyError(
            "the bundle says no key of Tabasco, or says it beside a policy that names one"
        )
    key = policy.tabasco_key or bundle.tabasco_key
    assert key is not None
    if given is not None and given != key:
        raise TabascoKeyError(
            f"the key given for Tabasco is {Digest.of(given)}, the bundle's is {Digest.of(key)}"
        )
    return key


def _check_chain(signed: Sequence[bytes], receipts: Sequence[AnyReceipt]) -> None:
    for before, one, other in zip(signed, receipts, receipts[1:], strict=False):
        if not (isinstance(one, Receipt) and isinstance(other, Receipt)):
            raise ReceiptError(
                "receipts of the first format are in no order: verify each by itself"
            )
        if other.number != one.number + 1:
            raise ReceiptError(
                f"receipt {other.number} comes after receipt {one.number}: one is missing between, "
                "or they are out of order"
            )
        if other.previous_receipt != closed_digest(before):
            raise ReceiptError(
                f"receipt {other.number} names another receipt {one.number} than there is here"
            )


def _hold_one(receipts: Sequence[AnyReceipt], check: Callable[[AnyReceipt], None]) -> None:
    """Raise unless `check` holds for one of the receipts."""
    for receipt in reversed(receipts):
        try:
            check(receipt)
        except ReceiptError as error:
            problem = error
        else:
            return
    if len(receipts) == 1:
        raise problem
    raise ReceiptError(f"none of {len(receipts)} receipts fits; of the first of them: {problem}")


def _receipts(entries: list[Value]) -> tuple[bytes, ...]:
    receipts = tuple(entry for entry in entries if isinstance(entry, bytes))
    if len(receipts) != len(entries) or len(receipts) > MAX_BUNDLE_RECEIPTS:
        raise _not_a_bundle()
    if any(len(receipt) > MAX_RECEIPT_BYTES for receipt in receipts):
        raise _not_a_bundle()
    return receipts


def _key(others: dict[object, object]) -> bytes | None:
    if not others:
        return None
    key = others.pop("tabasco_key", None)
    if others or not isinstance(key, bytes) or len(key) > _MAX_KEY_BYTES:
        raise _not_a_bundle()
    try:
        p256_key_of_der(key)
    except KeyFormatError as error:
        raise _not_a_bundle() from error
    return key


def _not_a_bundle() -> ContentError:
    return ContentError(
        "not a bundle of receipts: `durango receipt get` makes one, as does `result get --receipt`"
    )
