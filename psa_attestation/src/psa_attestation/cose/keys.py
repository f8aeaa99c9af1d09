"""Public keys as COSE_Key (RFC 9052 section 7, RFC 9053 section 7.1.1) and as bare points."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.values import Value
from psa_attestation.errors import AttestationError, ErrorCode, Stage

_KTY, _CRV, _X, _Y = 1, -1, -2, -3
_EC2: Final = 2
_CURVES: Final = {1: ec.SECP256R1(), 2: ec.SECP384R1(), 3: ec.SECP521R1()}
_LIMITS: Final = DecodeLimits(max_bytes=1024, max_items=32, max_depth=4)


def decode_cose_key(data: bytes) -> ec.EllipticCurvePublicKey:
    """The elliptic-curve key that the COSE_Key in `data` describes; its point is on its curve.

    Raises:
        AttestationError: stage `encoding` or `key`.
    """
    return public_key_of_cose_key(decode(data, _LIMITS))


def public_key_of_cose_key(value: Value) -> ec.EllipticCurvePublicKey:
    """The elliptic-curve key that a decoded COSE_Key describes.

    Raises:
        AttestationError: stage `key`.
    """
    if not isinstance(value, dict) or type(value.get(_KTY)) is not int or value[_KTY] != _EC2:
        raise _error("the key is not of type EC2")
    curve = value.get(_CRV)
    # True equals 1, and would name P-256.
    if not isinstance(curve, int) or curve is True or curve not in _CURVES:
        raise _error("the key is not on P-256, P-384 or P-521")
    x, y = value.get(_X), value.get(_Y)
    size = (_CURVES[curve].key_size + 7) // 8
    # Leading zeros stay (RFC 9053 section 7.1.1), so that a key has one form.
    if not (isinstance(x, bytes) and isinstance(y, bytes) and len(x) == len(y) == size):
        raise _error(f"the key's coordinates are not of {size} bytes each")
    return key_of_point(b"\x04" + x + y)


def key_of_point(point: bytes) -> ec.EllipticCurvePublicKey:
    """The key of an uncompressed point (0x04, x, y); its length tells the curve.

    Raises:
        AttestationError: stage `key`.
    """
    for curve in _CURVES.values():
        if len(point) == 1 + 2 * ((curve.key_size + 7) // 8) and point[0] == 4:
            try:
                return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
            except ValueError as error:
                raise _error(f"the key's point is not on {curve.name}") from error
    raise _error(f"{len(point)} bytes are not an uncompressed point of a curve used here")


def _error(detail: str) -> AttestationError:
    return AttestationError(ErrorCode.KEY_UNSUPPORTED, Stage.KEY, detail)
