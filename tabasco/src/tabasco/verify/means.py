"""What a verifier may use besides the evidence, and the error of what it lacks."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, Self

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cose.verification import MacKey
from psa_attestation.evidence.native import AuxiliaryPart, NativeEvidence
from tabasco.verify.amd.snp import Endorsements
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.intel.collateral import Collateral
from tabasco.verify.tpm.endorsement import EndorsedKey

PublicKey = ec.EllipticCurvePublicKey


class CollateralSource(Protocol):
    """Where collateral is found that was not given, such as a store on disk."""

    def for_quote(self, data: bytes, at: datetime) -> Collateral:
        """Intel's collateral for a quote, or an `EvidenceError`."""

    def for_report(self, data: bytes, at: datetime, *, certificate: bytes | None) -> Endorsements:
        """AMD's certificates for a report of SEV-SNP, or an `EvidenceError`."""

    def revoked_for(self, certificate: bytes, at: datetime) -> bytes | None:
        """AMD's list for a VCEK or VLEK; None where none is kept."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a verifier may use besides the evidence; each kind says what it is without.

    Attributes:
        collateral: of SGX and TDX.
        certificate: the VCEK or VLEK of SEV-SNP, DER or PEM; of a TPM, its attestation key's.
        authorities: those above it, PEM; of NVIDIA's devices all, the signer's first.
        crl: AMD's or NVIDIA's list of revoked certificates, DER.
        manifests: NVIDIA's reference values (RIM), XML.
        keys: that may have signed, by the instance id or key id that they are registered for; `*`
            stands for any.
        mac_key: that a COSE_Mac0 token is authenticated with.
        nonce: what the evidence has to answer; None leaves that unproven.
        audience: whom a Confidential Space token is for.
        max_age: of a Nitro document, which names its own time.
        registered: finds the key of a platform by its instance id, where none is in `keys`.
        source: of collateral and certificates that are not given.
        roots: SHA-256 digests of roots of SGX, TDX, Nitro and NVIDIA to trust instead of the
            vendor's.
        endorsed: the key of a TPM, and what it has proven of where it lives.
        key_roots: certificates (DER) to trust, above the `certificate` of a TPM's attestation key.
        event_log: what firmware says it measured into the registers of a TPM.
    """

    collateral: Collateral | None = None
    certificate: bytes | None = None
    authorities: bytes | None = None
    crl: bytes | None = None
    manifests: tuple[bytes, ...] = ()
    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    mac_key: MacKey | None = None
    nonce: bytes | None = None
    audience: str | None = None
    max_age: timedelta = timedelta(minutes=5)
    registered: Callable[[bytes], PublicKey | None] | None = None
    source: CollateralSource | None = None
    roots: Collection[bytes] | None = None
    endorsed: EndorsedKey | None = None
    key_roots: tuple[bytes, ...] = ()
    event_log: bytes | None = None

    def key_of(self, identifier: bytes) -> PublicKey | None:
        """The key registered for an instance id."""
        found = self.keys.get(identifier.hex()) or self.keys.get("*")
        if found is None and self.registered is not None:
            return self.registered(identifier)
        return found

    @classmethod
    def of(
        cls,
        native: NativeEvidence,
        *,
        source: CollateralSource,
        registered: Callable[[bytes], PublicKey | None] | None,
        roots: Collection[bytes] | None,
    ) -> Self:
        """What goes with evidence, and where the rest is found."""
        return cls(
            certificate=native.auxiliary.get(AuxiliaryPart.CERTIFICATE),
            authorities=native.auxiliary.get(AuxiliaryPart.AUTHORITIES),
            event_log=native.auxiliary.get(AuxiliaryPart.EVENT_LOG),
            source=source,
            registered=registered,
            roots=roots,
        )


def missing(what: str, why: str) -> EvidenceError:
    """The error of a verification that lacks `what`."""
    return EvidenceError(
        Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL, f"no {what} was given: {why}"
    )
