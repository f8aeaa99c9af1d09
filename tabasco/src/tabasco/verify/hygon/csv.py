"""Hygon CSV: known by its form, named, and refused.

Its reports and certificates are signed by SM2 with SM3, which no library that we use verifies, and
the keys between Hygon's root (HRK) and the chip are mostly not in the evidence. So nothing of it is
proven here; what is read is what a refusal can say: which chip, and what is missing.
"""

from collections.abc import Mapping
from typing import Final, NoReturn

from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.tpm.trustee_quote import numbers
from veracruz_utils.strict_json import JsonValue

MAX_EVIDENCE_BYTES: Final = 256 * 1024
_REPORT_BYTES: Final = frozenset({4096, 2548})
_SERIAL_BYTES: Final = 64
_MEMBERS: Final = (b'"attestation_report"', b'"cert_chain"', b'"serial_number"')


def is_csv_evidence(data: bytes) -> bool:
    """Whether some JSON is meant to be this."""
    return (
        b'"attestation_report"' in data and b'"cert_chain"' in data and b'"serial_number"' in data
    )


def refuse_csv(data: bytes) -> NoReturn:
    """Nothing but a refusal.

    Raises:
        EvidenceError: `malformed`; `collateral-missing`, where the chip's keys are not in it; or
            `unsupported-algorithm`.
    """
    with as_evidence_error("the evidence"):
        document = decode_json(data, max_bytes=MAX_EVIDENCE_BYTES)
    members = _object(document, "the evidence")
    report = numbers(_object(members.get("attestation_report"), "the report").get("data"), "it")
    if not 0 < len(report) <= max(_REPORT_BYTES):
        raise malformed(f"a report of {len(report)} bytes")
    serial = numbers(members.get("serial_number"), "the serial number").rstrip(b"\0")
    if not 0 < len(serial) <= _SERIAL_BYTES or not serial.isalnum():
        raise malformed("the serial number of the chip is not letters and digits")
    chip = serial.decode("ascii")
    chain = _object(members.get("cert_chain"), "the chain")
    if not chain.get("hsk_cek"):
        raise EvidenceError(
            Fault.COLLATERAL_MISSING,
            VerificationStage.COLLATERAL,
            f"Hygon CSV evidence of chip {chip} has its PEK alone: without HSK and CEK no chain "
            "leads to Hygon's root (HRK). Nor is SM2, which all of them are signed by, verified "
            "here",
        )
    raise EvidenceError(
        Fault.UNSUPPORTED_ALGORITHM,
        VerificationStage.SIGNATURE,
        f"Hygon CSV evidence of chip {chip} is signed by SM2 with SM3, which is not verified here",
    )


def _object(value: JsonValue, name: str) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict):
        raise malformed(f"{name} is not an object")
    return value
