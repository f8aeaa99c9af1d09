"""What `psa_attestation` reads, as evidence: PSA tokens, attestation results, signed bundles."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.corim.bundle import Corim, read_unsigned_corim, verify_corim
from psa_attestation.cose.verification import MacKey
from psa_attestation.jose.jws import kid_of
from psa_attestation.results.appraisal import Tier
from psa_attestation.results.ear import verify_ear
from psa_attestation.results.ear_claims import Ear, EarProfile
from psa_attestation.results.ear_jwt import verify_ear_jwt
from psa_attestation.tokens.claims import Claims, PsaProfile
from psa_attestation.tokens.lifecycle import Lifecycle
from psa_attestation.tokens.token import read_unverified_claims, verify_token
from psa_attestation.tokens.veracruz_2021 import is_2021_token, verify_2021_token
from tabasco.verify import named
from tabasco.verify.components import FirmwareComponent, measurements_of_components
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means, missing
from tabasco.verify.named import Named, Subject
from tabasco.verify.proven import NO_END, Concern, Proven

_TRUSTED_STATES: Final = frozenset({Lifecycle.SECURED, Lifecycle.NON_PSA_ROT_DEBUG})


def verify_psa(data: bytes, means: Means, at: datetime) -> Proven:
    """What a PSA token proves, of any profile or of 2021."""
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
        measurements=dict(measurements_of_components(_components(claims))),
        components=_components(claims),
        report_data=claims.nonce,
        debug=claims.lifecycle_state is not Lifecycle.SECURED,
        valid_until=NO_END,
        named=tuple(_named(claims, means)),
        facts={
            "profile": claims.profile.value,
            "instance-id": claims.instance_id.hex(),
            "implementation-id": claims.implementation_id.hex(),
            "lifecycle": claims.lifecycle_state.name.lower(),
            "client-id": claims.client_id,
            **_isolation(claims),
            **_versions(claims),
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


def _named(claims: Claims, means: Means) -> Iterator[Named]:
    yield Named(Subject.INSTANCE, "instance-id", claims.instance_id)
    signer = None if means.mac_key is not None else means.key_of(claims.instance_id)
    if signer is not None:
        yield named.key("attestation key", signer)


def _isolation(claims: Claims) -> dict[str, str]:
    """Our claim of the layers in force, where the token makes it."""
    layers = claims.isolation
    return {} if layers is None else {"isolation": " ".join(sorted(layers)) or "none"}


def _veracruz_2021(data: bytes, means: Means, _at: datetime) -> Proven:
    key = means.mac_key or means.curve_keys.get("*")
    if key is None:
        raise missing("key", "a token of 2021 names no instance, so nor may its key", "--key FILE")
    claims = verify_2021_token(data, key=key, nonce=means.nonce)
    return Proven(
        kind=EvidenceKind.PSA,
        measurements={"enclave": claims.measurement},
        report_data=claims.challenge,
        debug=None,
        valid_until=NO_END,
        named=() if isinstance(key, MacKey) else (named.key("attestation key", key),),
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


def _components(claims: Claims) -> tuple[FirmwareComponent, ...]:
    found: dict[str, FirmwareComponent] = {}
    for each in claims.software_components:
        name = each.measurement_type or "component"
        # A type can be any text: also one that looks like another component's second, or signer.
        if name in found or "#" in name or name.endswith(".signer"):
            name = f"{name}#{len(found)}"
        found[name] = FirmwareComponent(
            name, each.measurement_type, each.measurement, each.signer_id, each.version
        )
    return tuple(found.values())


def _versions(claims: Claims) -> dict[str, str]:
    return {f"{each.name}.version": each.version for each in _components(claims) if each.version}


def verify_result(data: bytes, means: Means, at: datetime) -> Proven:
    """What an attestation result proves, as CWT or JWT: what its verifier says."""
    keys = means.curve_keys
    if not keys:
        raise missing("key", "a result is verified with the key its verifier publishes", "--key")
    moment, profiles = int(at.timestamp()), frozenset(EarProfile)
    if data.lstrip()[:1] == b"e":
        text = data.decode("ascii", "replace").strip()
        ear = verify_ear_jwt(text, keys=keys, nonce=means.nonce, at=moment, profiles=profiles)
        signer = keys.get(kid_of(text) or "*") or keys.get("*") or next(iter(keys.values()))
        return _result(ear, signer)
    key = keys.get("*") or next(iter(keys.values()))
    nonce = means.nonce
    if nonce is None:
        raise missing("nonce", "a result as CWT answers the one that was sent with", "--nonce")
    return _result(verify_ear(data, key=key, nonce=nonce, at=moment, profiles=profiles), key)


def _result(ear: Ear, signer: ec.EllipticCurvePublicKey) -> Proven:
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
        named=(named.key("result key", signer),),
    )


def verify_bundle(data: bytes, means: Means, at: datetime) -> Proven:
    """What a signed bundle of reference values proves: who says what is in it."""
    moment = int(at.timestamp())
    if data[:1] == b"\xd9":
        corim = read_unsigned_corim(data, at=moment)
        raise EvidenceError(
            Fault.UNSIGNED,
            VerificationStage.SIGNATURE,
            f"bundle {_name(corim)} is not signed by anybody",
        )
    keys = means.curve_keys
    if not keys:
        raise missing("key", "a bundle is verified with its provider's key", "--key")
    key = keys.get("*") or next(iter(keys.values()))
    corim = verify_corim(data, key=key, at=moment)
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
            "tags": len(corim.comids),
        },
        named=(named.key("provider's key", key),),
    )


def _name(corim: Corim) -> str:
    return corim.id if isinstance(corim.id, str) else corim.id.hex()
