"""Endorsement certificates: a manufacturer's word that a key lives in one of its TPMs.

TCG, "EK Credential Profile": the certificate is for decryption (an endorsement key signs nothing),
names its purpose, and in its alternative name the TPM's manufacturer, model and version. There is
no root for all manufacturers: the operator registers those that are trusted.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tabasco.verify import named
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.named import Named
from tabasco.verify.tpm.credential import EndorsementKey
from tabasco.verify.x509 import crl, der
from tabasco.verify.x509.certificates import (
    chain_to_root,
    check_chain,
    check_end_entity,
    check_leaf,
    digest,
    is_pem,
    load,
    load_pem,
    name,
    outline_of,
)
from tabasco.verify.x509.outline import CertificateOutline, usage
from veracruz_utils.frozen import frozen

_EXTENDED_USAGE, _ALTERNATIVE_NAME = "2.5.29.37", "2.5.29.17"
_UNDERSTOOD: Final = frozenset({_EXTENDED_USAGE, _ALTERNATIVE_NAME})
_ENDORSEMENT, _ATTESTATION = "2.23.133.8.1", "2.23.133.8.3"
_KEY_ENCIPHERMENT, _KEY_AGREEMENT = 2, 4
_DIRECTORY_NAME: Final = 0xA4
_TPM_ATTRIBUTES: Final = {
    "2.23.133.2.1": "tpm-manufacturer",
    "2.23.133.2.2": "tpm-model",
    "2.23.133.2.3": "tpm-version",
}
_MAX_TEXT_BYTES: Final = 64
_RSA_BITS: Final = 2048


@frozen
class Endorsement:
    """A TPM that a trusted manufacturer made.

    Attributes:
        key: its endorsement key: RSA of 2048 bits, or on P-256.
        key_digest: SHA-256 of that (DER SubjectPublicKeyInfo): which TPM it is.
        root: SHA-256 of the certificate that the chain ends in.
        valid_until: when the first certificate of the chain ends.
        facts: what the certificate says of the TPM.
        named: certificates and keys of the chain.
    """

    key: EndorsementKey
    key_digest: bytes
    root: bytes
    valid_until: datetime
    facts: Mapping[str, str]
    named: tuple[Named, ...]


@frozen
class EndorsedKey:
    """An attestation key (DER SubjectPublicKeyInfo) that is proven to live in an endorsed TPM."""

    public_key: bytes
    endorsement: Endorsement


def verify_endorsement(
    certificate: bytes,
    authorities: bytes,
    *,
    trusted: Sequence[bytes],
    at: datetime,
) -> Endorsement:
    """The TPM of an endorsement certificate that leads to a trusted one.

    Args:
        certificate: DER, or PEM with some of those above it.
        authorities: those above in order, PEM, with or without the trusted one; may be empty.
        trusted: certificates of manufacturers, DER.
        at: the time to verify for.

    Raises:
        EvidenceError: it does not lead there, or is not for an endorsement key.
    """
    chain = _chain(certificate, authorities, trusted)
    end = check_chain(
        chain,
        roots={digest(chain[-1])},
        at=at,
        purpose=lambda leaf: _check_endorsement(leaf, chain[1]),
    )
    key = _usable(chain[0])
    public_key = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Endorsement(
        key=key,
        key_digest=hashlib.sha256(public_key).digest(),
        root=digest(chain[-1]),
        valid_until=end,
        facts=_facts(outline_of(chain[0])),
        named=tuple(named.certificates(chain)),
    )


@frozen
class CertifiedPublicKey:
    """An attestation key (DER SubjectPublicKeyInfo), who issued its certificate, and its end."""

    public_key: bytes
    issuer: str
    valid_until: datetime
    named: tuple[Named, ...]


def verify_key_certificate(
    certificate: bytes,
    authorities: bytes,
    *,
    trusted: Sequence[bytes],
    revoked: bytes | None = None,
    at: datetime,
) -> CertifiedPublicKey:
    """The attestation key of a certificate that leads to a trusted one; arguments as above.

    Args:
        certificate: as above.
        authorities: as above.
        trusted: certificates of those who certify TPMs' keys, DER.
        revoked: a list of revoked certificates by one of the authorities, DER.
        at: the time to verify for.

    Raises:
        EvidenceError: it does not lead there, is revoked, or is not for signatures.
    """
    chain = _chain(certificate, authorities, trusted)

    def check(leaf: x509.Certificate) -> None:
        check_leaf(leaf, understood=_UNDERSTOOD)
        purposes = _purposes(outline_of(leaf))
        if purposes is not None and _ATTESTATION not in purposes:
            raise _other_purpose(leaf, "an attestation key")

    end = check_chain(chain, roots={digest(chain[-1])}, at=at, purpose=check)
    public_key = chain[0].public_key()
    encoded = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if revoked is not None:
        end = min(end, _check_revocation(revoked, chain, at))
    return CertifiedPublicKey(encoded, name(chain[1]), end, tuple(named.certificates(chain)))


def _check_revocation(data: bytes, chain: Sequence[x509.Certificate], at: datetime) -> datetime:
    revoked = crl.load(data)
    pairs = [pair for pair in itertools.pairwise(chain) if crl.is_by(revoked, pair[1])]
    if not pairs:
        raise EvidenceError(
            Fault.COLLATERAL_MISMATCH,
            VerificationStage.COLLATERAL,
            "the list of revoked certificates is by none of the authorities",
        )
    ((issued, issuer),) = pairs
    end = crl.check(revoked, issuer, at=at)
    crl.check_not_revoked(revoked, issued)
    return end


def _chain(
    certificate: bytes, authorities: bytes, trusted: Sequence[bytes]
) -> tuple[x509.Certificate, ...]:
    own = load_pem(certificate, explained=True) if is_pem(certificate) else (load(certificate),)
    above = load_pem(authorities, explained=True) if authorities else ()
    return chain_to_root(own[0], (*own[1:], *above), trusted=[load(each) for each in trusted])


def _check_endorsement(leaf: x509.Certificate, issuer: x509.Certificate) -> None:
    found = check_end_entity(leaf, understood=_UNDERSTOOD)
    purposes = _purposes(found)
    if purposes is None:
        # Google's machines have it in the issuer's certificate, which then issues no others.
        purposes = _purposes(outline_of(issuer)) or frozenset()
    if _ENDORSEMENT not in purposes:
        raise _other_purpose(leaf, "an endorsement key")
    is_rsa = isinstance(leaf.public_key(), rsa.RSAPublicKey)
    if not usage(found, _KEY_ENCIPHERMENT if is_rsa else _KEY_AGREEMENT):
        raise _other_purpose(leaf, "decryption, as an endorsement key is")


def _other_purpose(leaf: x509.Certificate, what: str) -> EvidenceError:
    return EvidenceError(
        Fault.CHAIN, VerificationStage.CHAIN, f"the certificate of {name(leaf)} is not for {what}"
    )


def _usable(leaf: x509.Certificate) -> EndorsementKey:
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size == _RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise EvidenceError(
        Fault.UNSUPPORTED_ALGORITHM,
        VerificationStage.CHAIN,
        "the endorsement key is neither RSA of 2048 bits nor on P-256",
    )


def _purposes(found: CertificateOutline) -> frozenset[str] | None:
    """What the extended key usage lists; None where it is absent."""
    if _EXTENDED_USAGE not in found.extensions:
        return None
    value = der.read(found.extensions[_EXTENDED_USAGE].value, der.SEQUENCE)
    return frozenset(map(der.object_identifier, der.children(value)))


def _facts(found: CertificateOutline) -> dict[str, str]:
    """Manufacturer, model and version out of the alternative name, where they are."""
    if _ALTERNATIVE_NAME not in found.extensions:
        return {}
    facts: dict[str, str] = {}
    names = der.read(found.extensions[_ALTERNATIVE_NAME].value, der.SEQUENCE)
    for each in der.children(names):
        if each.tag != _DIRECTORY_NAME:
            continue
        for relative in der.children(der.read(each.content, der.SEQUENCE)):
            pairs = der.attributes(der.children(der.expect(relative, der.SET)))
            for identifier, value in pairs.items():
                if fact := _TPM_ATTRIBUTES.get(identifier):
                    text = value.content[:_MAX_TEXT_BYTES].decode("ascii", "replace")
                    facts[fact] = text if text.isprintable() else repr(text)
    return facts
