"""What is known by its form and signed by nobody: it proves nothing by itself, and says so."""

import re
from typing import Final, NoReturn

from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.eventlog.log import parse_event_log

_CLAIMS: Final = re.compile(
    rb'\{\s*"(?:eat_nonce|eat_profile|ueid|sueids|oemid|hwmodel|swname|oemboot|dbgstat|iat|iss)"'
)


def is_bare_eat(data: bytes) -> bool:
    """Whether some JSON begins with a claim of an Entity Attestation Token (RFC 9711)."""
    return _CLAIMS.match(data) is not None


def refuse_eat(data: bytes) -> NoReturn:
    """Nothing but a refusal: claims without a signature.

    Raises:
        EvidenceError: `malformed`, or `unsigned`.
    """
    with as_evidence_error("the claims"):
        claims = decode_json(data)
    if not isinstance(claims, dict):
        raise malformed("the claims are not an object")
    nested = claims.get("submods")
    parts = f" with {len(nested)} submodules" if isinstance(nested, dict) else ""
    raise _unsigned(
        f"{len(claims)} claims of an Entity Attestation Token{parts}, signed by nobody",
        "verify the token itself, a JWT or CWT",
    )


def refuse_event_log(data: bytes) -> NoReturn:
    """Nothing but a refusal: a log without the quote that vouches for its registers.

    Raises:
        EvidenceError: `malformed`, or `unsigned`.
    """
    log = parse_event_log(data)
    registers = ", ".join(map(str, log.registers)) or "none"
    raise _unsigned(
        f"an event log of {len(log.events)} events in registers {registers} is signed by nobody",
        "verify the quote over them, with the log beside it: --event-log",
    )


def _unsigned(detail: str, remedy: str) -> EvidenceError:
    return EvidenceError(Fault.UNSIGNED, VerificationStage.SIGNATURE, detail, remedy=remedy)
