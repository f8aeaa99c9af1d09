"""Enrolment by evidence of hardware: verified, bound to the enrolment, and accepted by a policy.

A root attester in an SGX enclave, a TDX or SEV-SNP machine, a Nitro enclave or an Arm CCA realm has
its platform make evidence over the binding of its enrolment
(`psa_attestation.evidence.native.report_data_of`). It enrols when that is authentic and the
appraisal policy in force accepts what it proves; without a policy nothing is.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from psa_attestation.errors import AttestationError
from psa_attestation.evidence.native import NativeEvidence, report_data_of
from tabasco.appraisal.policy import Decision
from tabasco.errors import RefusalError, RejectionReason, TabascoError
from tabasco.registry.platform_keys import PlatformKeys
from tabasco.registry.policies import Policies, StoredPolicy
from tabasco.registry.reference_values import ReferenceValues
from tabasco.registry.roots import Roots
from tabasco.service.credentials import Credentials
from tabasco.service.software_root import NativeResult
from tabasco.verify import EvidenceError, Proven
from tabasco.verify.errors import Fault
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import CollateralSource, Means
from tabasco.verify.tpm.endorsement import EndorsedKey

MEASURED: Final[Mapping[EvidenceKind, str]] = {
    EvidenceKind.SGX: "mrenclave",
    EvidenceKind.TDX: "mrtd",
    EvidenceKind.SEV_SNP: "measurement",
    EvidenceKind.NITRO: "pcr0",
    EvidenceKind.TPM: "pcrs",
    EvidenceKind.ARM_CCA: "rim",
}
"""The kinds of evidence to enrol by, and which measurement stands for the attester."""
APPRAISED: Final = frozenset({*MEASURED, EvidenceKind.NVIDIA, EvidenceKind.COMPOSITE})
"""The kinds of evidence that sessions are about."""
_WITH_DEVICES: Final = frozenset({EvidenceKind.NVIDIA, EvidenceKind.COMPOSITE})
_OVER_THE_BINDING: Final = frozenset(
    {EvidenceKind.TPM, EvidenceKind.NVIDIA, EvidenceKind.COMPOSITE}
)


class HardwareRoot:
    """`NativeVerifier` of one kind of hardware evidence; its platform has the kind's name.

    Args:
        kind: one of `APPRAISED`; to enrol by, one of `MEASURED`.
        policies: of which the one in force decides.
        references: that it may draw on.
        source: of collateral.
        platform_keys: of platforms whose evidence comes without a certificate.
        roots: SHA-256 digests of roots to trust instead of the vendor's.
        registered_roots: of which those of NVIDIA's devices count besides.
        credentials: by which the keys of TPMs prove where they live.
    """

    def __init__(
        self,
        kind: EvidenceKind,
        *,
        policies: Policies,
        references: ReferenceValues,
        source: CollateralSource,
        platform_keys: PlatformKeys | None = None,
        roots: Collection[bytes] | None = None,
        registered_roots: Roots | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._roots = roots
        self._registered_roots = registered_roots
        self._credentials = credentials
        self.platform = kind.value
        self._kind = kind
        self._policies = policies
        self._references = references
        self._source = source
        self._platform_keys = platform_keys

    def verify(
        self, evidence: bytes, *, binding: bytes, challenge: bytes, at: datetime
    ) -> NativeResult:
        """What the hardware proves about the root attester that `binding` is about.

        Raises:
            RefusalError: `EVIDENCE_REFUSED`, `EVIDENCE_UNACCEPTABLE`, `ROOT_UNKNOWN`.
        """
        native = self._native(evidence)
        endorsed = self._endorsed(native, challenge, at)
        proven, stored, decision = self._appraised(native, endorsed, binding=binding, at=at)
        if (refused := decision.refused_by) is not None:
            bound = refused.name != "report-data"
            reason = (
                RejectionReason.EVIDENCE_UNACCEPTABLE if bound else RejectionReason.EVIDENCE_REFUSED
            )
            raise RefusalError(reason, _told(refused.name, refused.fault, refused.detail))
        measured = proven.measurements.get(MEASURED[self._kind])
        if measured is None:  # a quote over some registers says nothing of the others
            raise RefusalError(RejectionReason.EVIDENCE_UNACCEPTABLE, "not all registers")
        return NativeResult(
            measurement=measured,
            version=f"policy {stored.version}",
            root_number=self._root_number(endorsed),
            named=proven.revocable,
            proven=proven,
        )

    def appraise(
        self, evidence: bytes, *, binding: bytes, at: datetime
    ) -> tuple[Proven, StoredPolicy, Decision]:
        """What authentic evidence proves, and what the policy in force says of it.

        Raises:
            RefusalError: it proves nothing, or no policy is in force.
        """
        return self._appraised(self._native(evidence), None, binding=binding, at=at)

    def _appraised(
        self, native: NativeEvidence, endorsed: EndorsedKey | None, *, binding: bytes, at: datetime
    ) -> tuple[Proven, StoredPolicy, Decision]:
        proven = self._proven(native, endorsed, at)
        stored = self._policies.in_force()
        if stored is None:
            raise RefusalError(RejectionReason.EVIDENCE_UNACCEPTABLE, "no policy is in force")
        decision = stored.policy.evaluate(
            proven,
            report_data=self._report_data(binding),
            references=lambda kind, name: self._references.accepted(kind, name, at=at),
        )
        return proven, stored, decision

    def _report_data(self, binding: bytes) -> bytes:
        """What evidence of this kind has to be over; some platforms take no more than a digest."""
        return binding if self._kind in _OVER_THE_BINDING else report_data_of(binding)

    def _native(self, evidence: bytes) -> NativeEvidence:
        try:
            native = NativeEvidence.decode(evidence)
        except AttestationError as error:
            raise RefusalError(RejectionReason.EVIDENCE_REFUSED, error.code) from error
        # Each platform has a verifier of its own: evidence of one enrols on no other.
        if native.kind != self._kind:
            raise RefusalError(RejectionReason.EVIDENCE_REFUSED, "other kind")
        return native

    def _endorsed(
        self, native: NativeEvidence, challenge: bytes, at: datetime
    ) -> EndorsedKey | None:
        if self._credentials is None or self._kind is not EvidenceKind.TPM:
            return None
        try:
            return self._credentials.proven(native, challenge=challenge, at=at)
        except EvidenceError as error:
            raise RefusalError(
                RejectionReason.EVIDENCE_REFUSED, f"{error.stage}: {error.fault}"
            ) from error

    def _root_number(self, endorsed: EndorsedKey | None) -> int | None:
        if endorsed is None or self._credentials is None:
            return None
        return self._credentials.root_number(endorsed.endorsement)

    def _proven(self, native: NativeEvidence, endorsed: EndorsedKey | None, at: datetime) -> Proven:
        try:
            means = replace(self._means(native), endorsed=endorsed)
            return verify_evidence(native.raw, self._kind, means=means, at=at)
        except AttestationError as error:
            raise RefusalError(RejectionReason.EVIDENCE_REFUSED, error.code) from error
        except EvidenceError as error:
            told = _told(error.stage, error.fault, error.detail)
            raise RefusalError(RejectionReason.EVIDENCE_REFUSED, told) from error
        except TabascoError as error:  # the store is damaged, which is for our operator
            raise RefusalError(RejectionReason.EVIDENCE_REFUSED, "collateral store") from error

    def _means(self, native: NativeEvidence) -> Means:
        keys, registered = self._platform_keys, self._registered_roots
        return Means.of(
            native,
            source=self._source,
            registered=None if keys is None else keys.finder(self._kind),
            roots=self._roots,
            device_roots=registered.device_roots()
            if registered is not None and self._kind in _WITH_DEVICES
            else (),
        )


def _told(where: str, fault: Fault, detail: str) -> str:
    """For our own log: of events also which one it is, in digests and names of types alone."""
    return f"{where}: {fault}: {detail}" if fault is Fault.EVENT_LOG else f"{where}: {fault}"
