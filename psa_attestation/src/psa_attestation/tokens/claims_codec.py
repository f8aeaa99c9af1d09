"""PSA claims to and from CBOR, one profile at a time (RFC 9783 sections 4 and 4.6).

Which keys a token may use follows from its profile alone: a token with keys of another profile is
refused whole, or two verifiers could read two nonces from it. Claims that no profile knows are
ignored, as RFC 9783 section 5.1.3 demands.
"""

import itertools
from collections.abc import Collection, Mapping
from typing import Final

from psa_attestation.cbor.decoding import ANY_TAG, DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.members import array, integer, mapping, octets, refused, required, text
from psa_attestation.cbor.values import Encodable, Key, Value
from psa_attestation.errors import ErrorCode
from psa_attestation.tokens._profiles import FOREIGN_KEYS, KEYS, NO_MEASUREMENTS, ProfileKeys
from psa_attestation.tokens.claims import Claims, PsaProfile, SoftwareComponent
from psa_attestation.tokens.instance_id import check_instance_id
from psa_attestation.tokens.lifecycle import lifecycle_of
from veracruz_utils.policy.isolation import IsolationLayer

MAX_COMPONENTS: Final = 64
_MAX_TEXT: Final = 1024
_HASHES: Final = frozenset({32, 48, 64})
_INT32: Final = range(-(2**31), 2**31)


# Our own claims, in tokens of the RFC 9783 profile.
_PLATFORM: Final = -76000
_CERTIFICATE_DIGEST: Final = -76001
_POLICY_DIGEST: Final = -76002
_ISOLATION: Final = -76003
MAX_PLATFORM_CHARS: Final = 64
_MAX_LAYER_CHARS: Final = 64

# Tags are let through because claims nobody knows may carry them; a known claim never does.
_LIMITS: Final = DecodeLimits(max_bytes=8 * 1024, max_items=1024, max_depth=12, tags=ANY_TAG)


def decode_claims(payload: bytes, profiles: Collection[PsaProfile]) -> Claims:
    """The claims that `payload`, a token's content, makes in one of `profiles`.

    Raises:
        AttestationError: stage `encoding` or `claims`.
    """
    members = decode(payload, _LIMITS)
    if not isinstance(members, dict):
        raise refused(ErrorCode.MALFORMED, "the claims are not a map")
    profile = _profile(members, profiles)
    if not FOREIGN_KEYS[profile].isdisjoint(members):
        raise refused(ErrorCode.MIXED_PROFILES, "the token mixes the claim keys of two profiles")
    return _claims(members, profile)


def encode_claims(claims: Claims) -> bytes:
    """`claims` of the RFC 9783 profile in deterministic CBOR."""
    keys = KEYS[PsaProfile.RFC9783]
    members: dict[int, Encodable] = {
        keys.profile: claims.profile.value,
        keys.nonce: claims.nonce,
        keys.client_id: claims.client_id,
        keys.instance_id: claims.instance_id,
        keys.implementation_id: claims.implementation_id,
        keys.lifecycle: claims.lifecycle,
        keys.software_components: [_encode_component(c) for c in claims.software_components],
        keys.boot_seed: claims.boot_seed,
        keys.certification_reference: claims.certification_reference,
        keys.verification_service: claims.verification_service,
        _PLATFORM: claims.platform,
        _CERTIFICATE_DIGEST: claims.certificate_digest,
        _POLICY_DIGEST: claims.policy_digest,
        _ISOLATION: None if claims.isolation is None else sorted(map(str, claims.isolation)),
    }
    return encode(_present(members))


def _present(members: Mapping[int, Encodable]) -> dict[int, Encodable]:
    return {key: member for key, member in members.items() if member is not None}


def _encode_component(component: SoftwareComponent) -> dict[int, Encodable]:
    return _present(
        {
            1: component.measurement_type,
            2: component.measurement,
            4: component.version,
            5: component.signer_id,
            6: component.description,
        }
    )


def _profile(members: Mapping[Key, Value], profiles: Collection[PsaProfile]) -> PsaProfile:
    keys = [key for key in (265, -75000) if key in members]
    if keys:  # with both of them, one is a foreign key of whatever profile the other names
        profile = _named_profile(members, keys[0])
    elif KEYS[PsaProfile.PSA_IOT_1].nonce in members:
        profile = PsaProfile.PSA_IOT_1  # there, and only there, the profile claim is optional
    else:
        raise refused(ErrorCode.MISSING_CLAIM, "the profile (265) is missing")
    if profile not in profiles:
        raise refused(ErrorCode.PROFILE_NOT_ALLOWED, f"profile {profile.value} is not allowed here")
    return profile


def _named_profile(members: Mapping[Key, Value], key: int) -> PsaProfile:
    name = text(members[key], "the profile", max_chars=_MAX_TEXT)
    for profile, keys in KEYS.items():
        if profile.value == name and keys.profile == key:
            return profile
    raise refused(ErrorCode.PROFILE_UNKNOWN, f"profile {name[:80]!r} is not known as claim {key}")


def _claims(members: Mapping[Key, Value], profile: PsaProfile) -> Claims:
    keys = KEYS[profile]
    ours = members if profile is PsaProfile.RFC9783 else {}
    return Claims(
        profile=profile,
        nonce=_nonce(required(members, keys.nonce, "the nonce")),
        client_id=_client_id(required(members, keys.client_id, "the client id")),
        instance_id=_instance_id(required(members, keys.instance_id, "the instance id")),
        implementation_id=octets(
            required(members, keys.implementation_id, "the implementation id"),
            "the implementation id",
            (32,),
            ErrorCode.IMPLEMENTATION_ID_LENGTH,
        ),
        lifecycle=_lifecycle(required(members, keys.lifecycle, "the lifecycle")),
        software_components=_components(members, profile),
        boot_seed=_boot_seed(members, profile),
        certification_reference=_reference(members, keys),
        verification_service=_optional_text(members, keys.verification_service, _MAX_TEXT),
        platform=_optional_text(ours, _PLATFORM, MAX_PLATFORM_CHARS),
        certificate_digest=_optional_digest(ours, _CERTIFICATE_DIGEST),
        policy_digest=_optional_digest(ours, _POLICY_DIGEST),
        isolation=_isolation(ours),
    )


def _nonce(value: Value) -> bytes:
    if isinstance(value, list):  # an EAT nonce may be a list, a PSA nonce may not
        raise refused(ErrorCode.NONCE_MUST_BE_SINGLE, "the nonce is a list, one nonce is expected")
    return octets(value, "the nonce", _HASHES, ErrorCode.NONCE_LENGTH)


def _client_id(value: Value) -> int:
    client_id = integer(value, "the client id", _INT32, ErrorCode.CLIENT_ID_RANGE)
    if client_id == 0:  # by the prose of section 4.1.2; its CDDL lets 0 through
        raise refused(ErrorCode.CLIENT_ID_ZERO, "the client id is 0")
    return client_id


def _instance_id(value: Value) -> bytes:
    return check_instance_id(octets(value, "the instance id", range(2**16)))


def _lifecycle(value: Value) -> int:
    number = integer(value, "the lifecycle", range(2**16), ErrorCode.LIFECYCLE_RANGE)
    lifecycle_of(number)
    return number


def _components(members: Mapping[Key, Value], profile: PsaProfile) -> tuple[SoftwareComponent, ...]:
    key = KEYS[profile].software_components
    if profile is PsaProfile.PSA_IOT_1 and NO_MEASUREMENTS in members:
        if key in members:
            raise refused(ErrorCode.CLAIM_VALUE, "measurements are given and declared absent")
        integer(members[NO_MEASUREMENTS], "no software measurements", (1,))
        return ()
    name = "software components"
    entries = array(required(members, key, name), name, max_entries=MAX_COMPONENTS)
    if not entries:
        raise refused(ErrorCode.SW_COMPONENTS_EMPTY, "there is no software component")
    return tuple(_component(mapping(entry, "a software component")) for entry in entries)


def _component(members: Mapping[Key, Value]) -> SoftwareComponent:
    if 2 not in members:
        raise refused(ErrorCode.SW_COMPONENT_MEASUREMENT, "a software component has no measurement")
    if 5 not in members:
        raise refused(ErrorCode.SW_COMPONENT_SIGNER, "a software component has no signer id")
    return SoftwareComponent(
        measurement=octets(members[2], "a measurement", _HASHES, ErrorCode.HASH_LENGTH),
        signer_id=octets(members[5], "a signer id", _HASHES, ErrorCode.HASH_LENGTH),
        measurement_type=_optional_text(members, 1, _MAX_TEXT),
        version=_optional_text(members, 4, _MAX_TEXT),
        description=_optional_text(members, 6, _MAX_TEXT),
    )


def _boot_seed(members: Mapping[Key, Value], profile: PsaProfile) -> bytes | None:
    keys = KEYS[profile]
    if keys.boot_seed not in members and profile is not PsaProfile.PSA_IOT_1:
        return None
    value = required(members, keys.boot_seed, "the boot seed")
    return octets(value, "the boot seed", keys.boot_seed_sizes, ErrorCode.BOOT_SEED_LENGTH)


def _reference(members: Mapping[Key, Value], keys: ProfileKeys) -> str | None:
    reference = _optional_text(members, keys.certification_reference, _MAX_TEXT)
    if reference is not None and not keys.reference_form.fullmatch(reference):
        raise refused(
            ErrorCode.CERTIFICATION_REFERENCE,
            f"certification reference {reference[:40]!r} does not have the profile's form",
        )
    return reference


def _optional_text(members: Mapping[Key, Value], key: int, max_chars: int) -> str | None:
    if key not in members:
        return None
    return text(members[key], f"claim {key}", max_chars=max_chars)


def _optional_digest(members: Mapping[Key, Value], key: int) -> bytes | None:
    return octets(members[key], f"claim {key}", (32,)) if key in members else None


def _isolation(members: Mapping[Key, Value]) -> frozenset[IsolationLayer] | None:
    if _ISOLATION not in members:
        return None
    entries = array(members[_ISOLATION], "the isolation", max_entries=len(IsolationLayer))
    names = [text(entry, "a layer of isolation", max_chars=_MAX_LAYER_CHARS) for entry in entries]
    if any(earlier >= later for earlier, later in itertools.pairwise(names)):
        raise refused(ErrorCode.CLAIM_VALUE, "the layers of isolation are not in order, each once")
    # An unknown one is refused: what it promises could not be compared with any policy.
    unknown = set(names) - set(IsolationLayer)
    if unknown:
        raise refused(
            ErrorCode.CLAIM_VALUE, f"{min(unknown)[:40]!r} is not a layer of isolation known here"
        )
    return frozenset(map(IsolationLayer, names))
