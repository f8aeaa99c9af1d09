"""Credentials, taken apart again as a TPM would; a real one does so in `tests/sonora/tpm`."""

import hashlib
import hmac
import itertools

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from support.tpm_quotes import rsa_key
from tabasco.verify.tpm.credential import make_credential

NAME = b"\x00\x0b" + bytes(range(32))
SECRET = b"s" * 32
P256 = ec.derive_private_key(0x5EED, ec.SECP256R1())


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


@pytest.fixture(params=["rsa", "p256"])
def key(request):
    return rsa_key() if request.param == "rsa" else P256


def test_whoever_has_both_keys_has_the_secret(key):
    assert activated(key, NAME, make_credential(key.public_key(), NAME, SECRET)) == SECRET


def test_for_another_name_there_is_none(key):
    made = make_credential(key.public_key(), NAME, SECRET)
    other = b"\x00\x0b" + hashlib.sha256(b"other").digest()
    with pytest.raises(ValueError, match="INTEGRITY"):
        activated(key, other, made)


def test_no_credential_is_like_another(key):
    made = [make_credential(key.public_key(), NAME, SECRET) for _ in range(2)]
    assert made[0].blob != made[1].blob
    assert made[0].encrypted_secret != made[1].encrypted_secret


def test_the_secret_stands_nowhere_in_it(key):
    made = make_credential(key.public_key(), NAME, SECRET)
    assert SECRET not in made.blob + made.encrypted_secret
    assert SECRET[:8] not in made.blob
