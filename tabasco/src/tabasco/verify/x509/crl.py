"""Certificate revocation lists: signed by the right authority, current, and complete.

A list that cannot be relied on is an error, never an empty list (RFC 5280 6.3).
"""

import functools
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.x509 import der
from tabasco.verify.x509.certificates import check_validity, may_sign_lists, name, outline_of
from tabasco.verify.x509.outline import extensions

MAX_CRL_BYTES: Final = 4 * 1024 * 1024

_ALGORITHMS: Final = frozenset(
    {
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.RSASSA_PSS,
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
    }
)
# Without 2.5.29.27 (deltas) and .28 (lists for some only), which are always critical.
_KNOWN: Final = frozenset({"2.5.29.20", "2.5.29.35"})  # its number, its authority's key
_EXTENSIONS: Final = 0xA0


def load(encoded: bytes) -> x509.CertificateRevocationList:
    """A revocation list from DER.

    Raises:
        EvidenceError: it is malformed, too large, or one kind of list that we do not read (a
            delta, or one for some reasons or some distribution points only).
    """
    if len(encoded) > MAX_CRL_BYTES:
        raise _malformed(f"a CRL has {len(encoded)} bytes, at most {MAX_CRL_BYTES} are read")
    try:
        body, _, _ = der.signed(encoded)
        members = der.children(body)
        if [each.tag for each in members[:3]] != [der.INTEGER, der.SEQUENCE, der.SEQUENCE]:
            raise der.malformed("a CRL is not of version 2")
        der.common_name(members[2])
        found = extensions(members[-1]) if members[-1].tag == _EXTENSIONS else {}
    except EvidenceError as error:
        raise EvidenceError(error.fault, VerificationStage.COLLATERAL, error.detail) from error
    for identifier, extension in found.items():
        # The two that change what a list means are critical; anything else critical we refuse too.
        if extension.critical and identifier not in _KNOWN:
            raise _malformed(f"a CRL has critical extension {identifier}")
    try:
        crl = x509.load_der_x509_crl(encoded)
        # The library reads times when it is asked: a malformed one is to fail here.
        _ = (crl.last_update_utc, crl.next_update_utc)
    except (ValueError, x509.InvalidVersion) as error:
        raise _malformed("a CRL cannot be read") from error
    return crl


def check(
    crl: x509.CertificateRevocationList, issuer: x509.Certificate, *, at: datetime
) -> datetime:
    """When a list that `issuer` signed, and that is current at `at`, has to be replaced.

    Raises:
        EvidenceError: stage `collateral`.
    """
    # The list of another authority under the same root is authentic, and says nothing of this one.
    if not is_by(crl, issuer):
        raise EvidenceError(
            Fault.COLLATERAL_MISMATCH,
            VerificationStage.COLLATERAL,
            f"a CRL is by {der.common_name(_issuer(crl))[:64]!r}, needed is one by {name(issuer)}",
        )
    _check_signed(crl.public_bytes(Encoding.DER), issuer)
    # A list without an end could be withheld for ever, with all that was revoked since.
    if crl.next_update_utc is None:
        raise _malformed("a CRL does not say when it ends")
    check_validity(
        crl.last_update_utc,
        crl.next_update_utc,
        at=at,
        what=f"the CRL of {name(issuer)}",
        stage=VerificationStage.COLLATERAL,
    )
    return crl.next_update_utc


def is_by(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether a list names `issuer` as its own; who signed it is for `check`."""
    # As encoded: stricter than the comparison of RFC 5280 7.1, and nothing is left to interpret.
    return _issuer(crl).encoded == outline_of(issuer).subject.encoded


def check_not_revoked(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> None:
    """Refuse a certificate that is on a list already checked.

    Raises:
        EvidenceError: `REVOKED`.
    """
    # The serial number is enough: lists with entries of other issuers are refused in `load`.
    if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
        raise EvidenceError(
            Fault.REVOKED,
            VerificationStage.CHAIN,
            f"{name(certificate)}, serial number {certificate.serial_number:#x}, is revoked",
        )


def _issuer(crl: x509.CertificateRevocationList) -> der.Element:
    return der.children(der.read(crl.tbs_certlist_bytes, der.SEQUENCE))[2]


@functools.lru_cache(maxsize=16)  # lists come again with every piece of evidence
def _check_signed(encoded: bytes, issuer: x509.Certificate) -> None:
    # From its bytes, as the same list comes as a new object with every piece of evidence.
    if not may_sign_lists(issuer) or not _signed(x509.load_der_x509_crl(encoded), issuer):
        raise EvidenceError(
            Fault.COLLATERAL_SIGNATURE,
            VerificationStage.COLLATERAL,
            f"a CRL is not signed by {name(issuer)}",
        )


def _signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    if crl.signature_algorithm_oid not in _ALGORITHMS:
        return False
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return False
    return crl.is_signature_valid(key)


def _malformed(detail: str) -> EvidenceError:
    return EvidenceError(Fault.MALFORMED, VerificationStage.COLLATERAL, detail)
