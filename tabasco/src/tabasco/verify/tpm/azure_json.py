"""Evidence of an Azure confidential machine as one JSON document, in the forms Trustee collects it.

The paravisor's report, the hardware's certificate or quote, and the virtual TPM's quote over all 24
registers of the SHA-256 bank. Versions 1 and 2 have base64url and hexadecimal; in version 2 the
report's user data are those that the quote is over. The form before them has no version and writes
bytes as arrays of numbers, the certificate as PEM.
"""

from collections.abc import Mapping
from typing import Final

from psa_attestation.jose.base64url import from_base64url
from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.tpm.azure import HclReport, parse_hcl
from tabasco.verify.tpm.quote_json import TpmEvidence
from tabasco.verify.tpm.trustee_quote import hexadecimal, numbers, quote_in
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonValue

MAX_EVIDENCE_BYTES: Final = 256 * 1024
_HARDWARE_MEMBERS: Final = {EvidenceKind.SEV_SNP: "vcek", EvidenceKind.TDX: "td_quote"}
_VERSIONS: Final = frozenset({1, 2})
_BOUND_SINCE: Final = 2
# Of the form without a version: the report's member, and the quote's.
_OLD_SNP: Final = ("report", "quote")
_OLD_TDX: Final = ("hcl_report", "tpm_quote")


@frozen
class AzureEvidence:
    """The parts, well-formed and not yet verified.

    Attributes:
        report: the paravisor's.
        hardware: the VCEK for a report of `sev-snp` (DER or PEM), the TD quote for one of `tdx`.
        quote: the virtual TPM's.
        user_data_bound: whether the report's user data have to be what the quote is over.
    """

    report: HclReport
    hardware: bytes
    quote: TpmEvidence
    user_data_bound: bool


def is_azure_evidence(data: bytes) -> bool:
    """Whether some JSON is meant to be this."""
    return b'"hcl_report"' in data or (b'"vcek"' in data and b'"quote"' in data)


def parse_azure(data: bytes) -> AzureEvidence:
    """The evidence that `data` is.

    Raises:
        EvidenceError: stage `format`.
    """
    with as_evidence_error("the evidence"):
        document = decode_json(data, max_bytes=MAX_EVIDENCE_BYTES)
    if not isinstance(document, dict):
        raise malformed("the evidence is not an object")
    if "version" not in document:
        return _old(document)
    version = document["version"]
    # Not isinstance: JSON's true is an int to Python.
    if type(version) is not int or version not in _VERSIONS:
        raise EvidenceError(
            Fault.UNSUPPORTED_VERSION,
            VerificationStage.FORMAT,
            f"evidence of version {version!r:.20}, known are 1, 2 and the form without a version",
        )
    report = parse_hcl(_base64url(document, "hcl_report"))
    return AzureEvidence(
        report=report,
        hardware=_base64url(document, _HARDWARE_MEMBERS[report.kind]),
        quote=quote_in(document.get("tpm_quote"), hexadecimal),
        user_data_bound=version >= _BOUND_SINCE,
    )


def _old(document: Mapping[str, JsonValue]) -> AzureEvidence:
    report_name, quote_name = _OLD_SNP if "report" in document else _OLD_TDX
    report = parse_hcl(numbers(document.get(report_name), report_name))
    value = document.get(_HARDWARE_MEMBERS[report.kind])
    if report.kind is EvidenceKind.SEV_SNP:
        if not isinstance(value, str):
            raise malformed("vcek is missing in the evidence")
        hardware = value.encode()
    else:
        hardware = numbers(value, "td_quote")
    quote = quote_in(document.get(quote_name), numbers)
    return AzureEvidence(report, hardware, quote, user_data_bound=False)


def _base64url(document: Mapping[str, JsonValue], name: str) -> bytes:
    value = document.get(name)
    if not isinstance(value, str):
        raise malformed(f"{name} is missing in the evidence")
    bare = value.rstrip("=")
    if len(value) != len(bare) and value != bare + "=" * (-len(bare) % 4):
        raise malformed(f"{name} is not padded as base64url is")
    with as_evidence_error(name):
        return from_base64url(bare, name)
