"""What a TPM has of its keys, and what it does with a credential: by hand, for want of a TPM."""

import hmac
import itertools
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.tpm_quotes import EC_KEY, sized

P256 = ec.derive_private_key(0x5EED, ec.SECP256R1())
ATTRIBUTES = 0x50472
"""fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign."""


def der(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def ecc_area(
    *,
    attributes=ATTRIBUTES,
    name_hash=0x0B,
    symmetric=b"\x00\x10",
    scheme=b"\x00\x18\x00\x0b",
    curve=3,
    kdf=0x10,
    policy=b"",
    x=None,
):
    numbers = EC_KEY.public_key().public_numbers()
    return (
        struct.pack(">HHI", 0x23, name_hash, attributes) + sized(policy) + symmetric + scheme
        + struct.pack(">HH", curve, kdf)
        + sized((numbers.x if x is None else x).to_bytes(32)) + sized(numbers.y.to_bytes(32))
    )  # fmt: skip


def derive(seed, label, context, bits):
    """KDFa, by a library that is not ours."""
    return KBKDFHMAC(
        hashes.SHA256(), Mode.CounterMode, bits // 8, 4, 4, CounterLocation.BeforeFixed,
        label=label, context=context, fixed=None,
    ).derive(seed)  # fmt: skip


def seed_of(key, encrypted):
    if key is P256:
        size = int.from_bytes(encrypted[:2])
        x, y = encrypted[2 : 2 + size], encrypted[4 + size :]
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()
        )
        shared = key.exchange(ec.ECDH(), numbers.public_key())
        own = key.public_key().public_numbers().x.to_bytes(32)
        return ConcatKDFHash(hashes.SHA256(), 32, b"IDENTITY\0" + x + own).derive(shared)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"IDENTITY\0")
    return key.decrypt(encrypted, oaep)


def activated(key, name, made):
    """What TPM2_ActivateCredential does: the secret, or an error."""
    seed = seed_of(key, made.encrypted_secret)
    assert made.blob[:2] == b"\x00\x20"
    code, identity = made.blob[2:34], made.blob[34:]
    code_key = derive(seed, b"INTEGRITY", b"", 256)
    if not hmac.compare_digest(code, hmac.digest(code_key, identity + name, "sha256")):
        raise ValueError("TPM_RC_INTEGRITY")
    # CFB of the first two blocks, by the cipher alone.
    encrypt = Cipher(AES(derive(seed, b"STORAGE", name, 128)), modes.ECB()).encryptor().update
    blocks = [bytes(16), *(identity[at : at + 16] for at in range(0, len(identity), 16))]
    plain = b"".join(
        bytes(a ^ b for a, b in zip(encrypt(before), block, strict=False))
        for before, block in itertools.pairwise(blocks)
    )
    return plain[2 : 2 + int.from_bytes(plain[:2])]
