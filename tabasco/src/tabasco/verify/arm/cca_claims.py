"""The claims of Arm CCA's platform and realm tokens (RMM specification, draft-ffm-rats-cca-token).

Claims that nobody knows are ignored. The realm's key is kept as the bytes it came in, because the
platform vouches for their hash; `realm_key` reads it.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.decoding import ANY_TAG, DecodeLimits, decode
from psa_attestation.cbor.values import Key, Value
from psa_attestation.cose.keys import decode_cose_key, key_of_point
from psa_attestation.tokens.lifecycle import Lifecycle, lifecycle_of
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.members import array, integer, mapping, member, octets, text
from veracruz_utils.frozen import frozen

_LIMITS: Final = DecodeLimits(max_bytes=32 * 1024, max_items=2048, max_depth=12, tags=ANY_TAG)
PLATFORM_PROFILES: Final = frozenset(
    {
        "tag:arm.com,2024:cca_platform#2.0.0",
        "tag:arm.com,2023:cca_platform#1.0.0",
        "http://arm.com/CCA-SSD/1.0.0",
    }
)
"""Of tokens of platforms, the newest first."""
_REALM_1: Final = "tag:arm.com,2023:realm#1.0.0"
_REALM_2: Final = "tag:arm.com,2024:realm#2.0.0"
_REALM_PROFILES: Final = frozenset({_REALM_1, _REALM_2})
# RMM specification, A7.2.3.1.8 and 9: numbers; draft-ffm-rats-cca-token-03 writes the former as
# text.
_MEMORY_ENCRYPTION: Final[Mapping[Value, str]] = MappingProxyType(
    {0: "shared", 1: "private", "shared": "shared", "private": "private"}
)
_LIVE_ACTIVATION: Final = ("disallow", "allow")
_HASH_NAMES: Final = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
_HASHES: Final = frozenset({32, 48, 64})
_TEXT: Final = range(1, 257)
_RAW_POINT_BYTES: Final = 97

_PROFILE, _NONCE, _INSTANCE_ID = 265, 10, 256
_LIFECYCLE, _IMPLEMENTATION_ID, _COMPONENTS = 2395, 2396, 2399
_SERVICE, _CONFIG, _PLATFORM_HASH = 2400, 2401, 2402
_PERSONALISATION, _REALM_HASH, _REALM_KEY = 44235, 44236, 44237
_INITIAL, _EXTENSIBLE, _KEY_HASH = 44238, 44239, 44240
_MEC_POLICY, _LFA_POLICY, _DEVICES = 44243, 44244, 44257


@frozen
class PlatformComponent:
    """One piece of the platform's firmware."""

    measurement: bytes
    signer_id: bytes
    kind: str | None
    version: str | None


@frozen
class PlatformClaims:
    """What the platform says.

    Attributes:
        challenge: the hash of the realm's key.
        implementation_id: 32 bytes.
        instance_id: 33 bytes, under which the platform's key is registered.
        config: of the platform, as the implementation defines it.
        lifecycle: 16 bits; `state` is its meaning.
        components: at least one.
    """

    challenge: bytes
    implementation_id: bytes
    instance_id: bytes
    config: bytes
    lifecycle: int
    components: tuple[PlatformComponent, ...]

    @property
    def state(self) -> Lifecycle:
        """The platform's lifecycle state; CCA numbers them as PSA does."""
        return lifecycle_of(self.lifecycle)


@frozen
class RealmClaims:
    """What the realm management monitor says about a realm.

    Attributes:
        challenge: 64 bytes, the realm's choice.
        personalisation: 64 bytes, of whoever made the realm.
        initial: the measurement of what it started with.
        extensible: four registers.
        public_key: as it stands in the token.
        key_hash: the `hashlib` name of the hash under which the platform vouches for it.
        profile: of the token; None in older ones, which name none.
        instance_id: 33 bytes of profile 2.0.0 that tell realms apart; empty where there is none.
        memory_encryption: of profile 2.0.0: whether the realm's memory is encrypted with a key that
            is `private` to it, or `shared` with other realms.
        live_activation: of profile 2.0.0, where it says so: `allow` or `disallow` firmware being
            replaced while the realm runs.
        devices: of profile 2.0.0: the hash of the token about assigned devices; empty where none is
            assigned.
    """

    challenge: bytes
    personalisation: bytes
    initial: bytes
    extensible: tuple[bytes, ...]
    public_key: bytes
    key_hash: str
    profile: str | None = None
    instance_id: bytes = b""
    memory_encryption: str | None = None
    live_activation: str | None = None
    devices: bytes = b""


def decode_platform(payload: bytes) -> PlatformClaims:
    """The claims in a platform token's payload.

    Raises:
        EvidenceError: stage `format`.
    """
    members = _members(payload, "the platform's claims")
    profile = text(member(members, _PROFILE, "the platform's profile"), "the profile", _TEXT)
    if profile not in PLATFORM_PROFILES:
        raise _unknown_profile(profile)
    _hash_name(members, _PLATFORM_HASH, "the platform's hash")
    if _SERVICE in members:
        text(members[_SERVICE], "the verification service", range(1025))
    lifecycle = integer(
        member(members, _LIFECYCLE, "the lifecycle"), "the lifecycle", range(0x10000)
    )
    with as_evidence_error("the platform's claims"):
        lifecycle_of(lifecycle)
    return PlatformClaims(
        challenge=_octets(members, _NONCE, "the platform's challenge", _HASHES),
        implementation_id=_octets(
            members, _IMPLEMENTATION_ID, "the implementation id", frozenset({32})
        ),
        instance_id=_instance_id(members),
        config=octets(
            member(members, _CONFIG, "the platform's config"), "the config", range(1, 4097)
        ),
        lifecycle=lifecycle,
        components=_components(member(members, _COMPONENTS, "the software components")),
    )


def decode_realm(payload: bytes) -> RealmClaims:
    """The claims in a realm token's payload.

    Raises:
        EvidenceError: stage `format`.
    """
    members = _members(payload, "the realm's claims")
    profile = None
    if _PROFILE in members:  # older tokens name none
        profile = text(members[_PROFILE], "the realm's profile", _TEXT)
        if profile not in _REALM_PROFILES:
            raise _unknown_profile(profile)
    _hash_name(members, _REALM_HASH, "the realm's hash")
    registers = array(
        member(members, _EXTENSIBLE, "the extensible measurements"), "the measurements", (4,)
    )
    claims = RealmClaims(
        challenge=_octets(members, _NONCE, "the realm's challenge", frozenset({64})),
        personalisation=_octets(
            members, _PERSONALISATION, "the personalisation value", frozenset({64})
        ),
        initial=_octets(members, _INITIAL, "the initial measurement", _HASHES),
        extensible=tuple(octets(each, "a measurement", _HASHES) for each in registers),
        public_key=_public_key(members),
        key_hash=_hash_name(members, _KEY_HASH, "the hash of the realm's key"),
        profile=profile,
    )
    return _second(claims, members) if profile == _REALM_2 else claims


def _second(claims: RealmClaims, members: Mapping[Key, Value]) -> RealmClaims:
    """With what profile 2.0.0 has beside the claims of the first."""
    policy = member(members, _MEC_POLICY, "the policy of memory encryption")
    if isinstance(policy, bool) or not isinstance(policy, int | str):
        raise malformed("the policy of memory encryption is neither a number nor text")
    if policy not in _MEMORY_ENCRYPTION:
        raise malformed(f"the policy of memory encryption is {policy!r:.40}, which is not known")
    activation = None
    if _LFA_POLICY in members:
        activation = _LIVE_ACTIVATION[
            integer(members[_LFA_POLICY], "the policy of live activation", range(2))
        ]
    devices = b""
    if _DEVICES in members:
        devices = _octets(members, _DEVICES, "the hash of the devices' token", _HASHES)
    return replace(
        claims,
        instance_id=_instance_id(members) if _INSTANCE_ID in members else b"",
        memory_encryption=_MEMORY_ENCRYPTION[policy],
        live_activation=activation,
        devices=devices,
    )


def realm_key(claims: RealmClaims) -> ec.EllipticCurvePublicKey:
    """The key that has to have signed the realm token.

    Raises:
        EvidenceError: it is none.
    """
    with as_evidence_error("the realm's key"):
        if len(claims.public_key) == _RAW_POINT_BYTES:
            return key_of_point(claims.public_key)
        return decode_cose_key(claims.public_key)


def _members(payload: bytes, name: str) -> dict[Key, Value]:
    with as_evidence_error(name):
        return mapping(decode(payload, _LIMITS), name)


def _octets(members: Mapping[Key, Value], key: int, name: str, sizes: frozenset[int]) -> bytes:
    return octets(member(members, key, name), name, sizes)


def _instance_id(members: Mapping[Key, Value]) -> bytes:
    instance_id = _octets(members, _INSTANCE_ID, "the instance id", frozenset({33}))
    if instance_id[0] != 1:
        raise malformed("the instance id is not of type RAND")
    return instance_id


def _hash_name(members: Mapping[Key, Value], key: int, name: str) -> str:
    found = text(member(members, key, name), name, _TEXT)
    if found not in _HASH_NAMES:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            VerificationStage.FORMAT,
            f"{name} is {found[:40]!r}, not known",
        )
    return _HASH_NAMES[found]


def _components(value: Value) -> tuple[PlatformComponent, ...]:
    entries = array(value, "the software components", range(1, 65))
    return tuple(_component(mapping(entry, "a software component")) for entry in entries)


def _component(members: Mapping[Key, Value]) -> PlatformComponent:
    def optional(key: int, name: str) -> str | None:
        return text(members[key], name, range(257)) if key in members else None

    optional(6, "a component's hash")
    return PlatformComponent(
        measurement=_octets(members, 2, "a component's measurement", _HASHES),
        signer_id=_octets(members, 5, "a component's signer id", _HASHES),
        kind=optional(1, "a component's type"),
        version=optional(4, "a component's version"),
    )


def _public_key(members: Mapping[Key, Value]) -> bytes:
    key = octets(member(members, _REALM_KEY, "the realm's key"), "the realm's key", range(1, 513))
    if len(key) != _RAW_POINT_BYTES:
        with as_evidence_error("the realm's key"):
            decode_cose_key(key)
    return key


def _unknown_profile(profile: str) -> EvidenceError:
    return EvidenceError(
        Fault.UNSUPPORTED_VERSION,
        VerificationStage.FORMAT,
        f"profile {profile[:80]!r} is not known",
    )
