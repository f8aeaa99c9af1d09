"""What evidence of clouds' virtual TPMs proves, where their own word certifies the TPM's key.

On Azure the paravisor's report holds the key, and the hardware vouches for the report; on AWS a
document of NitroTPM binds it.
"""

import hmac
from dataclasses import replace
from datetime import datetime

from tabasco.verify.aws import nitro_tpm
from tabasco.verify.aws.nitro import AWS_NITRO_ROOT_SHA256
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.hardware import verify_amd, verify_intel
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means, missing
from tabasco.verify.proven import Proven
from tabasco.verify.tpm import vaportpm
from tabasco.verify.tpm.azure import (
    HclReport,
    certify,
    configuration,
    is_hcl_report,
    parse_hcl,
    user_data,
)
from tabasco.verify.tpm.azure_json import parse_azure
from tabasco.verify.tpm.forms import parse_quote_of_any_form
from tabasco.verify.tpm.parts import loaded, verify_parts
from tabasco.verify.tpm.quote_json import TpmEvidence


def verify_azure(data: bytes, means: Means, at: datetime) -> Proven:
    """What evidence of an Azure confidential machine proves.

    As one document with everything; or a paravisor's report alone, with quotes beside it that the
    caller gives. Without a TPM's quote the report's user data are its report data.

    Raises:
        EvidenceError: it is not authentic, or something that it is verified with is missing.
    """
    if is_hcl_report(data):
        return _report(data, means, at)
    parts = parse_azure(data)
    hardware = _hardware(parts.report, parts.hardware, means, at)
    found = _with_quote(parts.report, hardware, parts.quote, means)
    if parts.user_data_bound:
        _check_user_data(parts.report, found.report_data)
    return found


def verify_nitro_tpm(data: bytes, means: Means, at: datetime) -> Proven:
    """What a document of NitroTPM proves, or one with the TPM's quote whose key it binds.

    Raises:
        EvidenceError: it is not authentic, or the two do not belong together.
    """
    cloud = None
    document = data
    if data.lstrip().startswith(b"{"):
        cloud = vaportpm.parse_cloud_quote(data)
        document = cloud.document
    roots = (AWS_NITRO_ROOT_SHA256,) if means.roots is None else means.roots
    proven = nitro_tpm.verify_nitro_tpm(
        document, at=at, nonce=means.nonce, max_age=means.max_age, roots=roots
    )
    if cloud is None:
        return proven
    key = nitro_tpm.certify(document, proven, loaded(cloud.quote.public_key))
    quoted = verify_parts(cloud.quote, key, nonce=means.nonce)
    for name, value in quoted.measurements.items():
        bank, _, register = name.rpartition(".")
        signed = proven.measurements.get(register)
        if bank == "sha384" and not hmac.compare_digest(signed or b"", value):
            raise EvidenceError(
                Fault.MEASUREMENT,
                VerificationStage.BINDING,
                f"{register} of the quote is {value.hex()}, of the document "
                f"{(signed or b'').hex()}",
            )
    return replace(
        proven,
        facts={**quoted.facts, **proven.facts},
        named=(*proven.named, *quoted.named),
    )


def _report(data: bytes, means: Means, at: datetime) -> Proven:
    report = parse_hcl(data)
    td_quotes = [each for each in means.quotes if _is_td_quote(each)]
    quotes = [each for each in means.quotes if not _is_td_quote(each)]
    if len(td_quotes) > 1 or len(quotes) > 1:
        raise malformed("more than one quote of a kind was given beside the paravisor's report")
    if report.kind is EvidenceKind.TDX and not td_quotes:
        raise missing(
            "TD quote",
            "a paravisor's report of TDX holds a TD report, which is signed by nobody",
            "--quote",
        )
    evidence = td_quotes[0] if report.kind is EvidenceKind.TDX else means.certificate
    hardware = _hardware(report, evidence, means, at)
    if quotes:
        return _with_quote(report, hardware, parse_quote_of_any_form(quotes[0]), means)
    certify(report, hardware)
    bound = user_data(report)
    if means.nonce is not None:
        _check_user_data(report, means.nonce)
    facts = {**hardware.facts, **configuration(report), "hardware": hardware.kind}
    return replace(hardware, kind=EvidenceKind.TPM_AZURE, report_data=bound, facts=facts)


def _is_td_quote(data: bytes) -> bool:
    # Its version and the type of its key; a TPM's quote has a length or text there.
    return data[:4] in {b"\4\0\2\0", b"\5\0\2\0"}


def _hardware(report: HclReport, evidence: bytes | None, means: Means, at: datetime) -> Proven:
    if report.kind is EvidenceKind.SEV_SNP:
        return verify_amd(report.hardware, replace(means, certificate=evidence), at)
    return verify_intel(evidence or b"", means, at)


def _with_quote(report: HclReport, hardware: Proven, quote: TpmEvidence, means: Means) -> Proven:
    key = certify(report, hardware)
    quoted = verify_parts(quote, key, nonce=means.nonce)
    return replace(
        hardware,
        kind=EvidenceKind.TPM_AZURE,
        measurements={**hardware.measurements, **quoted.measurements},
        report_data=quoted.report_data,
        valid_until=min(hardware.valid_until, quoted.valid_until),
        facts={
            **hardware.facts,
            **quoted.facts,
            **configuration(report),
            "hardware": hardware.kind,
        },
        concerns=(*hardware.concerns, *quoted.concerns),
        named=(*hardware.named, *quoted.named),
    )


def _check_user_data(report: HclReport, expected: bytes) -> None:
    found = user_data(report)
    if not hmac.compare_digest(found, expected.ljust(len(found), b"\0")):
        raise EvidenceError(
            Fault.NONCE,
            VerificationStage.BINDING,
            f"the paravisor's report has user data {found.hex()}, expected {expected.hex()[:256]}",
        )
