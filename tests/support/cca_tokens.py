"""Arm CCA tokens made by hand: encoded by `cbor2`, signed by `cryptography`."""

import hashlib
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.psa_tokens import sign1_by_hand

PLATFORM_KEY = ec.derive_private_key(0xCCA, ec.SECP384R1())
REALM_KEY = ec.derive_private_key(0xEA1, ec.SECP384R1())
INSTANCE = b"\x01" + b"\x07" * 32
CHALLENGE = bytes(range(64))


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The uncompressed point of `key`."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def cose_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The P-384 `key` as a COSE_Key."""
    data = point(key)[1:]
    return cbor2.dumps({1: 2, -1: 2, -2: data[:48], -3: data[48:]})


REALM = {
    265: "tag:arm.com,2023:realm#1.0.0",
    10: CHALLENGE,
    44235: b"\x05" * 64,
    44236: "sha-256",
    44237: cose_key(REALM_KEY),
    44238: b"\x11" * 32,
    44239: [bytes((n,)) * 32 for n in range(4)],
    44240: "sha-256",
}
PLATFORM = {
    265: "tag:arm.com,2023:cca_platform#1.0.0",
    10: hashlib.sha256(REALM[44237]).digest(),
    2396: b"\x33" * 32,
    256: INSTANCE,
    2401: b"\xcf" * 4,
    2395: 0x3003,
    2399: [
        {1: "BL", 2: b"\x21" * 32, 4: "1.0", 5: b"\x22" * 32, 6: "sha-256"},
        {2: b"\x23" * 48, 5: b"\x24" * 32},
    ],
    2400: "https://verifier.example",
    2402: "sha-256",
}


@dataclass(frozen=True)
class Recipe:
    """What to change about a token; whatever is in it is signed."""

    platform: dict = field(default_factory=dict)
    realm: dict = field(default_factory=dict)
    without: tuple[str, int] | None = None
    platform_key: ec.EllipticCurvePrivateKey = PLATFORM_KEY
    realm_key: ec.EllipticCurvePrivateKey = REALM_KEY
    tag: int = 399

    def part(self, name: str) -> bytes:
        """The platform's or the realm's token."""
        base, changes, key = (
            (PLATFORM, self.platform, self.platform_key)
            if name == "platform"
            else (REALM, self.realm, self.realm_key)
        )
        claims = {k: v for k, v in (base | changes).items() if (name, k) != self.without}
        return sign1_by_hand(cbor2.dumps(claims), key)

    def token(self) -> bytes:
        """The collection of both."""
        return collection(self.part("platform"), self.part("realm"), tag=self.tag)


def collection(platform: object, realm: object, *, tag: int = 399) -> bytes:
    """A collection of two parts."""
    parts = {44234: platform, 44241: realm}
    if tag == 907:
        parts = {key: [263, part] for key, part in parts.items()}
    return cbor2.dumps(cbor2.CBORTag(tag, parts))
