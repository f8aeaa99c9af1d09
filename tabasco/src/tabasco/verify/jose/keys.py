"""The keys that attestation services publish: JSON Web Keys and sets of them (RFC 7517).

Beside elliptic-curve keys there are RSA ones here, and keys that stand in a certificate alone
(`x5c`), as Azure's do. A set is trusted as a whole, because of where the caller has it from; the
certificates in it are no chain to anything. A key of a kind or size that is not used, such as a
short RSA key, is left out: what it signs is then by no known key.
"""

import base64
import functools
import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.jose.base64url import from_base64url
from psa_attestation.jose.jwk import public_key_of
from tabasco.verify.x509.certificates import MAX_CERTIFICATE_BYTES
from veracruz_utils.public_keys import NIST_CURVES, RSA_BITS
from veracruz_utils.strict_json import JsonError, JsonValue, read_json

MAX_KEY_SET_BYTES: Final = 512 * 1024
_MAX_KEYS: Final = 256
_MAX_KID: Final = 256
_MAX_MODULUS: Final = 2048  # characters of base64url: 8192 bits have 1366
_EXPONENT: Final = 65537
_SIGNING: Final = re.compile("[ERP]S[0-9]{3}")
_OTHER_CURVES: Final = ("secp256k1", "P-192", "P-224")

TokenKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def read_key_document(data: bytes) -> dict[str, TokenKey]:
    """The keys of a JSON Web Key Set by their kid, or the one of a JSON Web Key by its kid and `*`.

    Raises:
        AttestationError: it is neither; a key has no kid, or shares it; a single key is of a kind
            that is not used.
    """
    try:
        document = read_json(data, max_bytes=MAX_KEY_SET_BYTES)
    except JsonError as error:
        raise _error(f"the JSON {error}") from error
    if isinstance(document, dict) and "keys" in document:
        return _set(document["keys"])
    key = token_key_of(document)
    if key is None:
        raise _error("the key is of a kind or size that is not used here")
    kid = document.get("kid") if isinstance(document, dict) else None
    return {"*": key} | ({kid: key} if isinstance(kid, str) and kid else {})


def token_key_of(jwk: JsonValue) -> TokenKey | None:
    """The key that a JSON Web Key describes; None if it is of a kind or size that is not used.

    Raises:
        AttestationError: it is malformed, or its certificate is of another key.
    """
    if not isinstance(jwk, dict):
        raise _error("a key is not an object")
    certified = _certified(jwk["x5c"]) if "x5c" in jwk else None
    kind = jwk.get("kty")
    found: object = certified
    if kind == "RSA" and ("n" in jwk or certified is None):
        found = _rsa(jwk)
    elif kind == "EC" and ("x" in jwk or certified is None):
        found = public_key_of(jwk)
    elif kind not in {"RSA", "EC"}:
        return None
    # RFC 7517, 4.7: the certificate has to be of the key beside it.
    if certified is not None and found is not certified and not _same(found, certified):
        raise _error("the certificate of a key is of another key")
    if isinstance(found, rsa.RSAPublicKey) and found.key_size in RSA_BITS:
        return found
    if isinstance(found, ec.EllipticCurvePublicKey) and found.curve.name in NIST_CURVES:
        return found
    return None


def _set(entries: JsonValue) -> dict[str, TokenKey]:
    if not isinstance(entries, list) or len(entries) > _MAX_KEYS:
        raise _error(f"a key set is a list of at most {_MAX_KEYS} keys")
    keys: dict[str, TokenKey | None] = {}
    for entry in entries:
        kid = entry.get("kid") if isinstance(entry, dict) else None
        # Two keys of one name: which of them counts would depend on the reader.
        if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID or kid in keys:
            raise _error("a key has no kid of its own")
        used = isinstance(entry, dict) and _is_used(entry)
        keys[kid] = token_key_of(entry) if used else None
    return {kid: key for kid, key in keys.items() if key is not None}


def _is_used(entry: Mapping[str, JsonValue]) -> bool:
    """Whether a key in a set is for signatures, and on a curve that is read."""
    algorithm = entry.get("alg", "ES256")
    return (
        entry.get("use", "sig") == "sig"
        and (not isinstance(algorithm, str) or _SIGNING.fullmatch(algorithm) is not None)
        and not (entry.get("kty") == "EC" and entry.get("crv") in _OTHER_CURVES)
    )


def _rsa(jwk: Mapping[str, JsonValue]) -> rsa.RSAPublicKey:
    modulus, exponent = jwk.get("n"), jwk.get("e")
    if not isinstance(modulus, str) or not 0 < len(modulus) <= _MAX_MODULUS:
        raise _error("the modulus of an RSA key is missing or too long")
    if not isinstance(exponent, str) or len(exponent) > _MAX_KID:
        raise _error("the exponent of an RSA key is missing or too long")
    number = int.from_bytes(from_base64url(modulus, "the modulus"), "big")
    if int.from_bytes(from_base64url(exponent, "the exponent"), "big") != _EXPONENT:
        raise _error(f"the exponent of an RSA key is not {_EXPONENT}")
    try:
        return rsa.RSAPublicNumbers(_EXPONENT, number).public_key()
    except ValueError as error:
        raise _error("the modulus of an RSA key cannot be used") from error


def _certified(value: JsonValue) -> object:
    """The key of the first certificate, which is the key's own (RFC 7517, 4.7)."""
    first = value[0] if isinstance(value, list) and value else None
    if not isinstance(first, str) or len(first) > 2 * MAX_CERTIFICATE_BYTES:
        raise _error("x5c is not a list of certificates")
    return _key_in(first)


@functools.lru_cache(maxsize=64)
def _key_in(text: str) -> object:
    try:
        der = base64.b64decode(text, validate=True)
        return x509.load_der_x509_certificate(der).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _error("a certificate in x5c cannot be read") from error


def _same(one: object, other: object) -> bool:
    if isinstance(one, rsa.RSAPublicKey) and isinstance(other, rsa.RSAPublicKey):
        return one.public_numbers() == other.public_numbers()
    return (
        isinstance(one, ec.EllipticCurvePublicKey)
        and isinstance(other, ec.EllipticCurvePublicKey)
        and one.public_numbers() == other.public_numbers()
    )


def _error(detail: str) -> AttestationError:
    return AttestationError(ErrorCode.KEY_UNSUPPORTED, Stage.KEY, detail)
