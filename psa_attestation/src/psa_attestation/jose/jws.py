"""JSON Web Signatures in compact form (RFC 7515), as attestation uses them.

The key decides, as in `cose`: an `alg` that is not the key's is refused, `none` and MACs with it.
What a header offers as a key is refused, or has to be the key that the caller chose (RFC 8725
sections 3.1 and 3.5); a `kid` only picks among the caller's keys.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cose.algorithms import SIGNATURE_ALGORITHMS, algorithm_of
from psa_attestation.cose.verification import verification_algorithm, verify_signature
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.jose.base64url import from_base64url, to_base64url
from psa_attestation.jose.jwk import public_key_of
from psa_attestation.jose.strict_json import decode_json, encode_json
from veracruz_utils.strict_json import JsonValue

MAX_JWS_CHARS: Final = 96 * 1024
# `crit` and `b64` change how the rest is to be read, `jku` and `x5u` where a key is to be fetched.
_REFUSED: Final = frozenset({"crit", "b64", "jku", "x5u", "zip", "enc"})
_ANY: Final = "*"
_NAMES: Final = frozenset(algorithm.name for algorithm in SIGNATURE_ALGORITHMS)


def sign_jws(payload: bytes, key: ec.EllipticCurvePrivateKey, *, typ: str, kid: str | None) -> str:
    """`payload` in a compact JWS, signed with the algorithm of `key`'s curve."""
    algorithm = algorithm_of(key)
    header = {"alg": algorithm.name, "typ": typ} | ({} if kid is None else {"kid": kid})
    signed = f"{to_base64url(encode_json(header))}.{to_base64url(payload)}"
    return f"{signed}.{to_base64url(algorithm.sign(key, signed.encode()))}"


def verify_jws(
    text: str, keys: Mapping[str, ec.EllipticCurvePublicKey], *, types: frozenset[str]
) -> bytes:
    """The payload of a compact JWS signed by one of `keys`.

    Args:
        text: three parts of base64url with dots between them, at most 96 KiB.
        keys: by kid; with a single one, the message need not name it. The one called `*` may have
            signed what names none of the others.
        types: what the header's `typ` may be, in lower case and without `application/`.

    Raises:
        AttestationError: it is anything else.
    """
    if len(text) > MAX_JWS_CHARS:
        raise _error(
            ErrorCode.SIZE_LIMIT, f"{len(text)} characters, at most {MAX_JWS_CHARS} are read"
        )
    parts = text.split(".")
    if len(parts) != 3:
        raise _error(ErrorCode.MALFORMED, f"{len(parts)} parts, a signed message has three")
    header = _header(parts[0])
    _check_header(header, types)
    alg = _algorithm(header.get("alg"))
    key = _key(header, keys)
    expected = verification_algorithm(key).name
    if alg != expected:
        raise _error(ErrorCode.ALG_KEY_MISMATCH, f"alg is {alg}, the key is for {expected}")
    payload = from_base64url(parts[1], "the payload")
    signature = from_base64url(parts[2], "the signature")
    # RFC 7515 section 5.2: over the text as it came, not as we would write it.
    verify_signature(key, signature, f"{parts[0]}.{parts[1]}".encode())
    return payload


def kid_of(text: str) -> str | None:
    """The name of a key that a compact JWS gives; nothing in it is verified.

    Raises:
        AttestationError: its header is not one.
    """
    header = _header(text.partition(".")[0])
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise _error(ErrorCode.MALFORMED, "kid is not text")
    return kid


def _header(text: str) -> dict[str, JsonValue]:
    header = decode_json(from_base64url(text, "the header"))
    if not isinstance(header, dict):
        raise _error(ErrorCode.MALFORMED, "the header is not an object")
    return header


def _check_header(header: Mapping[str, JsonValue], types: frozenset[str]) -> None:
    refused = sorted(_REFUSED & header.keys())
    if refused:
        raise _error(ErrorCode.CRIT, f"header parameter {refused[0]} is not used here")
    # RFC 8725 section 3.11: no kind of token may pass for another; RFC 7515 makes it optional.
    if "typ" not in header:
        return
    typ = header["typ"]
    if not isinstance(typ, str):
        raise _error(ErrorCode.MALFORMED, "typ is not text")
    plain = typ.lower().split(";")[0].strip().removeprefix("application/")
    if plain not in types:
        raise _error(ErrorCode.TYPE_CONFUSION, f"the message is of type {typ[:40]!r}")


def _key(
    header: Mapping[str, JsonValue], keys: Mapping[str, ec.EllipticCurvePublicKey]
) -> ec.EllipticCurvePublicKey:
    if "kid" in header:
        kid = header["kid"]
        if not isinstance(kid, str) or not (kid in keys or _ANY in keys):
            raise AttestationError(
                ErrorCode.KEY_UNKNOWN,
                Stage.KEY,
                f"the message names key {str(kid)[:40]!r}, not known",
            )
        key = keys[kid] if kid in keys else keys[_ANY]
    elif _ANY in keys or len(keys) == 1:
        key = keys[_ANY] if _ANY in keys else next(iter(keys.values()))
    else:
        raise AttestationError(
            ErrorCode.KEY_UNKNOWN, Stage.KEY, f"no key named, {len(keys)} are known"
        )
    if "jwk" in header and public_key_of(header["jwk"]) != key:
        raise AttestationError(
            ErrorCode.KEY_UNKNOWN, Stage.KEY, "the message brings a key of its own"
        )
    return key


def _algorithm(alg: JsonValue) -> str:
    if isinstance(alg, str) and alg in _NAMES:
        return alg
    # The attack of RFC 8725 section 2.1: a MAC whose secret is the public key, which all have.
    if alg in ("HS256", "HS384", "HS512"):
        raise _error(ErrorCode.TYPE_CONFUSION, f"alg is {alg}, a MAC, and the keys are public")
    raise _error(ErrorCode.ALG_UNKNOWN, f"alg {str(alg)[:20]!r} is not used here")


def _error(code: ErrorCode, detail: str) -> AttestationError:
    return AttestationError(code, Stage.ENVELOPE, detail)
