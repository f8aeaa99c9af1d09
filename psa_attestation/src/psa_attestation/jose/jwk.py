"""Public keys as JSON Web Keys (RFC 7517, RFC 7518 section 6.2), and sets of them.

A set is what a verifier publishes; where it comes from and why it is trusted is the caller's.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cose.algorithms import algorithm_of
from psa_attestation.cose.verification import verification_algorithm
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.jose.base64url import from_base64url, to_base64url
from psa_attestation.jose.strict_json import decode_json, encode_json
from veracruz_utils.strict_json import JsonValue

_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_NAMES: Final = {curve.name: name for name, curve in _CURVES.items()}
MAX_KEY_SET_BYTES: Final = 256 * 1024
"""Of a set of keys; each may come with its certificates (`x5c`), which nobody looks at here."""
_MAX_KEYS: Final = 64
_MAX_KID: Final = 256


def public_key_of(jwk: JsonValue) -> ec.EllipticCurvePublicKey:
    """The elliptic-curve key that `jwk` describes; its point is on its curve.

    Raises:
        AttestationError: stage `key`.
    """
    if not isinstance(jwk, dict) or jwk.get("kty") != "EC":
        raise _error("the key is not of type EC")
    name = jwk.get("crv")
    if not isinstance(name, str) or name not in _CURVES:
        raise _error("the key is not on P-256, P-384 or P-521")
    curve = _CURVES[name]
    x, y = (_coordinate(jwk, part, (curve.key_size + 7) // 8) for part in ("x", "y"))
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
    except ValueError as error:
        raise _error(f"the key's point is not on {name}") from error
    # RFC 7517 section 4.4: what the key is meant for, which must be what we use it for.
    if "alg" in jwk and jwk["alg"] != verification_algorithm(key).name:
        raise _error(f"the key names another algorithm than {verification_algorithm(key).name}")
    return key


def jwk_of(key: ec.EllipticCurvePublicKey, *, kid: str) -> dict[str, str]:
    """`key` as a JSON Web Key for signatures, named `kid`."""
    algorithm, numbers = algorithm_of(key), key.public_numbers()
    return {
        "kty": "EC",
        "crv": _NAMES[key.curve.name],
        "x": to_base64url(numbers.x.to_bytes(algorithm.coordinate_bytes, "big")),
        "y": to_base64url(numbers.y.to_bytes(algorithm.coordinate_bytes, "big")),
        "kid": kid,
        "alg": algorithm.name,
        "use": "sig",
    }


def encode_key_set(keys: Mapping[str, ec.EllipticCurvePublicKey]) -> bytes:
    """`keys`, by their kid, as a JSON Web Key Set."""
    return encode_json({"keys": [jwk_of(key, kid=kid) for kid, key in keys.items()]})


def decode_key_set(data: bytes) -> dict[str, ec.EllipticCurvePublicKey]:
    """The keys of a JSON Web Key Set, by their kid (RFC 7517 section 5).

    Raises:
        AttestationError: a key has no kid, shares it, is for encryption, or is not one we use.
    """
    document = decode_json(data, max_bytes=MAX_KEY_SET_BYTES)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > _MAX_KEYS:
        raise _error(f"a key set is a list of at most {_MAX_KEYS} keys")
    keys: dict[str, ec.EllipticCurvePublicKey] = {}
    for entry in entries:
        kid = entry.get("kid") if isinstance(entry, dict) else None
        # Two keys of one name: which of them counts would depend on the reader.
        if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID or kid in keys:
            raise _error("a key has no kid of its own")
        if isinstance(entry, dict) and entry.get("use", "sig") != "sig":
            raise _error(f"key {kid[:40]!r} is not for signatures")
        keys[kid] = public_key_of(entry)
    return keys


def _coordinate(jwk: Mapping[str, JsonValue], name: str, size: int) -> int:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise _error(f"the key's {name} is missing")
    data = from_base64url(value, f"the key's {name}")
    if len(data) != size:
        raise _error(f"the key's {name} has {len(data)} bytes, {size} are expected")
    return int.from_bytes(data, "big")


def _error(detail: str) -> AttestationError:
    return AttestationError(ErrorCode.KEY_UNSUPPORTED, Stage.KEY, detail)
