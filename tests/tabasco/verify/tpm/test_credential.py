"""Credentials, taken apart again as a TPM would; a real one does so in `tests/sonora/tpm`."""

import hashlib

import pytest

from support.tpm_keys import P256, activated
from support.tpm_quotes import rsa_key
from tabasco.verify.tpm.credential import make_credential

NAME = b"\x00\x0b" + bytes(range(32))
SECRET = b"s" * 32


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
