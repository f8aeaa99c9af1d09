"""A machine that its TPM vouches for: the quote, and who vouches for its key.

Somebody has to vouch for the key, or a policy has to name it: a TPM's manufacturer by way of its
endorsement key (`service.credentials`), the caller who gives the key, or a certificate of the
attestation key itself.
"""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.means import Means, missing
from tabasco.verify.proven import NO_END, Concern, Proven
from tabasco.verify.tpm.endorsement import EndorsedKey, verify_key_certificate
from tabasco.verify.tpm.forms import parse_quote_of_any_form
from tabasco.verify.tpm.parts import given_key, key_digest, verify_parts
from tabasco.verify.tpm.quote import CertifiedKey, registered_key
from tabasco.verify.tpm.quote_json import TpmEvidence

UNCERTIFIED_KEY: Final = "tpm.uncertified-key"
_NOBODY: Final = "nobody"


def verify_tpm(data: bytes, means: Means, at: datetime) -> Proven:
    """What a TPM's quote proves, in whatever form, with what came with it.

    Raises:
        EvidenceError: it proves nothing, or what came with it does not belong to it.
    """
    parts = parse_quote_of_any_form(data)
    key = _certified(parts, means, at)
    quoted = verify_parts(parts, key, nonce=means.nonce)
    endorsement = None if means.endorsed is None else means.endorsed.endorsement
    facts = dict(quoted.facts)
    if endorsement is not None:
        facts |= {"endorsement-key": endorsement.key_digest.hex(), **endorsement.facts}
    digest = key_digest(key.key)
    return replace(
        quoted,
        facts=facts,
        named=(*quoted.named, *(endorsement.named if endorsement is not None else ())),
        concerns=(
            *((_uncertified(digest),) if key.certified_by == _NOBODY else ()),
            *quoted.concerns,
        ),
    )


def _certified(parts: TpmEvidence, means: Means, at: datetime) -> CertifiedKey:
    key = parts.public_key
    if means.endorsed is not None:
        _check_same(means.endorsed, key)
        until = means.endorsed.endorsement.valid_until
        return _registered(key, "its endorsement key", until)
    given = given_key(parts, means.every_key)
    if given is not None:
        return given
    if parts.certificates or means.certificate is not None:
        if not means.key_roots:
            raise missing("root", "the certificate of a key is worth what its root is", "--root")
        certificate = verify_key_certificate(
            parts.certificates or means.certificate or b"",
            means.authorities or b"",
            trusted=means.key_roots,
            revoked=means.crl,
            at=at,
        )
        if key and certificate.public_key != key:
            raise _other_key("the certificate", certificate.public_key, key)
        by = f"certificate of {certificate.issuer}"
        found = _registered(certificate.public_key, by, certificate.valid_until)
        return replace(found, named=certificate.named)
    if not key:
        if means.every_key:
            raise EvidenceError(
                Fault.SIGNATURE,
                VerificationStage.SIGNATURE,
                f"the quote is signed by none of the {len(means.every_key)} keys given",
            )
        raise missing("key", "a quote is verified with its attestation key", "--key")
    return _registered(key, _NOBODY, NO_END)


def _registered(key: bytes, certified_by: str, until: datetime) -> CertifiedKey:
    found = registered_key(key, registered={hashlib.sha256(key).digest()}, valid_until=until)
    return replace(found, certified_by=certified_by)


def _check_same(endorsed: EndorsedKey, key: bytes) -> None:
    if endorsed.public_key != key:
        raise _other_key("the endorsement key's TPM", endorsed.public_key, key)


def _other_key(who: str, theirs: bytes, ours: bytes) -> EvidenceError:
    theirs_digest, ours_digest = (hashlib.sha256(each).hexdigest() for each in (theirs, ours))
    return EvidenceError(
        Fault.KEY_BINDING,
        VerificationStage.BINDING,
        f"{who} vouches for key {theirs_digest}, the quote is by {ours_digest}",
    )


def _uncertified(digest: str) -> Concern:
    return Concern(
        UNCERTIFIED_KEY,
        Fault.UNKNOWN_SIGNER,
        f"nobody certifies attestation key {digest}: a policy has to name it",
    )
