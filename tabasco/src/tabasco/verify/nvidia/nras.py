"""Tokens of NVIDIA's remote attestation service (NRAS): what its verifier says of devices.

A detached EAT bundle in JSON: a token about the whole, and one about each device, whose digests are
the whole's submodules. All are JWTs (ES384) by keys that NVIDIA publishes as a key set and changes
daily; the keys are the caller's. What a token says about a device is the service's word: the
device's own evidence is not in it. Standard: RFC 9711 section 5, RFC 7515, RFC 7519.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.jose.jws import kid_of, verify_jws
from psa_attestation.jose.strict_json import decode_json
from tabasco.verify import named
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Named, Subject
from tabasco.verify.nvidia.device import UEID_BYTES
from tabasco.verify.nvidia.evidence_json import MAX_DEVICES
from tabasco.verify.proven import Concern, Fact, Proven
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonValue

MAX_BUNDLE_BYTES: Final = 256 * 1024
MIN_NONCE_BYTES, MAX_NONCE_BYTES = 8, 64

_Key: TypeAlias = ec.EllipticCurvePublicKey
_WHOLE: Final = "the token about the whole"
_TYPES: Final = frozenset({"jwt", "eat+jwt"})
_TIMES: Final = range(253_402_300_800)  # up to the year 10000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHOWN: Final = re.compile(r"[\x20-\x7e]{1,256}")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_DECIMAL: Final = re.compile(r"[0-9]{1,49}")  # 20 bytes
_PREFIX: Final = "x-nvidia-"
_OVERALL: Final = "x-nvidia-overall-att-result"
_MISMATCHES: Final = "x-nvidia-mismatch-measurement-records"
_NOT_DEBUGGED: Final = frozenset(
    {"disabled", "disabled-since-boot", "disabled-permanently", "disabled-fully-and-permanently"}
)
_GOOD_STATUS: Final = {"x-nvidia-cert-status": "valid", "x-nvidia-cert-ocsp-status": "good"}
_FACTS: Final = {
    "hwmodel": "model",
    "ueid": "ueid",
    "oemid": "oemid",
    "dbgstat": "dbgstat",
    "measres": "measres",
    "x-nvidia-gpu-driver-version": "driver-version",
    "x-nvidia-gpu-vbios-version": "vbios-version",
    "x-nvidia-switch-bios-version": "vbios-version",
}


@frozen
class DetachedBundle:
    """The compact JWS about the whole, and those about devices by their names; unverified."""

    overall: str
    devices: Mapping[str, str]


def is_bundle(data: bytes) -> bool:
    """Whether some JSON is meant to be a bundle: a list whose first entry begins with `JWT`."""
    return re.match(rb'\[\s*\[\s*"JWT"', data) is not None


def parse_bundle(data: bytes) -> DetachedBundle:
    """The tokens of a bundle.

    Raises:
        EvidenceError: stage `format`.
    """
    with as_evidence_error("the bundle"):
        document = decode_json(data, max_bytes=MAX_BUNDLE_BYTES)
    match document:
        case [["JWT", str(overall)], dict(devices)]:
            pass
        case _:
            raise malformed("the bundle is not a token about the whole and an object of others")
    if not 1 <= len(devices) <= MAX_DEVICES:
        raise malformed(f"a bundle about {len(devices)} devices, 1 to {MAX_DEVICES} are read")
    found: dict[str, str] = {}
    for name, token in devices.items():
        if not _NAME.fullmatch(name) or not isinstance(token, str):
            raise malformed(f"the bundle has {name[:40]!r}, which is no token under a name")
        found[name] = token
    return DetachedBundle(overall, found)


def verify_bundle(
    data: bytes,
    *,
    keys: Mapping[str, _Key],
    at: datetime,
    nonce: bytes | None = None,
) -> Proven:
    """What the service says, of kind `nvidia-nras`; `report_data` is the nonce.

    About one device it is all in one; about several, each is a part.

    Args:
        data: a bundle.
        keys: that the service publishes, by their kid; `*` stands for any.
        at: the time to verify for.
        nonce: what the tokens have to answer; None leaves it to the caller.

    Raises:
        EvidenceError: they are not by these keys, or do not belong together.
    """
    bundle = parse_bundle(data)
    signers = [_key_of(bundle.overall, keys, _WHOLE)]
    overall = _claims(bundle.overall, signers[0], _WHOLE)
    devices: dict[str, Mapping[str, JsonValue]] = {}
    for name, token in bundle.devices.items():
        signers.append(_key_of(token, keys, f"the token about {name}"))
        devices[name] = _claims(token, signers[-1], f"the token about {name}")
    _check_digests(bundle, overall)
    answered = _nonce(overall)
    for name, claims in devices.items():
        if _nonce(claims) != answered or claims.get("iss") != overall.get("iss"):
            raise EvidenceError(
                Fault.KEY_BINDING,
                VerificationStage.BINDING,
                f"the token about {name} has another nonce or issuer than that about the whole",
            )
    ends = [_check_times(claims, at) for claims in (overall, *devices.values())]
    if nonce is not None and not hmac.compare_digest(answered, nonce):
        raise EvidenceError(
            Fault.NONCE,
            VerificationStage.BINDING,
            f"the tokens answer nonce {answered.hex()}, expected {nonce.hex()}",
        )
    named_keys = tuple(dict.fromkeys(named.key("service's key", each) for each in signers))
    parts = {
        name: replace(
            _proven(claims, overall, answered, min(ends)),
            named=(*named_keys, *_identified(claims)),
        )
        for name, claims in devices.items()
    }
    if len(parts) == 1:
        return next(iter(parts.values()))
    return Proven.of_parts(EvidenceKind.NVIDIA_NRAS, answered, parts)


def _claims(token: str, key: _Key, what: str) -> Mapping[str, JsonValue]:
    with as_evidence_error(what):
        payload = verify_jws(token, {kid_of(token) or "": key}, types=_TYPES)
        claims = decode_json(payload)
    if not isinstance(claims, dict):
        raise malformed(f"{what} is not an object")
    return claims


def _key_of(token: str, keys: Mapping[str, _Key], what: str) -> _Key:
    """The key that a token names: it only picks among those given."""
    with as_evidence_error(what):
        kid = kid_of(token)
    found = keys.get("" if kid is None else kid) or keys.get("*")
    if found is None and kid is None and len(keys) == 1:
        found = next(iter(keys.values()))
    if found is None:
        raise EvidenceError(
            Fault.UNKNOWN_SIGNER,
            VerificationStage.SIGNATURE,
            f"{what} names key {str(kid)[:100]!r}, which is not among the {len(keys)} given",
        )
    return found


def _check_digests(bundle: DetachedBundle, overall: Mapping[str, JsonValue]) -> None:
    submods = overall.get("submods")
    named = set(submods) if isinstance(submods, dict) else set()
    if not isinstance(submods, dict) or named != set(bundle.devices):
        raise EvidenceError(
            Fault.KEY_BINDING,
            VerificationStage.BINDING,
            f"the token about the whole is about {', '.join(sorted(named)) or 'nothing'}, "
            f"the bundle is about {', '.join(sorted(bundle.devices))}",
        )
    for name, token in bundle.devices.items():
        match submods[name]:
            case ["DIGEST", ["SHA-256", str(stated)]]:
                pass
            case _:
                raise malformed(f"the submodule {name} is not a SHA-256 digest")
        found = hashlib.sha256(token.encode()).hexdigest()
        if not hmac.compare_digest(found.encode(), stated.lower().encode()):
            raise EvidenceError(
                Fault.KEY_BINDING,
                VerificationStage.BINDING,
                f"the token about {name} has digest {found}, the whole is over {stated[:128]}",
            )


def _check_times(claims: Mapping[str, JsonValue], at: datetime) -> datetime:
    """When a token ends."""
    start = max(_time(claims, name) for name in ("iat", "nbf"))
    end = _time(claims, "exp")
    if at < start:
        raise EvidenceError(
            Fault.NOT_YET_VALID,
            VerificationStage.APPRAISAL,
            f"the token starts at {start}, it is {at}",
        )
    if at >= end:  # RFC 7519 4.1.4: `exp` itself is too late already
        raise EvidenceError(
            Fault.EXPIRED, VerificationStage.APPRAISAL, f"the token ended at {end}, it is {at}"
        )
    return end


def _time(claims: Mapping[str, JsonValue], name: str) -> datetime:
    value = claims.get(name)
    if type(value) is not int or value not in _TIMES:  # JSON's true is an int to Python
        raise malformed(f"{name} is not a time in whole seconds")
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=value)


def _nonce(claims: Mapping[str, JsonValue]) -> bytes:
    value = claims.get("eat_nonce")
    found = bytes.fromhex(value) if isinstance(value, str) and _HEX.fullmatch(value) else b""
    if not MIN_NONCE_BYTES <= len(found) <= MAX_NONCE_BYTES:
        raise malformed("eat_nonce is not one nonce of 8 to 64 bytes in hexadecimal")
    return found


def _proven(
    claims: Mapping[str, JsonValue],
    overall: Mapping[str, JsonValue],
    nonce: bytes,
    end: datetime,
) -> Proven:
    facts: dict[str, Fact] = {"issuer": _shown(overall.get("iss"), "iss")}
    if "x-nvidia-ver" in overall:
        facts["claims-version"] = _shown(overall["x-nvidia-ver"], "x-nvidia-ver")
    for claim, name in _FACTS.items():
        if claims.get(claim) is not None:
            facts[name] = _shown(claims[claim], claim)
    return Proven(
        kind=EvidenceKind.NVIDIA_NRAS,
        measurements={},
        report_data=nonce,
        debug=facts.get("dbgstat") not in _NOT_DEBUGGED,
        valid_until=end,
        facts=facts,
        concerns=tuple(_concerns(claims, overall)),
    )


def _identified(claims: Mapping[str, JsonValue]) -> Iterator[Named]:
    """The device by its id, in the bytes that its own reports have it in; nothing for others."""
    ueid = str(claims.get("ueid"))  # `_proven` has refused what is neither text nor number
    if _DECIMAL.fullmatch(ueid) and int(ueid) < 1 << (8 * UEID_BYTES):
        yield Named(Subject.INSTANCE, "ueid", int(ueid).to_bytes(UEID_BYTES))


def _concerns(
    claims: Mapping[str, JsonValue], overall: Mapping[str, JsonValue]
) -> Iterator[Concern]:
    if overall.get(_OVERALL) is not True:
        yield _unsure("overall", "the service does not affirm the whole")
    if claims.get("measres") != "success":
        differing = str(claims.get(_MISMATCHES, "not said where"))[:512]
        yield Concern(
            "nvidia-nras.measres",
            Fault.MEASUREMENT,
            f"measurements are not those of NVIDIA's reference values ({differing})",
        )
    if claims.get("secboot") is not True:
        yield Concern("nvidia-nras.secboot", Fault.ATTRIBUTES, "the device did not boot securely")
    for name, value in claims.items():
        if not name.startswith(_PREFIX):
            continue
        if value is False:
            yield _unsure(name.removeprefix(_PREFIX), f"{name} is false")
        elif isinstance(value, dict):
            for status, good in _GOOD_STATUS.items():
                if status in value and value[status] != good:
                    shown = str(value[status])[:40]
                    yield _unsure(
                        name.removeprefix(_PREFIX), f"{status} of {name} is {shown!r}, not {good!r}"
                    )


def _unsure(name: str, detail: str) -> Concern:
    return Concern(f"nvidia-nras.{name[:64]}", Fault.RESULT_STATUS, detail)


def _shown(value: JsonValue, name: str) -> str:
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not _SHOWN.fullmatch(text):
        raise malformed(f"{name} is not a text of 1 to 256 characters")
    return text
