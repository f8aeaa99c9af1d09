"""One way to have any kind of evidence verified: `verify_evidence`.

What comes out is `Proven`, whatever the kind: facts that hold, and nothing yet about whether they
are acceptable. Only a verifier makes one, so that what was merely parsed cannot reach a policy.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from tabasco.verify.amd.given import endorsement_key_in
from tabasco.verify.amd.report import parse_report
from tabasco.verify.amd.snp import Endorsements, verify_snp
from tabasco.verify.arm.cca import verify_cca
from tabasco.verify.aws.nitro import AWS_NITRO_ROOT_SHA256, verify_nitro
from tabasco.verify.composite import parse_composite, proven_together
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.google.confidential_space import verify_confidential_space
from tabasco.verify.intel.collateral import INTEL_ROOTS
from tabasco.verify.intel.dcap import verify_dcap
from tabasco.verify.intel.quote import parse_quote
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means, missing
from tabasco.verify.measured_boot import verify_tpm
from tabasco.verify.nvidia import nras
from tabasco.verify.nvidia.device import NVIDIA_DEVICE_ROOT_SHA256, device_type, verify_device
from tabasco.verify.nvidia.evidence_json import DeviceEvidence, parse_devices
from tabasco.verify.nvidia.rim import (
    NVIDIA_RIM_ROOT_SHA256,
    ReferenceManifest,
    prove_manifest,
    verify_manifest,
)
from tabasco.verify.nvidia.spdm import parse_report as parse_spdm
from tabasco.verify.proven import Proven
from tabasco.verify.psa import verify_bundle, verify_psa, verify_result
from tabasco.verify.tpm.azure import certify
from tabasco.verify.tpm.azure_json import parse_azure
from tabasco.verify.tpm.quote import verify_quote


def verify_evidence(data: bytes, kind: EvidenceKind, *, means: Means, at: datetime) -> Proven:
    """What evidence of this kind proves at this time.

    Raises:
        EvidenceError: it proves nothing, or something that the verifier needs is missing.
        AttestationError: likewise, of `psa`, `ear` and `corim`.
    """
    proven = _VERIFIERS[kind](data, means, at)
    if proven.kind != kind:  # one verifier reads quotes of SGX and of TDX
        raise EvidenceError(
            Fault.MALFORMED,
            VerificationStage.FORMAT,
            f"it is evidence of {proven.kind}, not of {kind}",
        )
    return proven


def _dcap(data: bytes, means: Means, at: datetime) -> Proven:
    collateral = means.collateral
    if collateral is None and means.source is not None:
        collateral = means.source.for_quote(data, at)
    if collateral is None:
        parse_quote(data)  # a malformed quote is refused first
        raise missing("collateral", "a quote is verified with Intel's collateral")
    roots = INTEL_ROOTS if means.roots is None else means.roots
    return verify_dcap(data, collateral=collateral, at=at, roots=roots)


def _snp(data: bytes, means: Means, at: datetime) -> Proven:
    return verify_snp(data, endorsements=_endorsements(data, means, at), at=at)


def _endorsements(data: bytes, means: Means, at: datetime) -> Endorsements:
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
            raise missing("chain (--authorities)", "AMD's certificates above the VCEK or VLEK")
        raise missing("certificate", "a report is verified with its VCEK or VLEK and its chain")
    found = means.source.for_report(data, at, certificate=means.certificate)
    return Endorsements(found.key, means.authorities or found.authorities, means.crl or found.crl)


def _nitro(data: bytes, means: Means, at: datetime) -> Proven:
    root = AWS_NITRO_ROOT_SHA256 if means.roots is None else next(iter(means.roots))
    return verify_nitro(data, at=at, nonce=means.nonce, max_age=means.max_age, root_sha256=root)


def _cca(data: bytes, means: Means, _at: datetime) -> Proven:
    return verify_cca(data, key_for=means.key_of, challenge=means.nonce)


def _nvidia(data: bytes, means: Means, at: datetime) -> Proven:
    devices = parse_devices(data) if data.lstrip()[:1] in {b"[", b"{"} else (_device(data, means),)
    proven = [
        verify_device(
            device,
            at=at,
            nonce=means.nonce,
            manifests=_manifests(means, at),
            revoked=means.crl,
            roots=(NVIDIA_DEVICE_ROOT_SHA256,) if means.roots is None else means.roots,
        )
        for device in devices
    ]
    if len(proven) == 1:
        return proven[0]
    if len({each.report_data for each in proven}) > 1:
        raise EvidenceError(
            Fault.NONCE, VerificationStage.BINDING, "the devices answer different nonces"
        )
    names = (f"{device_type(each)}-{number}" for number, each in enumerate(proven))
    parts = dict(zip(names, proven, strict=True))
    return Proven.of_parts(EvidenceKind.NVIDIA, proven[0].report_data, parts)


def _device(data: bytes, means: Means) -> DeviceEvidence:
    chain = b"\n".join(each for each in (means.certificate, means.authorities) if each)
    if not chain:
        parse_spdm(data)  # a malformed report is refused first
        raise missing(
            "chain (--authorities)", "a report is verified with its device's certificates"
        )
    return DeviceEvidence(data, chain)


def _manifests(means: Means, at: datetime) -> list[ReferenceManifest]:
    roots = (NVIDIA_RIM_ROOT_SHA256,) if means.roots is None else means.roots
    found = []
    for each in means.manifests:
        try:
            found.append(verify_manifest(each, at=at, roots=roots))
        except EvidenceError as error:
            raise EvidenceError(
                _OF_COLLATERAL.get(error.fault, error.fault),
                VerificationStage.COLLATERAL,
                f"reference values: {error.detail}",
            ) from error
    return found


_OF_COLLATERAL: Final = {
    Fault.SIGNATURE: Fault.COLLATERAL_SIGNATURE,
    Fault.EXPIRED: Fault.COLLATERAL_EXPIRED,
}


def _nvidia_rim(data: bytes, means: Means, at: datetime) -> Proven:
    roots = (NVIDIA_RIM_ROOT_SHA256,) if means.roots is None else means.roots
    return prove_manifest(data, at=at, roots=roots)


def _nvidia_nras(data: bytes, means: Means, at: datetime) -> Proven:
    if not means.keys:
        nras.parse_bundle(data)  # a malformed bundle is refused first
        raise missing("key set (--key)", "tokens are verified with the keys that NVIDIA publishes")
    return nras.verify_bundle(data, keys=means.keys, at=at, nonce=means.nonce)


def _composite(data: bytes, means: Means, at: datetime) -> Proven:
    proven = {
        name: verify_evidence(
            member.evidence,
            member.kind,
            means=replace(
                means,
                nonce=None,  # processors have it inside their report data: compared for all below
                certificate=member.certificate or means.certificate,
                authorities=member.authorities or means.authorities,
            ),
            at=at,
        )
        for name, member in parse_composite(data).items()
    }
    return proven_together(proven, nonce=means.nonce)


def _tpm_azure(data: bytes, means: Means, at: datetime) -> Proven:
    parts = parse_azure(data)
    if parts.report.kind is EvidenceKind.SEV_SNP:
        with_key = replace(means, certificate=parts.hardware)
        hardware = _snp(parts.report.hardware, with_key, at)
    else:
        hardware = _dcap(parts.hardware, means, at)
    key = certify(parts.report, hardware)
    quoted = verify_quote(
        parts.message, parts.signature, parts.registers, key=key, nonce=means.nonce
    )
    return replace(
        hardware,
        kind=EvidenceKind.TPM_AZURE,
        measurements={**hardware.measurements, **quoted.measurements},
        report_data=quoted.report_data,
        valid_until=min(hardware.valid_until, quoted.valid_until),
        facts={**hardware.facts, **quoted.facts, "hardware": hardware.kind},
        named=(*hardware.named, *quoted.named),
    )


def _confidential_space(data: bytes, means: Means, at: datetime) -> Proven:
    if means.audience is None:
        raise missing("audience (--audience)", "a token for somebody else is a relayed one")
    nonce = None if means.nonce is None else means.nonce.decode("utf-8", "replace")
    return verify_confidential_space(
        data.decode("ascii", "replace").strip(), at=at, audience=means.audience, nonce=nonce
    )


_VERIFIERS: Final[Mapping[EvidenceKind, Callable[[bytes, Means, datetime], Proven]]] = {
    EvidenceKind.SGX: _dcap,
    EvidenceKind.TDX: _dcap,
    EvidenceKind.SEV_SNP: _snp,
    EvidenceKind.NITRO: _nitro,
    EvidenceKind.ARM_CCA: _cca,
    EvidenceKind.TPM: verify_tpm,
    EvidenceKind.TPM_AZURE: _tpm_azure,
    EvidenceKind.NVIDIA: _nvidia,
    EvidenceKind.NVIDIA_RIM: _nvidia_rim,
    EvidenceKind.NVIDIA_NRAS: _nvidia_nras,
    EvidenceKind.COMPOSITE: _composite,
    EvidenceKind.CONFIDENTIAL_SPACE: _confidential_space,
    EvidenceKind.PSA: verify_psa,
    EvidenceKind.EAR: verify_result,
    EvidenceKind.CORIM: verify_bundle,
}
