"""Instance IDs: the UEID that says which attestation key signed (RFC 9783 section 4.2.1)."""

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from psa_attestation.errors import AttestationError, ErrorCode, Stage

INSTANCE_ID_BYTES: Final = 33
# The type RAND of a UEID (RFC 9711 section 4.2.1).
_RAND: Final = b"\x01"


def instance_id_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """The Instance ID we give to `key`: 0x01, then SHA-256 of its uncompressed point.

    For minting and registering only. Others derive theirs differently, so a verifier looks keys up
    by the registered ID and never recomputes one.
    """
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _RAND + hashlib.sha256(point).digest()


def check_instance_id(value: bytes) -> bytes:
    """`value`, if it is 33 bytes of the type RAND.

    Raises:
        AttestationError: `instance-id-length` or `instance-id-type`.
    """
    if len(value) != INSTANCE_ID_BYTES:
        raise AttestationError(
            ErrorCode.INSTANCE_ID_LENGTH,
            Stage.CLAIMS,
            f"an instance id has {INSTANCE_ID_BYTES} bytes, this one {len(value)}",
        )
    if value[:1] != _RAND:
        raise AttestationError(
            ErrorCode.INSTANCE_ID_TYPE,
            Stage.CLAIMS,
            f"an instance id starts with 01, this one with {value[:1].hex()}",
        )
    return value
