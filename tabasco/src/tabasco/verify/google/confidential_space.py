"""Google Confidential Space: a token in which Google's own verifier attests a container.

A JWT (RS256) in one of two kinds. A PKI token brings its certificates in the header: they are worth
something only because the last of them is a pinned root; without that, `x5c` would let anybody
sign. An OIDC token names a key of the service's key set, which the caller has from the service.
What the token says about the hardware is Google's word: the hardware's own evidence is not in it.
"""

import base64
import hmac
import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from tabasco.verify import named
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.google.space_claims import facts_of, image_digest, nonces_of, text_of
from tabasco.verify.jose.keys import TokenKey
from tabasco.verify.jose.signed import SignedToken, check_times, parse_token
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Named
from tabasco.verify.proven import NO_END, Concern, Proven
from tabasco.verify.x509 import certificates
from veracruz_utils.strict_json import JsonValue

GOOGLE_ROOT_SHA256: Final = bytes.fromhex(
    "148b293821bb0c6a317f413c8ba475814091cb22d49b9e3c94198db8e8f86c39"
)
"""Digest of the certificate `Confidential Space Root CA`."""
ISSUER: Final = "https://confidentialcomputing.googleapis.com"

_HEADERS: Final = frozenset({"kid", "typ", "x5c"})
_PEM: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*"
)
_NOT_DEBUGGED: Final = frozenset(
    {"disabled", "disabled-since-boot", "disabled-permanently", "disabled-fully-and-permanently"}
)


def verify_confidential_space(
    token: bytes,
    *,
    at: datetime,
    audience: str,
    nonce: bytes | None = None,
    keys: Mapping[str, TokenKey] | None = None,
    clock_skew: timedelta = timedelta(0),
    roots: Collection[bytes] = (GOOGLE_ROOT_SHA256,),
) -> Proven:
    """What an authentic token says; `report_data` is its nonce, of several the expected or first.

    Args:
        token: a compact JWS of at most 64 KiB.
        at: the time of verification.
        audience: for whom the token was asked for: one for somebody else is a relayed one.
        nonce: what the token has to answer, as the bytes of its text; None leaves it to the caller.
        keys: of the service by their kid, for tokens without certificates.
        clock_skew: by how much the clocks may differ.
        roots: SHA-256 digests of the roots that are trusted.

    Raises:
        EvidenceError: for anything that is not authentic; debugging is reported instead.
    """
    parsed = parse_token(token, headers=_HEADERS)
    if parsed.header["alg"] != "RS256":
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM, VerificationStage.FORMAT, "the header is not of RS256"
        )
    key, chain_end, rests_on = _signer(parsed, keys or {}, roots, at)
    parsed.verify(key)
    claims = parsed.claims
    # A token for another service could be passed on to us by that service.
    if claims.get("iss") != ISSUER or claims.get("aud") != audience:
        raise EvidenceError(
            Fault.REPORT_DATA,
            VerificationStage.BINDING,
            f"the token is by {str(claims.get('iss'))[:80]!r} for {str(claims.get('aud'))[:80]!r}, "
            f"expected {ISSUER!r} for {audience[:80]!r}",
        )
    end = check_times(claims, at, clock_skew)
    return Proven(
        kind=EvidenceKind.CONFIDENTIAL_SPACE,
        measurements=image_digest(claims),
        report_data=_answered(nonces_of(claims), nonce),
        debug=text_of(claims, "dbgstat") not in _NOT_DEBUGGED,
        valid_until=min(end, chain_end),
        facts=facts_of(claims),
        concerns=_concerns(claims),
        named=rests_on,
    )


def _signer(
    parsed: SignedToken,
    keys: Mapping[str, TokenKey],
    roots: Collection[bytes],
    at: datetime,
) -> tuple[PublicKeyTypes, datetime, tuple[Named, ...]]:
    if "x5c" not in parsed.header:
        if not keys:
            raise EvidenceError(
                Fault.COLLATERAL_MISSING,
                VerificationStage.COLLATERAL,
                "no key set was given: a token without certificates is signed by a key that its "
                "issuer publishes",
                remedy="give the jwks_uri of "
                f"{ISSUER}/.well-known/openid-configuration as a file: --key",
            )
        key = parsed.key_in(keys)
        return key, NO_END, (named.key("key of the token", key),)
    chain = [certificates.load(each) for each in _chain(parsed.header["x5c"])]
    end = certificates.check_chain(chain, roots=roots, at=at)
    return chain[0].public_key(), end, tuple(named.certificates(chain))


def _chain(value: JsonValue) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= certificates.MAX_CHAIN:
        raise malformed("x5c is not a chain of certificates")
    chain: list[bytes] = []
    for entry in value:
        text = entry if isinstance(entry, str) else "-"
        # RFC 7515 4.1.6: plain base64 of DER; in 2024 the service wrote PEM.
        pem = _PEM.fullmatch(text)
        if pem is not None:
            text = "".join(pem[1].split())
        try:
            chain.append(base64.b64decode(text, validate=True))
        except ValueError as error:
            raise malformed("a certificate in x5c is not base64") from error
    return tuple(chain)


def _answered(found: tuple[str, ...], expected: bytes | None) -> bytes:
    if expected is None:
        return found[0].encode()
    # Every one, and as the bytes of its text: nothing is decoded that could become equal by it.
    answers = [each for each in found if hmac.compare_digest(each.encode(), expected)]
    if not answers:
        shown = ", ".join(repr(each[:80]) for each in found)
        raise EvidenceError(
            Fault.NONCE, VerificationStage.BINDING, f"the token answers nonce {shown}"
        )
    return expected


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
