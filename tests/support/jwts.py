"""JSON Web Tokens made by hand: any header, any payload, signed by `cryptography`."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives.asymmetric import ec

from support.psa_tokens import DEVICE, raw_signature


def part(data: bytes) -> str:
    """`data` as a part of a token."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parts(token: str) -> list[bytes]:
    """The three parts of `token`."""
    return [base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in token.split(".")]


def jwt_by_hand(
    payload: object,
    key: ec.EllipticCurvePrivateKey = DEVICE,
    *,
    header: object | None = None,
    mac_key: bytes | None = None,
) -> str:
    """A token of `payload`; bytes stand as they are, anything else as JSON."""
    if header is None:
        header = {"alg": "ES256", "typ": "JWT"}
    encoded = [
        part(piece if isinstance(piece, bytes) else json.dumps(piece).encode())
        for piece in (header, payload)
    ]
    signed = ".".join(encoded)
    if mac_key is not None:
        signature = hmac.digest(mac_key, signed.encode(), hashlib.sha256)
    else:
        signature = raw_signature(key, signed.encode())
    return f"{signed}.{part(signature)}"
