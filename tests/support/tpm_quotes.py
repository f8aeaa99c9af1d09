"""TPM quotes made by hand: packed by `struct`, signed by `cryptography`."""

import hashlib
import struct
from dataclasses import dataclass, field
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

NONCE = b"nonce of the challenger"
REGISTERS = {"sha256": {index: bytes((index,)) * 32 for index in (0, 1, 7, 23)}}
_NUMBERS = {"sha1": 4, "sha256": 0x0B, "sha384": 0x0C, "sha512": 0x0D}
EC_KEY = ec.derive_private_key(0x7B3, ec.SECP256R1())


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One RSA key for all tests of a run."""
    return rsa.generate_private_key(65537, 2048)


@cache
def other_rsa_key() -> rsa.RSAPrivateKey:
    """Another one."""
    return rsa.generate_private_key(65537, 2048)


def sized(data: bytes) -> bytes:
    """A TPM2B."""
    return struct.pack(">H", len(data)) + data


def selection(bank: str, registers, size: int = 3) -> bytes:
    """A TPMS_PCR_SELECTION."""
    bits = sum(1 << index for index in registers)
    return struct.pack(">HB", _NUMBERS[bank], size) + bits.to_bytes(size, "little")


@dataclass(frozen=True)
class Recipe:
    """A TPMS_ATTEST, right unless changed."""

    magic: int = 0xFF544347
    kind: int = 0x8018
    signer: bytes = b"\x00\x0b" + bytes(32)
    extra_data: bytes = NONCE
    safe: int = 1
    registers: dict = field(default_factory=lambda: REGISTERS)
    selections: tuple[bytes, ...] | None = None
    digest: bytes | None = None
    hash_name: str = "sha256"

    def message(self) -> bytes:
        """The bytes that a TPM would sign."""
        selections = self.selections
        if selections is None:
            selections = tuple(selection(bank, r) for bank, r in self.registers.items())
        digest = self.digest
        if digest is None:
            values = [b[i] for b in self.registers.values() for i in sorted(b)]
            digest = hashlib.new(self.hash_name, b"".join(values)).digest()
        return (
            struct.pack(">IH", self.magic, self.kind)
            + sized(self.signer)
            + sized(self.extra_data)
            + struct.pack(">QIIBQ", 1000, 2, 3, self.safe, 0x2020)
            + struct.pack(">I", len(selections))
            + b"".join(selections)
            + sized(digest)
        )


def rsa_signature(message: bytes, *, scheme: int = 0x14, number: int = 0x0B) -> bytes:
    """A TPMT_SIGNATURE of the RSA key."""
    algorithm = {0x0B: hashes.SHA256(), 0x0C: hashes.SHA384()}.get(number, hashes.SHA256())
    pad = (
        padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        if scheme == 0x16
        else padding.PKCS1v15()
    )
    return struct.pack(">HH", scheme, number) + sized(rsa_key().sign(message, pad, algorithm))


def ec_signature(message: bytes) -> bytes:
    """A TPMT_SIGNATURE of the EC key."""
    r, s = decode_dss_signature(EC_KEY.sign(message, ec.ECDSA(hashes.SHA256())))
    parts = sized(r.to_bytes(32, "big")) + sized(s.to_bytes(32, "big"))
    return struct.pack(">HH", 0x18, 0x0B) + parts
