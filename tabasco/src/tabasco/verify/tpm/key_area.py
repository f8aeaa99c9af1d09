"""The public area of an attestation key (TPMT_PUBLIC), and what it has to say to be one.

A TPM signs a quote by any key that it is told to. What makes the signature worth something is what
the key cannot do: it was made inside and never leaves (so nobody else has it), and it is restricted
(so it signs what the TPM made, and not a structure that somebody put together outside). The area's
digest is the key's name, and a credential is made for a name: so an area that the TPM does not hold
is of no use to whoever sends it. (TCG, "TPM 2.0 Library", Part 2: 8.3 TPMA_OBJECT, 12.2.4.)
"""

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.tpm.quote import usable_key
from tabasco.verify.tpm.structures import AttestationKey, TpmReader
from veracruz_utils.frozen import frozen

MAX_AREA_BYTES: Final = 1024
_RSA, _ECC, _NULL = 0x0001, 0x0023, 0x0010
_SIGNING_SCHEMES: Final = {_RSA: (0x0014, 0x0016), _ECC: (0x0018,)}
_HASHES: Final = {0x000B: "sha256", 0x000C: "sha384", 0x000D: "sha512"}
_CURVES: Final = {3: ec.SECP256R1(), 4: ec.SECP384R1(), 5: ec.SECP521R1()}
_MAX_PART_BYTES: Final = 512

_WANTED: Final = {
    1: "fixedTPM",
    4: "fixedParent",
    5: "sensitiveDataOrigin",
    16: "restricted",
    18: "sign",
}
"""Bits of TPMA_OBJECT that an attestation key has set."""
_UNWANTED: Final = {17: "decrypt", 19: "x509sign"}
# stClear, userWithAuth, adminWithPolicy, noDA, encryptedDuplication: who may use it, and when.
_OTHERS: Final = frozenset({2, 6, 7, 10, 11})


@frozen
class KeyArea:
    """An attestation key as its TPM describes it.

    Attributes:
        name: what a credential is made for: the digest of the area behind the number of its hash.
        public_key: SubjectPublicKeyInfo in DER.
    """

    name: bytes
    public_key: bytes


def attestation_key(data: bytes) -> KeyArea:
    """The attestation key in a TPMT_PUBLIC.

    Raises:
        EvidenceError: it is malformed, or of a key whose signatures prove nothing.
    """
    reader = TpmReader(data, "the key's public area", MAX_AREA_BYTES)
    kind, name_hash = reader.number(2), reader.number(2)
    if kind not in _SIGNING_SCHEMES or name_hash not in _HASHES:
        raise _unsuitable(f"it is of type {kind:#06x}, named by hash {name_hash:#06x}")
    _check_attributes(reader.number(4))
    reader.sized(64)  # who may use it: a policy, or nobody
    if (symmetric := reader.number(2)) != _NULL:
        raise _unsuitable(f"it has symmetric algorithm {symmetric:#06x}, as storage keys have")
    scheme = reader.number(2)
    # A restricted key signs by its own scheme alone; without one, by whatever it is asked for.
    if scheme not in _SIGNING_SCHEMES[kind]:
        raise _unsuitable(f"it signs by scheme {scheme:#06x}")
    if (scheme_hash := reader.number(2)) not in _HASHES:
        raise _unsuitable(f"it signs by hash {scheme_hash:#06x}")
    key = _rsa_key(reader) if kind == _RSA else _ec_key(reader)
    reader.end()
    digest = hashlib.new(_HASHES[name_hash], data).digest()
    return KeyArea(
        name=name_hash.to_bytes(2) + digest,
        public_key=key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def _check_attributes(attributes: int) -> None:
    for bit, name in _WANTED.items():
        if not attributes >> bit & 1:
            raise _unsuitable(f"it is not {name}")
    for bit, name in _UNWANTED.items():
        if attributes >> bit & 1:
            raise _unsuitable(f"it is {name}")
    unknown = attributes & ~sum(1 << bit for bit in (*_WANTED, *_UNWANTED, *_OTHERS))
    if unknown:
        raise _unsuitable(f"it has attributes {unknown:#x}, which are not known here")


def _rsa_key(reader: TpmReader) -> AttestationKey:
    bits, exponent = reader.number(2), reader.number(4)
    modulus = int.from_bytes(reader.sized(1024))
    if modulus.bit_length() != bits or exponent not in (0, 65537):
        raise malformed("the key's modulus has another size than it says, or an odd exponent")
    try:
        return usable_key(rsa.RSAPublicNumbers(65537, modulus).public_key())
    except ValueError as error:
        raise malformed("the key's public area has no RSA key") from error


def _ec_key(reader: TpmReader) -> AttestationKey:
    curve = _CURVES.get(reader.number(2))
    if curve is None or reader.number(2) != _NULL:
        raise _unsuitable("it is on another curve than P-256, P-384 and P-521, or derives keys")
    x, y = (int.from_bytes(reader.sized(_MAX_PART_BYTES)) for _ in range(2))
    try:
        return usable_key(ec.EllipticCurvePublicNumbers(x, y, curve).public_key())
    except ValueError as error:
        raise malformed("the key's public area has a point that is not on its curve") from error


def _unsuitable(detail: str) -> EvidenceError:
    return EvidenceError(
        Fault.ATTRIBUTES,
        VerificationStage.BINDING,
        f"the key is no attestation key: {detail}",
    )
