"""Arm CCA attestation tokens: a platform token and a realm token, and what binds them.

The realm token is signed by a key found in its own claims, so alone it proves nothing. The platform
token, signed by a registered key, carries the hash of that key as its challenge: this is the only
thing that ties the realm to the platform, and it is compared over the key's bytes as they stand in
the token, with the hash that the realm's claims name.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.values import Key, Tag, Value
from psa_attestation.cose.messages import CoseKind, Message, parse
from psa_attestation.tokens.lifecycle import Lifecycle
from tabasco.verify import named
from tabasco.verify.arm.cca_claims import (
    PlatformClaims,
    RealmClaims,
    decode_platform,
    decode_realm,
    realm_key,
)
from tabasco.verify.components import (
    FirmwareComponent,
    measurements_of_components,
)
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.members import array, integer, mapping, member, octets
from tabasco.verify.named import Named, Subject
from tabasco.verify.proven import NO_END, Concern, Fact, HexNumber, Proven
from veracruz_utils.frozen import frozen

PLATFORM_KEY: Final = "platform key"
"""What the key registered for a platform is called among the things that are named."""
MAX_TOKEN_BYTES: Final = 32 * 1024
_SIGN1: Final = b"\xd2"
_OLD_COLLECTION, _CMW_COLLECTION = 399, 907
_PLATFORM, _REALM = 44234, 44241
_EAT_CWT: Final = 263  # the content format of application/eat+cwt
_LIMITS: Final = DecodeLimits(
    max_bytes=MAX_TOKEN_BYTES,
    max_items=64,
    max_depth=6,
    tags=frozenset({_OLD_COLLECTION, _CMW_COLLECTION}),
)
_PART_SIZES: Final = range(1, MAX_TOKEN_BYTES)
_DEBUG_STATES: Final = frozenset({Lifecycle.NON_PSA_ROT_DEBUG, Lifecycle.RECOVERABLE_PSA_ROT_DEBUG})


@frozen
class CcaToken:
    """A well-formed token; nothing in it is authentic before `verify_cca`."""

    platform: PlatformClaims
    realm: RealmClaims
    platform_message: Message
    realm_message: Message


def parse_cca(data: bytes) -> CcaToken:
    """The token that `data` is, in the old collection (tag 399) or the CMW form (tag 907).

    Raises:
        EvidenceError: stage `format`.
    """
    with as_evidence_error("the token"):
        collection = decode(data, _LIMITS)
    if not isinstance(collection, Tag):
        raise malformed("the token is not a collection of a platform and a realm token")
    parts = mapping(collection.value, "the collection")
    extra = parts.keys() - {_PLATFORM, _REALM}
    if extra:
        raise malformed(f"the collection has {len(extra)} members that are not known")
    wrapped = collection.number == _CMW_COLLECTION
    platform = _message(parts, _PLATFORM, "the platform token", wrapped=wrapped)
    realm = _message(parts, _REALM, "the realm token", wrapped=wrapped)
    return CcaToken(decode_platform(platform.payload), decode_realm(realm.payload), platform, realm)


def verify_cca(
    data: bytes,
    *,
    key_for: Callable[[bytes], ec.EllipticCurvePublicKey | None],
    challenge: bytes | None = None,
    valid_until: datetime = NO_END,
) -> Proven:
    """What an authentic token proves; `report_data` is the realm's challenge.

    Args:
        data: a token of at most 32 KiB.
        key_for: the registered key of the platform with an instance id, or None.
        challenge: the 64 bytes that the realm has to answer; None leaves it to the caller.
        valid_until: when the registered key ends: the token itself knows no time.

    Raises:
        EvidenceError: for anything that is not authentic; a platform that is not secured is
            reported as a concern instead.
    """
    if data[:1] == _SIGN1:
        _refuse_alone(data, key_for)
    token = parse_cca(data)
    # (1) the platform, by the key registered for it
    key = _check_platform(token.platform, token.platform_message, key_for)
    # (2) the realm, by the key it names
    with as_evidence_error("the realm token's signature"):
        token.realm_message.verify(realm_key(token.realm))
    # (3) that the platform vouches for this key
    _check_binding(token)
    _check_challenge(token.realm.challenge, challenge)
    state = token.platform.state
    return Proven(
        kind=EvidenceKind.ARM_CCA,
        measurements=_measurements(token),
        report_data=token.realm.challenge,
        debug=state in _DEBUG_STATES,
        valid_until=valid_until,
        facts=_facts(token),
        components=_components(token),
        concerns=() if state is Lifecycle.SECURED else (_concern(state),),
        named=(
            named.key(PLATFORM_KEY, key),
            named.key("realm key", realm_key(token.realm)),
            Named(Subject.INSTANCE, "instance-id", token.platform.instance_id),
            *_realm_instance(token.realm),
        ),
    )


def _realm_instance(realm: RealmClaims) -> Iterator[Named]:
    if realm.instance_id:
        yield Named(Subject.INSTANCE, "realm-instance-id", realm.instance_id)


def _check_platform(
    claims: PlatformClaims,
    message: Message,
    key_for: Callable[[bytes], ec.EllipticCurvePublicKey | None],
) -> ec.EllipticCurvePublicKey:
    # The id is not authentic yet: it only chooses the key, under which it then has to be signed.
    key = key_for(claims.instance_id)
    if key is None:
        raise EvidenceError(
            Fault.UNKNOWN_SIGNER,
            VerificationStage.SIGNATURE,
            f"no key is registered for platform {claims.instance_id.hex()}",
        )
    with as_evidence_error("the platform token's signature"):
        message.verify(key)
    return key


def _refuse_alone(
    data: bytes, key_for: Callable[[bytes], ec.EllipticCurvePublicKey | None]
) -> NoReturn:
    with as_evidence_error("the platform token"):
        message = parse(data)
    _check_platform(decode_platform(message.payload), message, key_for)
    raise EvidenceError(
        Fault.KEY_BINDING,
        VerificationStage.BINDING,
        "it is a platform's token alone: without a realm's nothing is bound to it",
    )


def _message(parts: Mapping[Key, Value], key: int, name: str, *, wrapped: bool) -> Message:
    part = member(parts, key, name)
    if wrapped:
        record = array(part, name, (2, 3))
        integer(record[0], f"{name}'s content format", (_EAT_CWT,))
        part = record[1]
    with as_evidence_error(name):
        message = parse(octets(part, name, _PART_SIZES))
    if message.kind is not CoseKind.SIGN1:
        raise malformed(f"{name} is not signed but has a MAC")
    return message


def _check_binding(token: CcaToken) -> None:
    # Over the bytes of the claim as they are: another encoding of the same key is another key.
    digest = hashlib.new(token.realm.key_hash, token.realm.public_key).digest()
    if not hmac.compare_digest(digest, token.platform.challenge):
        raise EvidenceError(
            Fault.KEY_BINDING,
            VerificationStage.BINDING,
            f"the platform vouches for a key with hash {token.platform.challenge.hex()}, "
            f"the realm's has {digest.hex()}",
        )


def _check_challenge(found: bytes, expected: bytes | None) -> None:
    if expected is not None and not hmac.compare_digest(found, expected):
        raise EvidenceError(
            Fault.NONCE,
            VerificationStage.BINDING,
            f"the realm answers challenge {found.hex()}, expected {expected.hex()[:256]}",
        )


def _measurements(token: CcaToken) -> dict[str, bytes]:
    measurements = {"rim": token.realm.initial}
    for index, register in enumerate(token.realm.extensible):
        measurements[f"rem{index}"] = register
    return measurements | dict(measurements_of_components(_components(token)))


def _components(token: CcaToken) -> tuple[FirmwareComponent, ...]:
    return tuple(
        FirmwareComponent(
            f"platform{index}", each.kind, each.measurement, each.signer_id, each.version
        )
        for index, each in enumerate(token.platform.components)
    )


def _facts(token: CcaToken) -> dict[str, Fact]:
    return {
        "instance-id": token.platform.instance_id.hex(),
        "implementation-id": token.platform.implementation_id.hex(),
        "platform-config": token.platform.config.hex(),
        "lifecycle": HexNumber(token.platform.lifecycle, digits=4),
        "personalisation": token.realm.personalisation.hex(),
        **{
            each.name: " ".join(filter(None, (each.kind, each.version)))
            for each in _components(token)
        },
        **_realm_facts(token.realm),
    }


def _realm_facts(realm: RealmClaims) -> dict[str, Fact]:
    given = {
        "realm-profile": realm.profile,
        "realm-instance-id": realm.instance_id.hex(),
        "memory-encryption": realm.memory_encryption,
        "live-activation": realm.live_activation,
        "devices": realm.devices.hex(),
    }
    return {name: value for name, value in given.items() if value}


def _concern(state: Lifecycle) -> Concern:
    name = state.name.lower().replace("_", "-").replace("psa-rot", "platform")
    return Concern(
        f"cca.lifecycle={name}", Fault.LIFECYCLE, f"the platform is in state {name}, not secured"
    )
