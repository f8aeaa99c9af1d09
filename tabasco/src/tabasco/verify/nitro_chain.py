"""The certificates of a Nitro document: from the pinned root to the key that signed it."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from tabasco.verify.base import EvidenceError, Fault, Stage

AWS_NITRO_ROOT_SHA256: Final = bytes.fromhex(
    "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
)
"""Digest of the root certificate `aws.nitro-enclaves` G1, as AWS publishes it."""


@dataclass(frozen=True, slots=True)
class VerifiedPath:
    """What a verified chain gives.

    Attributes:
        key: of the document's certificate, on P-384.
        valid_until: when the first certificate of the chain ends.
    """

    key: ec.EllipticCurvePublicKey
    valid_until: datetime


def verify_bundle(
    bundle: Sequence[bytes],
    certificate: bytes,
    *,
    root_sha256: bytes,
    times: Collection[datetime],
) -> VerifiedPath:
    """The path from the root through `bundle` to `certificate`, valid at all `times`.

    Args:
        bundle: DER, the root first, each the issuer of the next.
        certificate: DER, issued by the bundle's last.
        root_sha256: digest of the root that is trusted.
        times: at which every certificate has to be valid.

    Raises:
        EvidenceError: stage `chain`.
    """
    # The root's bytes are compared, so no other certificate for its key or name will do.
    if not bundle or hashlib.sha256(bundle[0]).digest() != root_sha256:
        raise _error(Fault.UNKNOWN_ROOT, "the bundle does not start with the trusted root")
    path = [_load(der) for der in (*bundle, certificate)]
    for below, issuer in enumerate(path[:-1]):
        _check_issuer(issuer, authorities_below=len(path) - 2 - below)
        _check_issued(path[below + 1], issuer)
    for member in path:
        _check_times(member, times)
    return VerifiedPath(_signing_key(path[-1]), min(c.not_valid_after_utc for c in path))


def _load(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        # Both are parsed on first use; here, so that a bad one is refused here.
        _ = certificate.extensions, certificate.subject
    except (ValueError, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise _error(Fault.MALFORMED, "a certificate cannot be read") from error
    return certificate


def _check_issuer(issuer: x509.Certificate, *, authorities_below: int) -> None:
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise _error(Fault.CHAIN, f"{_name(issuer)} is not said to be an authority") from error
    if not (constraints.ca and usage.key_cert_sign):
        raise _error(Fault.CHAIN, f"{_name(issuer)} is no authority")
    if constraints.path_length is not None and authorities_below > constraints.path_length:
        raise _error(Fault.CHAIN, f"the path below {_name(issuer)} is too long")


def _check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise _error(
            Fault.CHAIN, f"{_name(certificate)} is not issued by {_name(issuer)}"
        ) from error


def _check_times(certificate: x509.Certificate, times: Collection[datetime]) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if max(times) > end:
        raise _error(Fault.EXPIRED, f"{_name(certificate)} ended at {end}, it is {max(times)}")
    if min(times) < start:
        raise _error(
            Fault.NOT_YET_VALID, f"{_name(certificate)} starts at {start}, it is {min(times)}"
        )


def _signing_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    extensions = certificate.extensions
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise _error(Fault.CHAIN, "the signer's certificate is an authority's")
    except x509.ExtensionNotFound:
        pass  # absent means that it is not one
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _error(Fault.MALFORMED, "the signer's key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        raise _error(Fault.UNSUPPORTED_ALGORITHM, "the signer's key is not on P-384")
    return key


def _name(certificate: x509.Certificate) -> str:
    return repr(certificate.subject.rfc4514_string()[:120])


def _error(fault: Fault, detail: str) -> EvidenceError:
    return EvidenceError(fault, Stage.CHAIN, detail)
