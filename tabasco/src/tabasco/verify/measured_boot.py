"""A machine that its TPM vouches for: the quote, who vouches for its key, and the events behind it.

Somebody has to vouch for the key, or a policy has to name it: a TPM's manufacturer by way of its
endorsement key (`service.credentials`), or a certificate of the attestation key itself. The event
log is signed by nobody, and is believed as far as it replays to the registers quoted.
"""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.eventlog.log import parse_event_log
from tabasco.verify.eventlog.replay import check_log
from tabasco.verify.means import Means, missing
from tabasco.verify.proven import ATTESTATION_KEY, NO_END, Concern, Proven, ProvenEvent
from tabasco.verify.tpm.endorsement import EndorsedKey, verify_key_certificate
from tabasco.verify.tpm.quote import CertifiedKey, Registers, registered_key, verify_quote
from tabasco.verify.tpm.quote_json import TpmEvidence, parse_tpm

UNCERTIFIED_KEY: Final = "tpm.uncertified-key"
WEAK_REGISTERS: Final = "tpm.weak-registers"
_ALL_REGISTERS: Final = 24


def verify_tpm(data: bytes, means: Means, at: datetime) -> Proven:
    """What a TPM's quote proves, with what came with it.

    Raises:
        EvidenceError: it proves nothing, or what came with it does not belong to it.
    """
    parts = parse_tpm(data)
    key = _certified(parts, means, at)
    quoted = verify_quote(
        parts.message, parts.signature, parts.registers, key=key, nonce=means.nonce
    )
    digest = hashlib.sha256(parts.public_key).hexdigest()
    endorsement = None if means.endorsed is None else means.endorsed.endorsement
    facts = {"certified-by": key.certified_by, ATTESTATION_KEY: digest}
    if endorsement is not None:
        facts |= {"endorsement-key": endorsement.key_digest.hex(), **endorsement.facts}
    certified = means.endorsed is not None or means.certificate is not None
    return replace(
        quoted,
        measurements={**_all_of(parts.registers), **quoted.measurements},
        facts={**quoted.facts, **facts},
        named=(*quoted.named, *(endorsement.named if endorsement is not None else ())),
        events=_events(means.event_log, parts.registers),
        concerns=(
            *(() if certified else (_uncertified(digest),)),
            *((_weak_registers(),) if "sha1" in parts.registers else ()),
        ),
    )


def _certified(parts: TpmEvidence, means: Means, at: datetime) -> CertifiedKey:
    key = parts.public_key
    if means.endorsed is not None:
        _check_same(means.endorsed, key)
        by, until = "its endorsement key", means.endorsed.endorsement.valid_until
    elif means.certificate is not None:
        if not means.key_roots:
            raise missing("root (--root)", "the certificate of a key is worth what its root is")
        certificate = verify_key_certificate(
            means.certificate, means.authorities or b"", trusted=means.key_roots, at=at
        )
        if certificate.public_key != key:
            raise _other_key("the certificate", certificate.public_key, key)
        by, until = f"certificate of {certificate.issuer}", certificate.valid_until
    else:
        by, until = "nobody", NO_END
    found = registered_key(key, registered={hashlib.sha256(key).digest()}, valid_until=until)
    return replace(found, certified_by=by)


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


def _all_of(registers: Registers) -> dict[str, bytes]:
    """One value for all registers, where all are quoted."""
    values = registers.get("sha256", {})
    if len(values) != _ALL_REGISTERS:
        return {}
    return {"pcrs": hashlib.sha256(b"".join(values[each] for each in sorted(values))).digest()}


def _events(
    event_log: bytes | None, registers: Registers
) -> dict[str, tuple[ProvenEvent, ...]] | None:
    """What was extended into each register, as far as the log replays to it."""
    if event_log is None:
        return None
    log = parse_event_log(event_log)
    bank = next((each for each in ("sha512", "sha384", "sha256", "sha1") if each in registers), "")
    check_log(log, registers[bank], bank)
    prefix = "pcr" if bank == "sha256" else f"{bank}.pcr"
    return {
        f"{prefix}{register}": tuple(
            ProvenEvent(event.number, event.name, event.digests[bank]) for event in log.of(register)
        )
        for register in registers[bank]
    }


def _uncertified(digest: str) -> Concern:
    return Concern(
        UNCERTIFIED_KEY,
        Fault.UNKNOWN_SIGNER,
        f"nobody certifies attestation key {digest}: a policy has to name it",
    )


def _weak_registers() -> Concern:
    return Concern(
        WEAK_REGISTERS,
        Fault.UNSUPPORTED_ALGORITHM,
        "registers are of SHA-1, of which collisions are made: other events can give their values",
    )
