"""Evidence of an Azure confidential machine as one JSON document, in the form Trustee collects it.

Version 1: the report, the hardware's certificate or quote (base64url) and the TPM's quote over all
24 registers of the SHA-256 bank (hexadecimal, RSASSA with SHA-256 and no header).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes

from psa_attestation.jose.base64url import from_base64url
from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.tpm.azure import HclReport, parse_hcl
from tabasco.verify.tpm.quote import Registers
from tabasco.verify.tpm.structures import QuoteSignature
from veracruz_utils.strict_json import JsonValue

_REGISTERS: Final = 24
_HARDWARE_MEMBERS: Final = {EvidenceKind.SEV_SNP: "vcek", EvidenceKind.TDX: "td_quote"}


@dataclass(frozen=True, slots=True)
class AzureEvidence:
    """The parts, well-formed and not yet verified.

    Attributes:
        report: the paravisor's.
        hardware: DER of the VCEK for a report of `sev-snp`, the TD quote for one of `tdx`.
        message: the TPM's quote.
        signature: over it.
        registers: what it is over.
    """

    report: HclReport
    hardware: bytes
    message: bytes
    signature: QuoteSignature
    registers: Registers


def is_azure_evidence(data: bytes) -> bool:
    """Whether some JSON is meant to be this."""
    return b'"hcl_report"' in data or b'"tpm_quote"' in data


def parse_azure(data: bytes) -> AzureEvidence:
    """The evidence that `data` is.

    Raises:
        EvidenceError: stage `format`.
    """
    with as_evidence_error("the evidence"):
        document = decode_json(data)
    if not isinstance(document, dict) or type(document.get("version")) is not int:
        raise malformed("the evidence is not an object with a version")
    if document["version"] != 1:
        raise EvidenceError(
            Fault.UNSUPPORTED_VERSION,
            VerificationStage.FORMAT,
            f"version {document['version']!r:.20}",
        )
    quote = document.get("tpm_quote")
    if not isinstance(quote, dict):
        raise malformed("tpm_quote is missing in the evidence")
    report = parse_hcl(_base64url(document, "hcl_report"))
    return AzureEvidence(
        report=report,
        hardware=_base64url(document, _HARDWARE_MEMBERS[report.kind]),
        message=_hexadecimal(quote.get("message"), "the quote"),
        signature=QuoteSignature(
            "rsassa", hashes.SHA256(), _hexadecimal(quote.get("signature"), "the signature")
        ),
        registers={"sha256": _registers(quote.get("pcrs"))},
    )


def _registers(value: JsonValue) -> dict[int, bytes]:
    if not isinstance(value, list) or len(value) != _REGISTERS:
        raise malformed(f"pcrs is not a list of {_REGISTERS} registers")
    return {index: _hexadecimal(each, "a register") for index, each in enumerate(value)}


def _base64url(document: Mapping[str, JsonValue], name: str) -> bytes:
    value = document.get(name)
    if not isinstance(value, str):
        raise malformed(f"{name} is missing in the evidence")
    bare = value.rstrip("=")
    if len(value) != len(bare) and value != bare + "=" * (-len(bare) % 4):
        raise malformed(f"{name} is not padded as base64url is")
    with as_evidence_error(name):
        return from_base64url(bare, name)


def _hexadecimal(value: JsonValue, name: str) -> bytes:
    if not isinstance(value, str) or not value.isascii() or not value.isalnum():
        raise malformed(f"{name} is not hexadecimal")
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise malformed(f"{name} is not hexadecimal") from error
