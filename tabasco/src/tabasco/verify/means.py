"""What a verifier may use besides the evidence, and the error of what it lacks."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Protocol, Self

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cose.verification import MacKey
from psa_attestation.evidence.native import AuxiliaryPart, NativeEvidence
from tabasco.verify.amd.snp import Endorsements
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.intel.collateral import Collateral
from tabasco.verify.jose.keys import TokenKey
from tabasco.verify.tpm.endorsement import EndorsedKey
from veracruz_utils.frozen import frozen

PublicKey = ec.EllipticCurvePublicKey
"""Of those that sign PSA and CCA tokens, results and bundles."""


class CollateralSource(Protocol):
    """Where collateral is found that was not given, such as a store on disk."""

    def for_quote(self, data: bytes, at: datetime) -> Collateral:
        """Intel's collateral for a quote, or an `EvidenceError`."""

    def for_report(self, data: bytes, at: datetime, *, certificate: bytes | None) -> Endorsements:
        """AMD's certificates for a report of SEV-SNP, or an `EvidenceError`."""

    def manifests_for(self, subjects: Collection[tuple[str, str]], at: datetime) -> list[bytes]:
        """NVIDIA's reference values of chips and versions, as far as there are any."""

    def revoked_for(self, certificate: bytes, at: datetime) -> bytes | None:
        """AMD's list for a VCEK or VLEK; None where none is kept."""


@frozen
class CandidateKey:
    """A key that may have signed, and the name that its file gives it, if any."""

    key: TokenKey
    kid: str | None = None


@frozen
class Means:
    """What a verifier may use besides the evidence; each kind says what it is without.

    Attributes:
        collateral: of SGX and TDX.
        certificate: the VCEK or VLEK of SEV-SNP, or a TPM's attestation key's; DER or PEM.
        authorities: the certificates above it, PEM; of NVIDIA's devices all, the signer's first.
        crl: the list of revoked certificates, DER.
        manifests: NVIDIA's reference values (RIM), XML; without any, those of `source`.
        keys: that may have signed, by the instance id or key id that they are registered for; `*`
            stands for any. Those of RSA are of tokens of services and of TPMs.
        candidates: more keys that may have signed; `candidates.with_each_key` says which count.
        mac_key: that a COSE_Mac0 token is authenticated with.
        nonce: what the evidence has to answer; None leaves that unproven.
        audience: whom a Confidential Space token is for.
        max_age: of a Nitro document, which names its own time, where no nonce is expected.
        quotes: that belong to a paravisor's report of Azure: of its virtual TPM, of its TD.
        event_log: that the registers have to be explained by.
        registered: finds the key of a platform by its instance id, where none is in `keys`.
        source: of collateral and certificates that are not given.
        roots: SHA-256 digests of roots to trust instead of the vendor's: of SGX, TDX, Nitro,
            NitroTPM, NVIDIA and Confidential Space.
        device_roots: SHA-256 digests of roots of NVIDIA's devices to trust besides those.
        endorsed: the key of a TPM, and what it has proven of where it lives.
        key_roots: certificates (DER) to trust, above the `certificate` of a TPM's attestation key.
    """

    collateral: Collateral | None = None
    certificate: bytes | None = None
    authorities: bytes | None = None
    crl: bytes | None = None
    manifests: tuple[bytes, ...] = ()
    keys: Mapping[str, TokenKey] = field(default_factory=dict)
    candidates: tuple[CandidateKey, ...] = ()
    mac_key: MacKey | None = None
    nonce: bytes | None = None
    audience: str | None = None
    max_age: timedelta = timedelta(minutes=5)
    registered: Callable[[bytes], PublicKey | None] | None = None
    source: CollateralSource | None = None
    roots: Collection[bytes] | None = None
    device_roots: Collection[bytes] = ()
    endorsed: EndorsedKey | None = None
    key_roots: tuple[bytes, ...] = ()
    quotes: tuple[bytes, ...] = ()
    event_log: bytes | None = None

    @property
    def curve_keys(self) -> dict[str, PublicKey]:
        """Those of `keys` that are on a curve."""
        return {
            name: key
            for name, key in self.keys.items()
            if isinstance(key, ec.EllipticCurvePublicKey)
        }

    @property
    def every_key(self) -> tuple[TokenKey, ...]:
        """All that may have signed, each once, whatever they are given for."""
        found: list[TokenKey] = []
        for key in (*self.keys.values(), *(each.key for each in self.candidates)):
            if key not in found:  # they compare, and have no hash
                found.append(key)
        return tuple(found)

    def key_of(self, identifier: bytes) -> PublicKey | None:
        """The key registered for an instance id."""
        keys = self.curve_keys
        found = keys.get(identifier.hex()) or keys.get("*")
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
        device_roots: Collection[bytes] = (),
    ) -> Self:
        """What goes with evidence, and where the rest is found."""
        return cls(
            certificate=native.auxiliary.get(AuxiliaryPart.CERTIFICATE),
            authorities=native.auxiliary.get(AuxiliaryPart.AUTHORITIES),
            event_log=native.auxiliary.get(AuxiliaryPart.EVENT_LOG),
            source=source,
            registered=registered,
            roots=roots,
            device_roots=device_roots,
        )


def missing(what: str, why: str, option: str, *, importable: bool = False) -> EvidenceError:
    """The error of a verification that lacks `what`, which an option of `tabasco verify` gives."""
    more = ", or import it into the store: tabasco collateral import FILE" if importable else ""
    return EvidenceError(
        Fault.COLLATERAL_MISSING,
        VerificationStage.COLLATERAL,
        f"no {what} was given: {why}",
        remedy=f"give it: {option}{more}",
    )
