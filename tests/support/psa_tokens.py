"""PSA tokens made by hand: encoded by `cbor2`, signed by `cryptography`, not by our own code."""

import contextlib
from collections.abc import Iterator, Mapping

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.tokens.instance_id import instance_id_of

CHALLENGE = bytes(range(32))
DEVICE = ec.derive_private_key(0xD1CE, ec.SECP256R1())
STRANGER = ec.derive_private_key(0xBAD, ec.SECP256R1())
DEVICE_384 = ec.derive_private_key(0xD1CE, ec.SECP384R1())
DEVICE_521 = ec.derive_private_key(0xD1CE, ec.SECP521R1())
INSTANCE = instance_id_of(DEVICE.public_key())

_ALGORITHMS = {
    "secp256r1": (-7, hashes.SHA256(), 32),
    "secp384r1": (-35, hashes.SHA384(), 48),
    "secp521r1": (-36, hashes.SHA512(), 66),
}

RFC9783_CLAIMS: Mapping[int, object] = {
    265: "tag:psacertified.org,2023:psa#tfm",
    10: CHALLENGE,
    256: INSTANCE,
    2394: 1,
    2395: 0x3000,
    2396: b"\x33" * 32,
    2399: [{1: "ARoT", 2: b"\x11" * 32, 4: "0.1.0", 5: b"\x22" * 32, 6: "sha-256"}],
}
PROFILE_1_CLAIMS: Mapping[int, object] = {
    -75000: "PSA_IOT_PROFILE_1",
    -75008: CHALLENGE,
    -75009: INSTANCE,
    -75001: -1,
    -75002: 0x3000,
    -75003: b"\x33" * 32,
    -75004: b"\x44" * 32,
    -75006: [{2: b"\x11" * 32, 5: b"\x22" * 32}],
}


def with_claims(
    changes: Mapping[object, object], *, without: int | None = None, base=RFC9783_CLAIMS
) -> bytes:
    """The payload of `base` with `changes`, less the claim `without`."""
    members = {key: claim for key, claim in base.items() if key != without}
    return cbor2.dumps(members | dict(changes))


def raw_signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """r and s of fixed length."""
    _, algorithm, size = _ALGORITHMS[key.curve.name]
    parts = decode_dss_signature(key.sign(data, ec.ECDSA(algorithm)))
    return b"".join(part.to_bytes(size, "big") for part in parts)


def sign1_by_hand(
    payload: bytes,
    key: ec.EllipticCurvePrivateKey = DEVICE,
    *,
    protected: Mapping[object, object] | bytes | None = None,
    unprotected: Mapping[object, object] | None = None,
    context: str = "Signature1",
    external_aad: bytes = b"",
    tag: int = 18,
) -> bytes:
    """A COSE_Sign1 with any headers, right or wrong, and a signature that covers them."""
    header = protected
    if header is None:
        header = {1: _ALGORITHMS[key.curve.name][0]}
    if not isinstance(header, bytes):
        header = cbor2.dumps(header)
    signature = raw_signature(key, cbor2.dumps([context, header, external_aad, payload]))
    return message_by_hand(header, unprotected or {}, payload, signature, tag=tag)


def message_by_hand(*elements: object, tag: int = 18) -> bytes:
    """A tagged array of `elements`."""
    return cbor2.dumps(cbor2.CBORTag(tag, list(elements)))


def key_for(instance_id: bytes) -> ec.EllipticCurvePublicKey | None:
    """The one registered key."""
    return DEVICE.public_key() if instance_id == INSTANCE else None


@contextlib.contextmanager
def refused(code: ErrorCode, stage: Stage | None = None) -> Iterator[None]:
    """What is inside is refused for this reason (and at this stage)."""
    with pytest.raises(AttestationError) as caught:
        yield
    assert caught.value.code is code, str(caught.value)
    if stage is not None:
        assert caught.value.stage is stage
