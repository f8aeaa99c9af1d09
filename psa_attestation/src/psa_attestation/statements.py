"""The header that marks a COSE_Sign1 of ours as a Signed Statement of SCITT.

Receipts and consents are such statements, so that tools of others can tell who says something, what
it is about, and in which form, before they know any format of ours.

Standard: RFC 9943 section 6 (`CWT Claims` with `iss` and `sub`, an X.509 issuer by `x5t`, its
certificate besides in an unprotected `x5chain`), RFC 9597 section 2 (`CWT Claims` in a header), RFC
9360 section 2 (`x5t`, `x5chain`), RFC 6920 section 3 (`ni` names, which are digests).
"""

import base64
from typing import Final

from psa_attestation.cbor.values import Value

_CONTENT_TYPE: Final = 3
_CWT_CLAIMS: Final = 15
_X5T: Final = 34
_ISSUER: Final = 1
_SUBJECT: Final = 2
_SHA_256: Final = -16


def statement_header(
    content_type: str, *, certificate_digest: bytes, policy_digest: bytes
) -> dict[int, Value]:
    """The protected header parameters besides `alg`.

    Args:
        content_type: the media type of the payload.
        certificate_digest: SHA-256 of the certificate (DER) of the issuer.
        policy_digest: SHA-256 of the policy: the computation under it is the subject.
    """
    return {
        _CONTENT_TYPE: content_type,
        _CWT_CLAIMS: {
            _ISSUER: named_information(certificate_digest),
            _SUBJECT: named_information(policy_digest),
        },
        _X5T: [_SHA_256, certificate_digest],
    }


def named_information(digest: bytes) -> str:
    """The URI that stands for what has this SHA-256 digest."""
    return "ni:///sha-256;" + base64.urlsafe_b64encode(digest).decode().rstrip("=")
