"""One way to have any kind of evidence verified: `verify_evidence`.

What comes out is `Proven`, whatever the kind: facts that hold, and nothing yet about whether they
are acceptable. Only a verifier makes one, so that what was merely parsed cannot reach a policy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NoReturn

from tabasco.verify.arm.cca import verify_cca
from tabasco.verify.aws.nitro import AWS_NITRO_ROOT_SHA256, verify_nitro
from tabasco.verify.candidates import KeyNaming, names_key, with_each_key
from tabasco.verify.clouds_tpm import verify_azure, verify_nitro_tpm
from tabasco.verify.composite import parse_composite, proven_together
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.eventlog.beside import events_beside
from tabasco.verify.google.confidential_space import GOOGLE_ROOT_SHA256, verify_confidential_space
from tabasco.verify.hardware import verify_amd, verify_intel
from tabasco.verify.hygon.csv import refuse_csv
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means, missing
from tabasco.verify.measured_boot import verify_tpm
from tabasco.verify.microsoft.maa import verify_maa
from tabasco.verify.nvidia import nras
from tabasco.verify.nvidia.device import (
    NVIDIA_DEVICE_ROOT_SHA256,
    device_type,
    verify_device,
    versions_of,
)
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
from tabasco.verify.unsigned import refuse_eat, refuse_event_log


def verify_evidence(data: bytes, kind: EvidenceKind, *, means: Means, at: datetime) -> Proven:
    """What evidence of this kind proves at this time.

    Raises:
        EvidenceError: it proves nothing, or something that the verifier needs is missing.
        AttestationError: likewise, of `psa`, `ear` and `corim`.
    """
    verifier = _VERIFIERS[kind]
    proven = with_each_key(means, _naming(data, kind), lambda each: verifier(data, each, at))
    if proven.kind != kind:  # one verifier reads quotes of SGX and of TDX
        raise EvidenceError(
            Fault.MALFORMED,
            VerificationStage.FORMAT,
            f"it is evidence of {proven.kind}, not of {kind}",
        )
    if means.event_log is None:
        return proven
    events = events_beside(means.event_log, proven)
    return replace(proven, events=events)


def _naming(data: bytes, kind: EvidenceKind) -> KeyNaming:
    match kind:
        case EvidenceKind.NVIDIA_NRAS:
            return KeyNaming.KID
        case EvidenceKind.CONFIDENTIAL_SPACE | EvidenceKind.MAA | EvidenceKind.EAR:
            return KeyNaming.KID if names_key(data) else KeyNaming.NOTHING
        case EvidenceKind.TPM:
            return KeyNaming.ITSELF
        case EvidenceKind.PSA | EvidenceKind.ARM_CCA | EvidenceKind.COMPOSITE:
            return KeyNaming.INSTANCE
        case _:
            return KeyNaming.NOTHING


def _nitro(data: bytes, means: Means, at: datetime) -> Proven:
    roots = (AWS_NITRO_ROOT_SHA256,) if means.roots is None else means.roots
    return verify_nitro(data, at=at, nonce=means.nonce, max_age=means.max_age, roots=roots)


def _cca(data: bytes, means: Means, _at: datetime) -> Proven:
    return verify_cca(data, key_for=means.key_of, challenge=means.nonce)


def _nvidia(data: bytes, means: Means, at: datetime) -> Proven:
    devices = parse_devices(data) if data.lstrip()[:1] in {b"[", b"{"} else (_device(data, means),)
    manifests = _manifests(devices, means, at)
    pinned = (NVIDIA_DEVICE_ROOT_SHA256,) if means.roots is None else means.roots
    proven = [
        verify_device(
            device,
            at=at,
            nonce=means.nonce,
            manifests=manifests,
            revoked=means.crl,
            roots={*pinned, *means.device_roots},
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
            "chain", "a report is verified with its device's certificates", "--authorities"
        )
    return DeviceEvidence(data, chain)


def _manifests(
    devices: Sequence[DeviceEvidence], means: Means, at: datetime
) -> list[ReferenceManifest]:
    # Beside roots that are given: one for devices says nothing about NVIDIA's other authority.
    roots = {NVIDIA_RIM_ROOT_SHA256, *(means.roots or ())}
    given: Sequence[bytes] = means.manifests
    if not given and means.source is not None:
        wanted = {each for device in devices for each in versions_of(device)}
        given = means.source.manifests_for(wanted, at)
    found = []
    for each in given:
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
    if not means.curve_keys:
        nras.parse_bundle(data)  # a malformed bundle is refused first
        raise missing("key set", "tokens are verified with the keys that NVIDIA publishes", "--key")
    return nras.verify_bundle(data, keys=means.curve_keys, at=at, nonce=means.nonce)


def _composite(data: bytes, means: Means, at: datetime) -> Proven:
    proven = {
        name: verify_evidence(
            member.evidence,
            member.kind,
            means=replace(
                means,
                event_log=None,
                nonce=None,  # processors have it inside their report data: compared for all below
                certificate=member.certificate or means.certificate,
                authorities=member.authorities or means.authorities,
            ),
            at=at,
        )
        for name, member in parse_composite(data).items()
    }
    return proven_together(proven, nonce=means.nonce)


def _confidential_space(data: bytes, means: Means, at: datetime) -> Proven:
    if means.audience is None:
        raise missing("audience", "a token for somebody else is a relayed one", "--audience")
    roots = (GOOGLE_ROOT_SHA256,) if means.roots is None else means.roots
    return verify_confidential_space(
        data.strip(),
        at=at,
        audience=means.audience,
        nonce=means.nonce,
        keys=means.keys,
        roots=roots,
    )


def _maa(data: bytes, means: Means, at: datetime) -> Proven:
    return verify_maa(data.strip(), at=at, keys=means.keys, nonce=means.nonce)


def _refused(refuse: Callable[[bytes], NoReturn]) -> Callable[[bytes, Means, datetime], Proven]:
    return lambda data, _means, _at: refuse(data)


_VERIFIERS: Final[Mapping[EvidenceKind, Callable[[bytes, Means, datetime], Proven]]] = {
    EvidenceKind.SGX: verify_intel,
    EvidenceKind.TDX: verify_intel,
    EvidenceKind.SEV_SNP: verify_amd,
    EvidenceKind.NITRO: _nitro,
    EvidenceKind.NITRO_TPM: verify_nitro_tpm,
    EvidenceKind.ARM_CCA: _cca,
    EvidenceKind.TPM: verify_tpm,
    EvidenceKind.TPM_AZURE: verify_azure,
    EvidenceKind.NVIDIA: _nvidia,
    EvidenceKind.NVIDIA_RIM: _nvidia_rim,
    EvidenceKind.NVIDIA_NRAS: _nvidia_nras,
    EvidenceKind.COMPOSITE: _composite,
    EvidenceKind.CONFIDENTIAL_SPACE: _confidential_space,
    EvidenceKind.MAA: _maa,
    EvidenceKind.PSA: verify_psa,
    EvidenceKind.EAR: verify_result,
    EvidenceKind.CORIM: verify_bundle,
    EvidenceKind.CSV: _refused(refuse_csv),
    EvidenceKind.EAT: _refused(refuse_eat),
    EvidenceKind.EVENT_LOG: _refused(refuse_event_log),
}
