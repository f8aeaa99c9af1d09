"""Microsoft Azure Attestation (MAA): a token in which Azure's verifier attests an enclave or VM.

A JWT (RS256) by a key of the provider's key set, which the caller has from the provider
(`https://NAME.REGION.attest.azure.net/certs`): the header's `jku` is a place that the token names
itself, and is not asked. What the token says is Microsoft's word; the hardware's own evidence is
not in it. A machine on Azure's paravisor has two parts: what the virtual TPM measured, and in
`x-ms-isolation-tee` what the hardware did. The latter's measurements are the token's here.
Reference: Microsoft, "Claims generated in Azure Attestation" and the token examples.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from tabasco.verify import named
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.jose.keys import TokenKey
from tabasco.verify.jose.signed import check_times, parse_token
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import Concern, Fact, Proven
from veracruz_utils.strict_json import JsonValue

ISSUER: Final = re.compile(r"https://[a-z0-9.-]{1,128}\.attest\.azure\.(?:net|us|cn)")
_HEADERS: Final = frozenset({"kid", "typ", "jku"})
_TYPE: Final = "x-ms-attestation-type"
_ISOLATION: Final = "x-ms-isolation-tee"
_RUNTIME: Final = "x-ms-runtime"
_MAX_TEXT: Final = 1024
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){1,64}")
# The claims of each type: measurements by our names, the report data, and what says debugging.
_SGX: Final = {"mrenclave": "x-ms-sgx-mrenclave", "mrsigner": "x-ms-sgx-mrsigner"}
_SNP: Final = {
    "measurement": "x-ms-sevsnpvm-launchmeasurement",
    "host_data": "x-ms-sevsnpvm-hostdata",
    "id_key_digest": "x-ms-sevsnpvm-idkeydigest",
    "author_key_digest": "x-ms-sevsnpvm-authorkeydigest",
}
_TDX: Final = {
    name: f"tdx_{name}"
    for name in (
        "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrseam", "mrsignerseam", "mrconfigid",
        "mrowner", "mrownerconfig",
    )
}  # fmt: skip
_MEASUREMENTS: Final = {"sgx": _SGX, "sevsnpvm": _SNP, "tdxvm": _TDX}
_REPORT_DATA: Final = {
    "sgx": "x-ms-sgx-report-data",
    "sevsnpvm": "x-ms-sevsnpvm-reportdata",
    "tdxvm": "tdx_report_data",
}
_DEBUG: Final = {
    "sgx": "x-ms-sgx-is-debuggable",
    "sevsnpvm": "x-ms-sevsnpvm-is-debuggable",
    "tdxvm": "tdx_td_attributes_debug",
}


def verify_maa(
    token: bytes,
    *,
    at: datetime,
    keys: Mapping[str, TokenKey],
    nonce: bytes | None = None,
    clock_skew: timedelta = timedelta(0),
) -> Proven:
    """What an authentic token says; `report_data` is that of the hardware's report.

    Args:
        token: a compact JWS of at most 64 KiB.
        at: the time of verification.
        keys: of the provider by their kid.
        nonce: what the token has to answer; None leaves it to the caller.
        clock_skew: by how much the clocks may differ.

    Raises:
        EvidenceError: for anything that is not authentic; debugging is reported instead.
    """
    parsed = parse_token(token, headers=_HEADERS)
    if not keys:
        raise EvidenceError(
            Fault.COLLATERAL_MISSING,
            VerificationStage.COLLATERAL,
            "no key set was given: a token is signed by a key of its provider",
            remedy="give what the provider publishes at /certs: --key",
        )
    key = parsed.key_in(keys)
    parsed.verify(key)
    claims = parsed.claims
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not ISSUER.fullmatch(issuer):
        raise EvidenceError(
            Fault.REPORT_DATA,
            VerificationStage.BINDING,
            f"the token is by {str(issuer)[:80]!r}, not by a provider of Azure Attestation",
        )
    end = check_times(claims, at, clock_skew)
    if nonce is not None:
        _check_nonce(claims, nonce)
    hardware = _hardware(claims)
    kind = _text(hardware, _TYPE)
    return Proven(
        kind=EvidenceKind.MAA,
        measurements=_measured(hardware, kind),
        report_data=_hexadecimal(hardware, _REPORT_DATA.get(kind, "")) or b"",
        debug=_debug(claims, hardware, kind),
        valid_until=end,
        facts=_facts(claims, issuer) | {"hardware": kind if kind in _MEASUREMENTS else "none"},
        concerns=() if kind in _MEASUREMENTS else (_unprotected(kind),),
        named=(named.key("key of the token", key),),
    )


def _hardware(claims: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """The claims about the hardware: of a machine on the paravisor they are apart."""
    isolation = claims.get(_ISOLATION)
    if isolation is None:
        return claims
    if not isinstance(isolation, dict):
        raise malformed(f"{_ISOLATION} is not an object")
    return isolation


def _measured(hardware: Mapping[str, JsonValue], kind: str) -> dict[str, bytes]:
    found = {
        name: _hexadecimal(hardware, claim) for name, claim in _MEASUREMENTS.get(kind, {}).items()
    }
    measured = {name: value for name, value in found.items() if value is not None}
    if kind in _MEASUREMENTS and not measured:
        raise malformed(f"a token about {kind} has no measurement")
    return measured


def _debug(
    claims: Mapping[str, JsonValue], hardware: Mapping[str, JsonValue], kind: str
) -> bool | None:
    """Whether the hardware or, of a virtual TPM, the software says that it can be debugged."""
    if kind not in _DEBUG:
        return None
    value = hardware.get(_DEBUG[kind])
    if value is None and kind == "tdxvm":
        value = claims.get("dbgstat", hardware.get("dbgstat")) != "disabled"
    # What does not say that it is closed to debuggers is taken for open to them.
    return value is not False


def _unprotected(kind: str) -> Concern:
    return Concern(
        "maa.no-hardware-isolation",
        Fault.ATTRIBUTES,
        f"the token is about {kind!r}, whose memory no hardware protects that is known here",
    )


def _check_nonce(claims: Mapping[str, JsonValue], expected: bytes) -> None:
    """The caller's nonce, in one of the places where Azure puts it; compared as bytes."""
    found = [each for each in (claims.get("nonce"), _payload_nonce(claims)) if each is not None]
    texts = [each.encode() for each in found if isinstance(each, str)]
    # The client library has it base64 encoded, as it does with every value of its payload.
    decoded = [each for each in map(_unbase64, texts) if each is not None]
    if not any(hmac.compare_digest(each, expected) for each in (*texts, *decoded)):
        shown = ", ".join(repr(each[:80]) for each in texts) or "none"
        raise EvidenceError(
            Fault.NONCE, VerificationStage.BINDING, f"the token answers nonce {shown}"
        )


def _payload_nonce(claims: Mapping[str, JsonValue]) -> JsonValue:
    runtime = claims.get(_RUNTIME)
    payload = runtime.get("client-payload") if isinstance(runtime, dict) else None
    return payload.get("nonce") if isinstance(payload, dict) else None


def _unbase64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _facts(claims: Mapping[str, JsonValue], issuer: str) -> dict[str, Fact]:
    facts: dict[str, Fact] = {"issuer": issuer}
    for where, prefix in ((claims, ""), (_isolated(claims), "isolation.")):
        for name, value in where.items():
            # Lists and objects, such as the keys of a machine, are not told one by one.
            if isinstance(value, bool):
                facts[prefix + name] = str(value).lower()
            elif isinstance(value, int) or (isinstance(value, str) and len(value) <= _MAX_TEXT):
                facts[prefix + name] = value
    for name in ("iat", "nbf", "exp", "iss", "jti"):
        facts.pop(name, None)
    return facts


def _isolated(claims: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    isolation = claims.get(_ISOLATION)
    return isolation if isinstance(isolation, dict) else {}


def _text(claims: Mapping[str, JsonValue], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 64:
        raise malformed(f"{name} is not a text of 1 to 64 characters")
    return value


def _hexadecimal(claims: Mapping[str, JsonValue], name: str) -> bytes | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise malformed(f"{name} is not hexadecimal")
    return bytes.fromhex(value)
