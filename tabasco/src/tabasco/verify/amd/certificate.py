"""AMD's certificates of the keys that sign SEV-SNP reports: VCEK of a chip, VLEK of a provider.

They are read here and not by `cryptography`, because the serial number of every VCEK is 0, which
that library has announced to refuse. The form is fixed, so little has to be understood: whatever
differs from it is refused, and so is anything critical that is not known.

Standard: AMD 57230, "Versioned Chip Endorsement Key (VCEK) Certificate and KDS Interface
Specification"; RFC 5280 4.1.
"""

import hashlib
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tabasco.verify.amd.report import Product, SigningKey, SnpTcb
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.x509 import certificates, der
from tabasco.verify.x509.outline import (
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    CertificateOutline,
    authority,
    outline,
    usage,
)
from veracruz_utils.frozen import frozen
from veracruz_utils.public_keys import P384, KeyFormatError, ec_key

_AMD: Final = "1.3.6.1.4.1.3704.1"
# AMD 57230, extensions of the VCEK; .3.4 to .3.7 are reserved.
_SPL: Final = {
    "boot_loader": f"{_AMD}.3.1",
    "tee": f"{_AMD}.3.2",
    "snp": f"{_AMD}.3.3",
    "microcode": f"{_AMD}.3.8",
}
_FMC_SPL: Final = f"{_AMD}.3.9"
_HWID: Final = f"{_AMD}.4"
_CSP_ID: Final = f"{_AMD}.5"
_MAX_CSP_ID: Final = 128
NAMES: Final = {"SEV-VCEK": SigningKey.VCEK, "SEV-VLEK": SigningKey.VLEK}
"""Endorsement keys by the common names of their certificates."""


@frozen
class EndorsementKey:
    """A certificate taken apart; its signature is not verified yet.

    Attributes:
        kind: by the subject's name.
        issuer: the issuer's name as it is encoded.
        extensions: values by identifier.
        signed: the bytes that `signature` is over.
        digest: SHA-256 of its DER.
    """

    kind: SigningKey
    issuer: bytes
    start: datetime
    end: datetime
    key: ec.EllipticCurvePublicKey
    extensions: dict[str, bytes]
    signed: bytes
    signature: bytes
    digest: bytes


def parse_endorsement_key(encoded: bytes) -> EndorsementKey:
    """A VCEK's or VLEK's certificate from DER.

    Raises:
        EvidenceError: stage `chain`.
    """
    if len(encoded) > certificates.MAX_CERTIFICATE_BYTES:
        raise der.malformed(f"a certificate of {len(encoded)} bytes")
    found = outline(encoded)
    if found.algorithm not in certificates.RSA_PSS_SHA384:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            VerificationStage.CHAIN,
            "an endorsement key's certificate is not signed by RSASSA-PSS with SHA-384",
        )
    name = found.common_name
    if name not in NAMES or not _is_plain_leaf(found):
        raise EvidenceError(
            Fault.CHAIN,
            VerificationStage.CHAIN,
            f"{name[:64]!r} is not an endorsement key of SEV-SNP",
        )
    times = der.children(found.validity)
    if len(times) != 2:
        raise der.malformed("a validity does not have two times")
    return EndorsementKey(
        kind=NAMES[name],
        issuer=found.issuer.encoded,
        start=der.time(times[0]),
        end=der.time(times[1]),
        key=_public_key(found.key),
        extensions={name: each.value for name, each in found.extensions.items()},
        signed=found.signed,
        signature=found.signature,
        digest=hashlib.sha256(encoded).digest(),
    )


def check_issued(key: EndorsementKey, issuer: x509.Certificate) -> None:
    """Refuse a certificate that `issuer` did not sign."""
    signer = issuer.public_key()
    if not isinstance(signer, rsa.RSAPublicKey) or not _verified(key, signer):
        raise EvidenceError(
            Fault.CHAIN,
            VerificationStage.CHAIN,
            f"the {key.kind.name} is not issued by {certificates.name(issuer)}",
        )


def tcb_of(key: EndorsementKey, product: Product) -> SnpTcb:
    """The security versions that the key is for: with others, the chip has another key."""
    versions = {name: _spl(key, identifier) for name, identifier in _SPL.items()}
    if product is Product.TURIN:
        # Only Turin has this component; its versions are laid out otherwise in the report as well.
        versions["fmc"] = _spl(key, _FMC_SPL)
    return SnpTcb(**versions)


def hardware_id_of(key: EndorsementKey, product: Product) -> bytes:
    """The identifier of the chip that a VCEK is of: 8 bytes for Turin, else 64."""
    size = 8 if product is Product.TURIN else 64
    value = _get(key, _HWID)
    if value[:2] == bytes([der.OCTET_STRING, size]) and len(value) == size + 2:
        value = value[2:]  # newer certificates wrap it
    if len(value) != size:
        raise der.malformed(f"a chip's identifier has {len(value)} bytes, not {size}")
    return value


def provider_of(key: EndorsementKey) -> str:
    """The provider that a VLEK was lent to (CSP_ID), as AMD wrote it into the certificate.

    Raises:
        EvidenceError: it is not there, or not a text.
    """
    value = der.read(_get(key, _CSP_ID), der.IA5_STRING).content
    if not 0 < len(value) <= _MAX_CSP_ID or not value.isascii():
        raise der.malformed(f"the provider in the {key.kind.name}'s certificate is not a text")
    return value.decode("ascii")


def _is_plain_leaf(found: CertificateOutline) -> bool:
    critical = {name for name, each in found.extensions.items() if each.critical}
    signs = usage(found, 0) is not False
    return critical <= {BASIC_CONSTRAINTS, KEY_USAGE} and signs and not authority(found)[0]


def _verified(key: EndorsementKey, signer: rsa.RSAPublicKey) -> bool:
    # The very parameters that `RSA_PSS_SHA384` lists, so that none of them is taken as it comes.
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
    try:
        signer.verify(key.signature, key.signed, scheme, hashes.SHA384())
    except (InvalidSignature, ValueError):
        return False
    return True


def _spl(key: EndorsementKey, identifier: str) -> int:
    value = der.integer(der.read(_get(key, identifier), der.INTEGER))
    if value > 255:
        raise der.malformed("a security version has more than a byte")
    return value


def _get(key: EndorsementKey, identifier: str) -> bytes:
    if identifier not in key.extensions:
        raise EvidenceError(
            Fault.CERTIFICATE_MISMATCH,
            VerificationStage.CHAIN,
            f"the {key.kind.name}'s certificate has no extension {identifier}",
        )
    return key.extensions[identifier]


def _public_key(encoded: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_der_public_key(encoded)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise der.malformed("an endorsement key cannot be read") from error
    try:
        return ec_key(key, P384)
    except KeyFormatError as error:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM, VerificationStage.CHAIN, f"an endorsement key {error}"
        ) from error
