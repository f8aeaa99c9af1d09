"""Evidence of several attesters as one, such as a machine's processor and its GPUs.

    {"submods": {"cpu": {"kind": "tdx", "evidence": "…"},
                 "gpus": {"kind": "nvidia", "evidence": [ … ]}}}

Each member has its kind and its evidence, in base64 or hexadecimal, or as it is where that is JSON;
`certificate` and `authorities` may go with it. Each is verified alone and keeps its own verdict.
What ties them together is that they answer one challenge: evidence of another time, or for somebody
else, does not fit. That a device is plugged into this very machine no evidence says.
"""

import base64
import binascii
import hmac
import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from psa_attestation.evidence.native import AuxiliaryPart, report_data_of
from psa_attestation.jose.strict_json import decode_json, encode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.kinds import MAX_EVIDENCE_BYTES, EvidenceKind
from tabasco.verify.proven import Fact, Proven
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonValue

MAX_PARTS: Final = 15
"""Attesters in all; a result speaks of each, and of the whole."""
WHOLE: Final = "attester"
"""How a result calls the whole; no attester is called so."""

COUNT: Final = "count."
"""How facts begin that say how many attesters there are of a kind, whose name follows."""
_SUBMODS: Final = "submods"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_HEX: Final = re.compile(r"(?:0x)?(?:[0-9a-fA-F]{2})+")
_MEMBERS: Final = frozenset({"kind", "evidence", *AuxiliaryPart})
# What no attester says itself: results, reference values, and composites in composites.
_NO_ATTESTERS: Final = frozenset(
    {EvidenceKind.EAR, EvidenceKind.CORIM, EvidenceKind.NVIDIA_RIM, EvidenceKind.COMPOSITE}
)
_DEVICES: Final = frozenset({EvidenceKind.NVIDIA, EvidenceKind.NVIDIA_NRAS})
_REPORT_DATA_BYTES: Final = 64


@frozen
class Member:
    """The evidence of one attester (or of several of a kind), and what goes with it; unverified."""

    kind: EvidenceKind
    evidence: bytes
    certificate: bytes | None
    authorities: bytes | None


def is_composite(data: bytes) -> bool:
    """Whether some JSON is meant to be this."""
    return data[:1] == b"{" and f'"{_SUBMODS}"'.encode() in data


def parse_composite(data: bytes) -> dict[str, Member]:
    """The members of composite evidence by their names, at least one.

    Raises:
        EvidenceError: stage `format`.
    """
    with as_evidence_error("the evidence"):
        document = decode_json(data, max_bytes=MAX_EVIDENCE_BYTES)
    members = document.get(_SUBMODS) if isinstance(document, dict) else None
    if not isinstance(document, dict) or len(document) != 1 or not isinstance(members, dict):
        raise malformed(f"the evidence is not an object with {_SUBMODS} and nothing else")
    if not 1 <= len(members) <= MAX_PARTS:
        raise malformed(f"evidence of {len(members)} attesters, 1 to {MAX_PARTS} are read")
    return {_checked(name): _member(name, each) for name, each in members.items()}


def proven_together(proven: Mapping[str, Proven], *, nonce: bytes | None) -> Proven:
    """What all members prove, if they answer one challenge; `report_data` is that challenge.

    Args:
        proven: what each member proves by itself.
        nonce: what the challenge has to be; None leaves it to the caller.

    Raises:
        EvidenceError: stage `binding`.
    """
    parts = _flat(proven)
    if len(parts) > MAX_PARTS:
        raise malformed(f"evidence of {len(parts)} attesters, at most {MAX_PARTS} are read")
    challenge = _challenge(parts)
    if nonce is not None and not hmac.compare_digest(challenge, nonce):
        raise EvidenceError(
            Fault.NONCE,
            VerificationStage.BINDING,
            f"the evidence answers {challenge.hex()}, expected {nonce.hex()}",
        )
    return Proven.of_parts(EvidenceKind.COMPOSITE, challenge, parts, _counts(parts))


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or name == WHOLE:
        raise malformed(f"{name[:40]!r} is not a name for an attester: letters, digits, . _ -")
    return name


def _member(name: str, value: JsonValue) -> Member:
    if not isinstance(value, dict) or not value.keys() <= _MEMBERS:
        raise malformed(f"{name} is not an object with {', '.join(sorted(_MEMBERS))}")
    kind = value.get("kind")
    attesters = {each.value for each in EvidenceKind if each not in _NO_ATTESTERS}
    if not isinstance(kind, str) or kind not in attesters:
        raise malformed(f"{name} is of kind {str(kind)[:40]!r}, of which no attester is")
    return Member(
        EvidenceKind(kind),
        _octets(value.get("evidence"), f"the evidence of {name}"),
        _optional(value, AuxiliaryPart.CERTIFICATE, name),
        _optional(value, AuxiliaryPart.AUTHORITIES, name),
    )


def _optional(value: Mapping[str, JsonValue], part: AuxiliaryPart, name: str) -> bytes | None:
    found = value.get(part)
    if isinstance(found, str) and "-----BEGIN" in found:
        return found.encode()
    return None if found is None else _octets(found, f"{part} of {name}")


def _octets(value: JsonValue, name: str) -> bytes:
    if isinstance(value, list | dict):
        return encode_json(value)
    if isinstance(value, str) and value:
        if _HEX.fullmatch(value):
            return bytes.fromhex(value.removeprefix("0x"))
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise malformed(f"{name} is not base64 or hexadecimal, nor JSON")


def _flat(proven: Mapping[str, Proven]) -> dict[str, Proven]:
    """Each attester under its own name: a device of several under its member's and its own."""
    return {
        f"{name}/{inner}" if inner else name: part
        for name, member in proven.items()
        for inner, part in (member.parts or {"": member}).items()
    }


def _challenge(parts: Mapping[str, Proven]) -> bytes:
    """What all parts answer: what devices take as it is, and processors take in 64 bytes."""
    devices = [name for name, part in parts.items() if part.kind in _DEVICES]
    # Without devices the shortest is what the others have filled up, in whatever order they come.
    first = min(devices or parts, key=lambda name: len(parts[name].report_data))
    challenge = parts[first].report_data
    for name, part in parts.items():
        if not any(hmac.compare_digest(part.report_data, each) for each in _forms(part, challenge)):
            raise EvidenceError(
                Fault.REPORT_DATA,
                VerificationStage.BINDING,
                f"{name} is bound to {part.report_data.hex()[:128]}, "
                f"{first} answers {challenge.hex()[:128]}: they are of different challenges",
            )
    return challenge


def _forms(part: Proven, challenge: bytes) -> list[bytes]:
    if part.kind in _DEVICES or len(challenge) > _REPORT_DATA_BYTES:
        return [challenge]
    padded = challenge.ljust(_REPORT_DATA_BYTES, b"\0")
    return [challenge, padded, report_data_of(challenge)]


def _counts(parts: Mapping[str, Proven]) -> dict[str, Fact]:
    """How many attesters there are of each kind; one that is there twice is one."""
    known = {(part.kind, part.facts.get("ueid", name)) for name, part in parts.items()}
    counted = Counter(kind for kind, _ in known)
    return {f"{COUNT}{kind}": counted[kind] for kind in sorted(counted)}
