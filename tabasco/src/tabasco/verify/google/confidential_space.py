"""Google Confidential Space: a token in which Google's own verifier attests a container.

A JWT (RS256) whose header brings its certificates. They are worth something only because the last
of them is a pinned root; without that, `x5c` would let anybody sign. What the token says about the
hardware is Google's word: the hardware's own evidence is not in it.
"""

import base64
import hmac
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from psa_attestation.jose.base64url import from_base64url
from psa_attestation.jose.strict_json import decode_json
from tabasco.verify import named
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import Concern, Proven
from tabasco.verify.x509 import certificates
from veracruz_utils.public_keys import RSA_BITS
from veracruz_utils.strict_json import JsonValue

GOOGLE_ROOT_SHA256: Final = bytes.fromhex(
    "148b293821bb0c6a317f413c8ba475814091cb22d49b9e3c94198db8e8f86c39"
)
"""Digest of the certificate `Confidential Space Root CA`."""
ISSUER: Final = "https://confidentialcomputing.googleapis.com"
MAX_TOKEN_CHARS: Final = 32 * 1024

_HEADERS: Final = frozenset({"alg", "kid", "typ", "x5c"})
_TIMES: Final = range(253_402_300_800)  # up to the year 10000
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_NOT_DEBUGGED: Final = frozenset(
    {"disabled", "disabled-since-boot", "disabled-permanently", "disabled-fully-and-permanently"}
)


@dataclass(frozen=True, slots=True)
class _Token:
    chain: tuple[bytes, ...]
    signed: bytes
    claims: Mapping[str, JsonValue]
    signature: bytes


def verify_confidential_space(
    token: str,
    *,
    at: datetime,
    audience: str,
    nonce: str | None = None,
    clock_skew: timedelta = timedelta(0),
    roots: Collection[bytes] = (GOOGLE_ROOT_SHA256,),
) -> Proven:
    """What an authentic token says; `report_data` is its nonce.

    Args:
        token: a compact JWS of at most 32 KiB.
        at: the time of verification.
        audience: for whom the token was asked for: one for somebody else is a relayed one.
        nonce: what the token has to answer; None leaves it to the caller.
        clock_skew: by how much the clocks may differ.
        roots: SHA-256 digests of the roots that are trusted.

    Raises:
        EvidenceError: for anything that is not authentic; debugging is reported instead.
    """
    parsed = _parse(token)
    chain = [certificates.load(each) for each in parsed.chain]
    chain_end = certificates.check_chain(chain, roots=roots, at=at)
    _verify_signature(chain[0].public_key(), parsed)
    claims = parsed.claims
    # A token for another service could be passed on to us by that service.
    if claims.get("iss") != ISSUER or claims.get("aud") != audience:
        raise EvidenceError(
            Fault.REPORT_DATA,
            VerificationStage.BINDING,
            "the token is of another issuer or audience",
        )
    end = _check_times(claims, at, clock_skew)
    found = _text(claims, "eat_nonce")
    # As bytes: of texts that are not ASCII, compare_digest raises.
    if nonce is not None and not hmac.compare_digest(found.encode(), nonce.encode()):
        raise EvidenceError(
            Fault.NONCE, VerificationStage.BINDING, f"the token answers nonce {found[:80]!r}"
        )
    return Proven(
        kind=EvidenceKind.CONFIDENTIAL_SPACE,
        measurements={"image": _image_digest(claims)},
        report_data=found.encode(),
        debug=_text(claims, "dbgstat") not in _NOT_DEBUGGED,
        valid_until=min(end, chain_end),
        facts={name: _text(claims, name) for name in ("hwmodel", "swname", "dbgstat")},
        concerns=_concerns(claims),
        named=tuple(named.certificates(chain)),
    )


def _parse(token: str) -> _Token:
    if len(token) > MAX_TOKEN_CHARS:
        raise malformed(f"a token of {len(token)} characters, at most {MAX_TOKEN_CHARS} are read")
    parts = token.split(".")
    if len(parts) != 3:
        raise malformed(f"a token of {len(parts)} parts, a signed one has three")
    with as_evidence_error("the token"):
        header = decode_json(from_base64url(parts[0], "the header"))
        claims = decode_json(from_base64url(parts[1], "the claims"))
        signature = from_base64url(parts[2], "the signature")
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise malformed("the token's header or content is not an object")
    # A token must not pick its algorithm: `none`, or HMAC under a public key (RFC 8725 2.1).
    if header.get("alg") != "RS256" or not header.keys() <= _HEADERS:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            VerificationStage.FORMAT,
            "the header is not just RS256 and a chain",
        )
    return _Token(_chain(header.get("x5c")), f"{parts[0]}.{parts[1]}".encode(), claims, signature)


def _chain(value: JsonValue) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= certificates.MAX_CHAIN:
        raise malformed("x5c is not a chain of certificates")
    chain: list[bytes] = []
    for entry in value:
        try:
            # RFC 7515 4.1.6: plain base64 here, unlike everywhere else in a JWS.
            chain.append(base64.b64decode(entry if isinstance(entry, str) else "-", validate=True))
        except ValueError as error:
            raise malformed("a certificate in x5c is not base64") from error
    return tuple(chain)


def _verify_signature(key: object, token: _Token) -> None:
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in RSA_BITS:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            VerificationStage.CHAIN,
            "the signer's key is not RSA of 2048 to 8192 bits",
        )
    try:
        key.verify(token.signature, token.signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise EvidenceError(
            Fault.SIGNATURE,
            VerificationStage.SIGNATURE,
            "the token is not signed by its certificate's key",
        ) from error


def _check_times(claims: Mapping[str, JsonValue], at: datetime, skew: timedelta) -> datetime:
    """When the token ends."""
    issued, start, end = (_time(claims, name) for name in ("iat", "nbf", "exp"))
    if at + skew < max(issued, start):
        raise EvidenceError(
            Fault.NOT_YET_VALID,
            VerificationStage.APPRAISAL,
            f"the token starts at {start}, it is {at}",
        )
    # RFC 7519 4.1.4: `exp` itself is too late already.
    if at - skew >= end:
        raise EvidenceError(
            Fault.EXPIRED, VerificationStage.APPRAISAL, f"the token ended at {end}, it is {at}"
        )
    return end


def _time(claims: Mapping[str, JsonValue], name: str) -> datetime:
    value = claims.get(name)
    # Not isinstance: JSON's true is an int to Python.
    if type(value) is not int or value not in _TIMES:
        raise malformed(f"{name} is not a time in whole seconds")
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=value)


def _text(claims: Mapping[str, JsonValue], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 256:
        raise malformed(f"{name} is not a text of 1 to 256 characters")
    return value


def _image_digest(claims: Mapping[str, JsonValue]) -> bytes:
    submods = claims.get("submods")
    container = submods.get("container") if isinstance(submods, dict) else None
    value = container.get("image_digest") if isinstance(container, dict) else None
    match = _DIGEST.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise malformed("the container has no image digest")
    return bytes.fromhex(match[1])


def _concerns(claims: Mapping[str, JsonValue]) -> tuple[Concern, ...]:
    found: list[Concern] = []
    if claims.get("secboot") is not True:
        found.append(
            Concern(
                "confidential-space.secure-boot-off",
                Fault.ATTRIBUTES,
                "the machine did not boot securely",
            )
        )
    if claims.get("swname") != "CONFIDENTIAL_SPACE":
        found.append(
            Concern(
                "confidential-space.other-software",
                Fault.ATTRIBUTES,
                "the machine does not run Confidential Space",
            )
        )
    return tuple(found)
