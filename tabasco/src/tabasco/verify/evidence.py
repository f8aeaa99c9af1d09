"""One way to have any kind of evidence verified: `verify_evidence`, and what it needs, `Means`.

What comes out is `Proven`, whatever the kind: facts that hold, and nothing yet about whether they
are acceptable. Only a verifier makes one, so that what was merely parsed cannot reach a policy.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.corim.bundle import Corim, read_unsigned_corim, verify_corim
from psa_attestation.cose.verification import MacKey
from psa_attestation.errors import AttestationError
from psa_attestation.results.appraisal import Tier
from psa_attestation.results.ear import verify_ear
from psa_attestation.results.ear_claims import Ear, EarProfile
from psa_attestation.results.ear_jwt import verify_ear_jwt
from psa_attestation.tokens.claims import Claims, PsaProfile
from psa_attestation.tokens.lifecycle import Lifecycle
from psa_attestation.tokens.token import read_unverified_claims, verify_token
from psa_attestation.tokens.veracruz_2021 import is_2021_token, verify_2021_token
from tabasco.verify.amd.report import parse_report
from tabasco.verify.amd.snp import Endorsements, verify_snp
from tabasco.verify.arm.cca import NO_END, verify_cca
from tabasco.verify.aws.nitro import AWS_NITRO_ROOT_SHA256, verify_nitro
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.google.confidential_space import verify_confidential_space
from tabasco.verify.intel.collateral import INTEL_ROOTS, Collateral
from tabasco.verify.intel.dcap import verify_dcap
from tabasco.verify.intel.quote import parse_quote
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import ATTESTATION_KEY, Concern, Proven
from tabasco.verify.tpm.azure import certify
from tabasco.verify.tpm.azure_json import parse_azure
from tabasco.verify.tpm.quote import registered_key, verify_quote
from tabasco.verify.tpm.quote_json import parse_tpm

PublicKey = ec.EllipticCurvePublicKey
_TRUSTED_STATES: Final = frozenset({Lifecycle.SECURED, Lifecycle.NON_PSA_ROT_DEBUG})


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
        certificate: the VCEK or VLEK of SEV-SNP, DER or PEM.
        authorities: AMD's certificates above it, PEM.
        crl: AMD's list of revoked certificates, DER.
        keys: that may have signed, by the instance id or key id that they are registered for; `*`
            stands for any.
        mac_key: that a COSE_Mac0 token is authenticated with.
        nonce: what the evidence has to answer; None leaves that unproven.
        audience: whom a Confidential Space token is for.
        max_age: of a Nitro document, which names its own time.
        registered: finds the key of a platform by its instance id, where none is in `keys`.
        source: of collateral and certificates that are not given.
        roots: SHA-256 digests of roots of SGX, TDX and Nitro to trust instead of the vendor's.
    """

    collateral: Collateral | None = None
    certificate: bytes | None = None
    authorities: bytes | None = None
    crl: bytes | None = None
    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    mac_key: MacKey | None = None
    nonce: bytes | None = None
    audience: str | None = None
    max_age: timedelta = timedelta(minutes=5)
    registered: Callable[[bytes], PublicKey | None] | None = None
    source: CollateralSource | None = None
    roots: Collection[bytes] | None = None

    def key_of(self, identifier: bytes) -> PublicKey | None:
        """The key registered for an instance id."""
        found = self.keys.get(identifier.hex()) or self.keys.get("*")
        if found is None and self.registered is not None:
            return self.registered(identifier)
        return found


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
        parse_quote(data)  # what is no quote is told first
        raise missing("collateral", "a quote is verified with Intel's collateral")
    roots = INTEL_ROOTS if means.roots is None else means.roots
    return verify_dcap(data, collateral=collateral, at=at, roots=roots)


def _snp(data: bytes, means: Means, at: datetime) -> Proven:
    return verify_snp(data, endorsements=_endorsements(data, means, at), at=at)


def _endorsements(data: bytes, means: Means, at: datetime) -> Endorsements:
    if means.certificate is not None and means.authorities is not None:
        revoked = means.crl
        if revoked is None and means.source is not None:
            revoked = means.source.revoked_for(means.certificate, at)
        return Endorsements(means.certificate, means.authorities, revoked)
    if means.source is None:
        parse_report(data)  # what is no report is told first
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


def _tpm_azure(data: bytes, means: Means, at: datetime) -> Proven:
    parts = parse_azure(data)
    if parts.report.kind == "sev-snp":
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
    )


def _tpm(data: bytes, means: Means, _at: datetime) -> Proven:
    parts = parse_tpm(data)
    digest = hashlib.sha256(parts.public_key).digest()
    key = registered_key(parts.public_key, registered={digest}, valid_until=NO_END)
    quoted = verify_quote(
        parts.message, parts.signature, parts.registers, key=key, nonce=means.nonce
    )
    values = b"".join(parts.registers["sha256"].values())
    return replace(
        quoted,
        measurements={"pcrs": hashlib.sha256(values).digest(), **quoted.measurements},
        facts={**quoted.facts, "certified-by": "nobody", ATTESTATION_KEY: digest.hex()},
        concerns=(
            Concern(
                "tpm.uncertified-key",
                Fault.UNKNOWN_SIGNER,
                f"nobody certifies attestation key {digest.hex()}: a policy has to name it",
            ),
        ),
    )


def _confidential_space(data: bytes, means: Means, at: datetime) -> Proven:
    if means.audience is None:
        raise missing("audience (--audience)", "a token for somebody else is a relayed one")
    nonce = None if means.nonce is None else means.nonce.decode("utf-8", "replace")
    return verify_confidential_space(
        data.decode("ascii", "replace").strip(), at=at, audience=means.audience, nonce=nonce
    )


def _psa(data: bytes, means: Means, at: datetime) -> Proven:
    if is_2021_token(data):
        return _veracruz_2021(data, means, at)
    every = frozenset(PsaProfile)
    nonce = means.nonce
    if nonce is None:  # it is authentic or not all the same
        nonce = read_unverified_claims(data, profiles=every).nonce
    claims = verify_token(
        data,
        key_for=lambda identifier: means.mac_key or means.key_of(identifier),
        nonce=nonce,
        profiles=every,
        lifecycles=_TRUSTED_STATES,
    )
    return Proven(
        kind=EvidenceKind.PSA,
        measurements=_components(claims),
        report_data=claims.nonce,
        debug=claims.lifecycle_state is not Lifecycle.SECURED,
        valid_until=NO_END,
        facts={
            "profile": claims.profile.value,
            "instance-id": claims.instance_id.hex(),
            "implementation-id": claims.implementation_id.hex(),
            "lifecycle": claims.lifecycle_state.name.lower(),
            "client-id": str(claims.client_id),
        },
        concerns=()
        if claims.profile is PsaProfile.RFC9783
        else (
            Concern(
                "psa.old-profile",
                Fault.UNSUPPORTED_VERSION,
                f"the token is of profile {claims.profile.value}, older than RFC 9783",
            ),
        ),
    )


def _veracruz_2021(data: bytes, means: Means, _at: datetime) -> Proven:
    key = means.mac_key or means.keys.get("*")
    if key is None:
        raise missing("key (--key)", "a token of 2021 names no instance, so nor may its key")
    claims = verify_2021_token(data, key=key, nonce=means.nonce)
    return Proven(
        kind=EvidenceKind.PSA,
        measurements={"enclave": claims.measurement},
        report_data=claims.challenge,
        debug=None,
        valid_until=NO_END,
        facts={
            "profile": "veracruz-2021",
            "certificate-digest": claims.certificate_digest.hex(),
            "enclave-name": claims.enclave_name.decode("ascii", "backslashreplace"),
        },
        concerns=(
            Concern(
                "psa.old-profile",
                Fault.UNSUPPORTED_VERSION,
                "the token has the claims of 2021, which say nothing of the device's state",
            ),
        ),
    )


def _components(claims: Claims) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for index, component in enumerate(claims.software_components):
        name = component.measurement_type or "component"
        found[name if name not in found else f"{name}#{index}"] = component.measurement
    return found


def _ear(data: bytes, means: Means, at: datetime) -> Proven:
    if not means.keys:
        raise missing("key", "a result is verified with the key its verifier publishes")
    moment, profiles = int(at.timestamp()), frozenset(EarProfile)
    if data.lstrip()[:1] == b"e":
        text = data.decode("ascii", "replace").strip()
        ear = verify_ear_jwt(text, keys=means.keys, nonce=means.nonce, at=moment, profiles=profiles)
        return _result(ear)
    key = next(iter(means.keys.values()))
    nonce = means.nonce
    if nonce is None:
        raise missing("nonce", "a result as CWT answers a nonce")
    return _result(verify_ear(data, key=key, nonce=nonce, at=moment, profiles=profiles))


def _result(ear: Ear) -> Proven:
    concerns = [
        Concern(
            f"ear.{name}={appraisal.status.name.lower()}",
            Fault.RESULT_STATUS,
            f"the verifier says {appraisal.status.name.lower()} of {name}",
        )
        for name, appraisal in ear.submods.items()
        if appraisal.status is not Tier.AFFIRMING
    ]
    return Proven(
        kind=EvidenceKind.EAR,
        measurements={},
        report_data=ear.nonce or b"",
        debug=None,
        valid_until=datetime.fromtimestamp(ear.expires_at, UTC),
        facts={
            "verifier": f"{ear.verifier.developer} {ear.verifier.build}",
            "profile": ear.profile.value,
            **{f"status.{name}": part.status.name.lower() for name, part in ear.submods.items()},
        },
        concerns=tuple(concerns),
    )


def _corim(data: bytes, means: Means, at: datetime) -> Proven:
    moment = int(at.timestamp())
    if data[:1] == b"\xd9":
        corim = read_unsigned_corim(data, at=moment)
        raise EvidenceError(
            Fault.UNSIGNED,
            VerificationStage.SIGNATURE,
            f"bundle {_name(corim)} is not signed by anybody",
        )
    if not means.keys:
        raise missing("key", "a bundle is verified with its provider's key")
    corim = verify_corim(data, key=next(iter(means.keys.values())), at=moment)
    end = NO_END if corim.not_after is None else datetime.fromtimestamp(corim.not_after, UTC)
    return Proven(
        kind=EvidenceKind.CORIM,
        measurements={},
        report_data=b"",
        debug=None,
        valid_until=end,
        facts={
            "id": _name(corim),
            "profile": corim.profile or "none",
            "signer": corim.signer or "none",
            "tags": str(len(corim.comids)),
        },
    )


def _name(corim: Corim) -> str:
    return corim.id if isinstance(corim.id, str) else corim.id.hex()


def missing(what: str, why: str) -> EvidenceError:
    """The error of a verification that lacks `what`."""
    return EvidenceError(
        Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL, f"no {what} was given: {why}"
    )


_VERIFIERS: Final[Mapping[EvidenceKind, Callable[[bytes, Means, datetime], Proven]]] = {
    EvidenceKind.SGX: _dcap,
    EvidenceKind.TDX: _dcap,
    EvidenceKind.SEV_SNP: _snp,
    EvidenceKind.NITRO: _nitro,
    EvidenceKind.ARM_CCA: _cca,
    EvidenceKind.TPM: _tpm,
    EvidenceKind.TPM_AZURE: _tpm_azure,
    EvidenceKind.CONFIDENTIAL_SPACE: _confidential_space,
    EvidenceKind.PSA: _psa,
    EvidenceKind.EAR: _ear,
    EvidenceKind.CORIM: _corim,
}

REFUSALS: Final = (EvidenceError, AttestationError)
"""What `verify_evidence` raises."""
