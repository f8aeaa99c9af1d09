"""TPM2_MakeCredential, without a TPM: a secret that one TPM gives away for one of its keys.

The secret is encrypted by a seed, the seed to the endorsement key; and with the secret goes an
authentication code over the name of the attestation key. A TPM that holds both keys gives the
secret away, no other does, and no other way leads to it. (TCG, "TPM 2.0 Library", Part 1: 24
Credential Protection, 11.4.10 key derivation, B.10.3 and C.6.1 for the sharing of the seed.)
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from veracruz_utils.frozen import frozen

EndorsementKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

# Of the keys that TCG's profile names by default (RSA-2048, P-256): SHA-256, AES-128 in CFB mode.
_SEED_BYTES: Final = 32
_KEY_BITS: Final = 128
_BLOCK_BYTES: Final = 16
_COORDINATE_BYTES: Final = 32
_IDENTITY: Final = b"IDENTITY\0"


@frozen
class MadeCredential:
    """A TPM2B_ID_OBJECT and a TPM2B_ENCRYPTED_SECRET, both without their sizes."""

    blob: bytes
    encrypted_secret: bytes


def make_credential(
    key: EndorsementKey,
    name: bytes,
    secret: bytes,
    *,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> MadeCredential:
    """`secret` for whatever TPM has the endorsement key `key`, and a key of this name.

    Args:
        key: RSA of 2048 bits, or on P-256.
        name: of the attestation key.
        secret: at most 32 bytes.
        random: bytes that nobody can guess.
    """
    seed, encrypted_secret = _shared_seed(key, random)
    inner = len(secret).to_bytes(2) + secret
    # The seed is new each time, so that the vector may be zeros.
    cipher = Cipher(AES(_kdf_a(seed, b"STORAGE", name, _KEY_BITS)), CFB(bytes(_BLOCK_BYTES)))
    encryptor = cipher.encryptor()
    identity = encryptor.update(inner) + encryptor.finalize()
    code_key = _kdf_a(seed, b"INTEGRITY", b"", 8 * _SEED_BYTES)
    code = hmac.digest(code_key, identity + name, "sha256")
    return MadeCredential(len(code).to_bytes(2) + code + identity, encrypted_secret)


def _shared_seed(key: EndorsementKey, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    if isinstance(key, rsa.RSAPublicKey):
        seed = random(_SEED_BYTES)
        algorithm = hashes.SHA256()
        oaep = padding.OAEP(padding.MGF1(algorithm), algorithm, _IDENTITY)
        return seed, key.encrypt(seed, oaep)
    own = ec.generate_private_key(key.curve)
    shared = own.exchange(ec.ECDH(), key)
    mine, theirs = own.public_key().public_numbers(), key.public_numbers()
    x, y = (number.to_bytes(_COORDINATE_BYTES) for number in (mine.x, mine.y))
    # KDFe with one block: 256 bits of seed are one digest.
    block = (1).to_bytes(4) + shared + _IDENTITY + x + theirs.x.to_bytes(_COORDINATE_BYTES)
    point = b"".join(len(each).to_bytes(2) + each for each in (x, y))
    return hashlib.sha256(block).digest(), point


def _kdf_a(key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """SP 800-108 in counter mode with HMAC-SHA-256; at most 256 bits, which is one block."""
    message = (1).to_bytes(4) + label + b"\0" + context + bits.to_bytes(4)
    return hmac.digest(key, message, "sha256")[: bits // 8]
