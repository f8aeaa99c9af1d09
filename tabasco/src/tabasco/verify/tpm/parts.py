"""A quote of whatever form under a key: what it proves, and which of the given keys it is by."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from tabasco.verify.errors import EvidenceError, malformed
from tabasco.verify.proven import ATTESTATION_KEY, NO_END, Proven
from tabasco.verify.tpm.quote import CertifiedKey, usable_key, verify_quote
from tabasco.verify.tpm.quote_json import TpmEvidence
from tabasco.verify.tpm.structures import AttestationKey

GIVEN: Final = "who gave the key"
_ALL: Final = frozenset(range(24))


def verify_parts(parts: TpmEvidence, key: CertifiedKey, *, nonce: bytes | None) -> Proven:
    """What the parts of a quote prove under a key.

    Raises:
        EvidenceError: they are not authentic.
    """
    quoted = verify_quote(parts.message, parts.signature, parts.registers, key=key, nonce=nonce)
    measurements = dict(quoted.measurements)
    values = parts.registers.get("sha256", {})
    if set(values) == _ALL:  # one value for all registers, where all are quoted
        together = b"".join(values[index] for index in sorted(values))
        measurements = {"pcrs": hashlib.sha256(together).digest(), **measurements}
    facts = {**quoted.facts, ATTESTATION_KEY: key_digest(key.key)}
    return replace(quoted, measurements=measurements, facts=facts)


def given_key(parts: TpmEvidence, keys: Iterable[AttestationKey]) -> CertifiedKey | None:
    """The one of some keys that the quote names; or, where it names none, that has signed it."""
    for each in keys:
        if parts.public_key == encoded(each) or (not parts.public_key and _fits(parts, each)):
            return CertifiedKey(usable_key(each), GIVEN, NO_END)
    return None


def loaded(public_key: bytes) -> AttestationKey:
    """The key in a DER SubjectPublicKeyInfo.

    Raises:
        EvidenceError: it is none that is used here.
    """
    try:
        return usable_key(load_der_public_key(public_key))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise malformed("the attestation key cannot be read") from error


def encoded(key: AttestationKey) -> bytes:
    """A key as DER SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_digest(key: AttestationKey) -> str:
    """How a policy names an attestation key: SHA-256 of its DER, in hexadecimal."""
    return hashlib.sha256(encoded(key)).hexdigest()


def _fits(parts: TpmEvidence, key: AttestationKey) -> bool:
    try:
        parts.signature.verify(key, parts.message)
    except EvidenceError:
        return False
    return True
