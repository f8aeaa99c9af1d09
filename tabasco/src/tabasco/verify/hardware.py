"""Evidence of Intel's and AMD's hardware, with what there is to verify it by."""

from datetime import datetime

from tabasco.verify.amd.given import endorsement_key_in
from tabasco.verify.amd.report import parse_report
from tabasco.verify.amd.snp import Endorsements, verify_snp
from tabasco.verify.intel.collateral import INTEL_ROOTS
from tabasco.verify.intel.dcap import verify_dcap
from tabasco.verify.intel.quote import parse_quote
from tabasco.verify.means import Means, missing
from tabasco.verify.proven import Proven


def verify_intel(data: bytes, means: Means, at: datetime) -> Proven:
    """What a quote of SGX or TDX proves.

    Raises:
        EvidenceError: it proves nothing, or its collateral is missing.
    """
    collateral = means.collateral
    if collateral is None and means.source is not None:
        collateral = means.source.for_quote(data, at)
    if collateral is None:
        parse_quote(data)  # a malformed quote is refused first
        raise missing(
            "collateral", "a quote is verified with Intel's", "--collateral", importable=True
        )
    roots = INTEL_ROOTS if means.roots is None else means.roots
    return verify_dcap(data, collateral=collateral, at=at, roots=roots)


def verify_amd(data: bytes, means: Means, at: datetime) -> Proven:
    """What a report of SEV-SNP proves.

    Raises:
        EvidenceError: it proves nothing, or its certificates are missing.
    """
    return verify_snp(data, endorsements=endorsements_for(data, means, at), at=at)


def endorsements_for(data: bytes, means: Means, at: datetime) -> Endorsements:
    """AMD's certificates for a report: those that are given, else those that are kept.

    Raises:
        EvidenceError: there are none.
    """
    beside = means.authorities
    if means.certificate is not None and beside is None:
        _, beside = endorsement_key_in(means.certificate)
    if means.certificate is not None and beside is not None:
        revoked = means.crl
        if revoked is None and means.source is not None:
            revoked = means.source.revoked_for(means.certificate, at)
        return Endorsements(means.certificate, beside, revoked)
    if means.source is None:
        parse_report(data)  # a malformed report is refused first
        if means.certificate is not None:
            raise missing("chain", "AMD's certificates above the VCEK or VLEK", "--authorities")
        raise missing(
            "certificate",
            "a report is verified with its VCEK or VLEK and AMD's certificates above it",
            "--certificate and --authorities",
            importable=True,
        )
    found = means.source.for_report(data, at, certificate=means.certificate)
    return Endorsements(found.key, means.authorities or found.authorities, means.crl or found.crl)
