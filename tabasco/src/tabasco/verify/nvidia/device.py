"""Verifies reports of NVIDIA's GPUs and switches up to NVIDIA's root, offline.

Who vouches for whom: NVIDIA's device identity CA certifies the chips of a kind, they the boot ROM
of one chip, that the key of the firmware it measured, which signs the report. In this order:

    (1) the certificates: pinned root, all valid
    (2) revocation, where one of NVIDIA's lists is given
    (3) the report's signature
    (4) the key was made for the firmware that the report names
    (5) reference values, where NVIDIA's manifests are given: each has to be NVIDIA's

What is measured and what the reference values say instead is a concern: authentic, not acceptable.
A report says nothing of the machine that the device is plugged into: see `composite`.
"""

import hmac
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509

from psa_attestation.cose.verification import verify_signature
from tabasco.verify import named
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Named, Subject
from tabasco.verify.nvidia import opaque
from tabasco.verify.nvidia.certificate import check_firmware, model_of
from tabasco.verify.nvidia.evidence_json import DeviceEvidence
from tabasco.verify.nvidia.rim import ReferenceManifest
from tabasco.verify.nvidia.spdm import SpdmReport, parse_report
from tabasco.verify.proven import REFERENCE_VALUES, Concern, Fact, Proven
from tabasco.verify.x509 import certificates, crl
from veracruz_utils.public_keys import P384, KeyFormatError, ec_key

NVIDIA_DEVICE_ROOT_SHA256: Final = bytes.fromhex(
    "102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48"
)
"""Digest of the certificate `NVIDIA Device Identity CA`, as NVIDIA's verifiers carry it."""
UEID_BYTES: Final = 20
"""Of the id that a device is called by."""


def verify_device(
    device: DeviceEvidence,
    *,
    at: datetime,
    nonce: bytes | None = None,
    manifests: Sequence[ReferenceManifest] = (),
    revoked: bytes | None = None,
    roots: Collection[bytes] = (NVIDIA_DEVICE_ROOT_SHA256,),
) -> Proven:
    """What a report proves, of kind `nvidia`; `report_data` is the nonce that it answers.

    Args:
        device: the report and its certificates, from the signing key's to the root.
        at: the time to verify for, with a time zone.
        nonce: what the report has to answer; None leaves it to the caller.
        manifests: NVIDIA's reference values, verified.
        revoked: a list of revoked certificates in DER, by one of the chain's authorities.
        roots: SHA-256 digests of the roots that are trusted.

    Raises:
        EvidenceError: it proves nothing, or `COLLATERAL_MISMATCH`: no manifest is of this device.
    """
    report = parse_report(device.report)
    fields = opaque.parse_opaque(report.opaque)
    facts = opaque.facts_of(fields)
    chain = certificates.load_pem(device.chain, explained=True)
    end = certificates.check_chain(chain, roots=roots, at=at)  # (1)
    if revoked is not None:
        end = min(end, _check_revocation(revoked, chain, at=at))  # (2)
    _check_signature(report, chain[0])  # (3)
    if opaque.FIRMWARE_ID in fields:
        check_firmware(chain[0], fields[opaque.FIRMWARE_ID])  # (4)
    model = model_of(chain[0])
    _check_said(device, report, model)
    if nonce is not None and not hmac.compare_digest(report.nonce, nonce):
        raise EvidenceError(
            Fault.NONCE,
            VerificationStage.BINDING,
            f"the report answers nonce {report.nonce.hex()}, expected {nonce.hex()}",
        )
    fitting = _fitting(manifests, model, facts)  # (5)
    left_out = opaque.left_out(fields)
    concerns = {
        name: tuple(_differences(name, each, report, left_out)) for name, each in fitting.items()
    }
    return Proven(
        kind=EvidenceKind.NVIDIA,
        measurements={f"measurement{i}": value for i, value in sorted(report.measurements.items())},
        report_data=report.nonce,
        debug=None,
        valid_until=min([end, *(each.valid_until for each in fitting.values())]),
        facts={
            "model": model,
            "ueid": _ueid(chain[0]).hex(),
            **facts,
            REFERENCE_VALUES: " ".join(name for name in fitting if not concerns[name]) or "none",
        },
        warnings=()
        if revoked is not None
        else ("whether NVIDIA revoked the certificates was not checked: no list was given",),
        concerns=tuple(itertools.chain.from_iterable(concerns.values())),
        named=tuple(_named(chain, fitting.values())),
    )


def versions_of(device: DeviceEvidence) -> set[tuple[str, str]]:
    """Of which chip and versions reference values are wanted; nothing of it is verified yet.

    Raises:
        EvidenceError: the report or its certificates are malformed.
    """
    model = model_of(certificates.load_pem(device.chain, explained=True)[0])
    facts = opaque.facts_of(opaque.parse_opaque(parse_report(device.report).opaque))
    return {(model, version) for version in _versions(facts).values()}


def _versions(facts: Mapping[str, Fact]) -> dict[str, str]:
    names = {"driver": opaque.DRIVER_VERSION, "vbios": opaque.FIRMWARE_VERSION}
    return {name: str(facts[fact]).lower() for name, fact in names.items() if fact in facts}


def _named(
    chain: Sequence[x509.Certificate], manifests: Iterable[ReferenceManifest]
) -> Iterator[Named]:
    yield from named.certificates(chain)
    for each in manifests:
        yield from named.certificates(each.signers)
    yield Named(Subject.INSTANCE, "ueid", _ueid(chain[0]))


def _ueid(leaf: x509.Certificate) -> bytes:
    """What NVIDIA's own verifiers call a device by: the serial number of its key's certificate."""
    return leaf.serial_number.to_bytes(UEID_BYTES)


def device_type(proven: Proven) -> str:
    """How a device is called among others: `GPU` or `SWITCH`."""
    return "SWITCH" if str(proven.facts["model"]).startswith("LS") else "GPU"


def _check_revocation(data: bytes, chain: Sequence[x509.Certificate], *, at: datetime) -> datetime:
    listed = crl.load(data)
    for issued, issuer in itertools.pairwise(chain):
        if crl.is_by(listed, issuer):
            end = crl.check(listed, issuer, at=at)
            crl.check_not_revoked(listed, issued)
            return end
    raise EvidenceError(
        Fault.COLLATERAL_MISMATCH,
        VerificationStage.COLLATERAL,
        "the list of revoked certificates is by none of the chain's authorities",
    )


def _check_signature(report: SpdmReport, leaf: x509.Certificate) -> None:
    try:
        key = ec_key(leaf.public_key(), P384)
    except KeyFormatError as error:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM, VerificationStage.CHAIN, f"the signer's key {error}"
        ) from error
    with as_evidence_error("the report is not signed by its certificate's key"):
        verify_signature(key, report.signature, report.signed)


def _check_said(device: DeviceEvidence, report: SpdmReport, model: str) -> None:
    """What stands beside the report is not signed: it must not say something else."""
    if device.nonce is not None and not hmac.compare_digest(device.nonce, report.nonce):
        raise EvidenceError(
            Fault.NONCE,
            VerificationStage.BINDING,
            f"the report answers nonce {report.nonce.hex()}, it came with {device.nonce.hex()}",
        )
    if device.chips is not None and not model.startswith(device.chips):
        raise EvidenceError(
            Fault.CERTIFICATE_MISMATCH,
            VerificationStage.BINDING,
            f"the device is said to be a {device.chips}, its certificate is of a {model}",
        )


def _fitting(
    manifests: Sequence[ReferenceManifest], model: str, facts: Mapping[str, Fact]
) -> dict[str, ReferenceManifest]:
    """The manifests of this device's driver and firmware."""
    versions = _versions(facts)
    found = {
        name: each
        for name, version in versions.items()
        for each in manifests
        if each.product == model and each.version.lower() == version
    }
    if manifests and not found:
        given = ", ".join(f"{each.product} {each.version}" for each in manifests[:8])
        device = ", ".join(f"{name} {version}" for name, version in versions.items())
        raise EvidenceError(
            Fault.COLLATERAL_MISMATCH,
            VerificationStage.COLLATERAL,
            f"the device is a {model} with {device}, the reference values are of {given}",
        )
    both = set.intersection(*(set(each.values) for each in found.values())) if found else set()
    if len(found) > 1 and both:
        raise EvidenceError(
            Fault.COLLATERAL_MISMATCH,
            VerificationStage.COLLATERAL,
            f"the driver's and the firmware's manifest both speak of measurement {min(both)}",
        )
    return found


def _differences(
    name: str, manifest: ReferenceManifest, report: SpdmReport, left_out: Collection[int]
) -> Iterator[Concern]:
    for index, accepted in manifest.values.items():
        found = report.measurements.get(index)
        if index in left_out or found in accepted:
            continue
        wanted = " or ".join(each.hex() for each in accepted)
        shown = "absent" if found is None else found.hex()
        yield Concern(
            f"nvidia.measurement{index}",
            Fault.MEASUREMENT,
            f"measurement {index} is {shown}, NVIDIA's {name} {manifest.version} has {wanted}",
        )
