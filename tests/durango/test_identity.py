"""Certificates and keys in files, in the spirit of the original's Durango tests."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from durango import Identity, IdentityError, NotAuthorisedError, load_certificate
from support.policies import certificate, rsa_key_of
from support.principal_rig import DAY, new_identity, now
from veracruz_utils.digest import Digest

ALICE = new_identity("alice")
BOB = new_identity("bob")
PEM = serialization.Encoding.PEM
PLAIN = serialization.NoEncryption()
FORMATS = serialization.PrivateFormat


@pytest.fixture
def files(tmp_path):
    """Alice's two files."""
    (tmp_path / "cert").write_bytes(ALICE.certificate_pem())
    (tmp_path / "key").write_bytes(ALICE.key_pem())
    return tmp_path / "cert", tmp_path / "key"


def rsa_pair(tmp_path, form):
    key = rsa_key_of("rsa")
    der = certificate("rsa", not_before=now() - DAY, not_after=now() + DAY, key=key)
    pem = Identity(der, key).certificate_pem()
    (tmp_path / "cert").write_bytes(pem)
    (tmp_path / "key").write_bytes(key.private_bytes(PEM, form, PLAIN))
    return tmp_path / "cert", tmp_path / "key"


def test_an_identity_is_loaded_from_its_two_files(files):
    identity = Identity.load(*files)
    assert identity.certificate == ALICE.certificate
    assert identity.digest == Digest.of(ALICE.certificate)
    assert identity.private_key.public_key() == ALICE.private_key.public_key()


@pytest.mark.parametrize("form", [FORMATS.TraditionalOpenSSL, FORMATS.PKCS8])
def test_an_rsa_identity_of_2021_is_loaded_from_either_form_of_key(tmp_path, form):
    identity = Identity.load(*rsa_pair(tmp_path, form))
    assert isinstance(identity.private_key, rsa.RSAPrivateKey)


def test_a_sec1_key_with_its_parameters_in_front_is_loaded(files):
    sec1 = ALICE.private_key.private_bytes(PEM, FORMATS.TraditionalOpenSSL, PLAIN)
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    files[1].write_bytes(parameters + sec1)
    assert Identity.load(*files).certificate == ALICE.certificate


def test_the_key_shows_in_no_repr_and_no_error(files):
    secret = format(ALICE.private_key.private_numbers().private_value, "x")
    assert repr(ALICE) == f"<Identity: {ALICE.digest.short}>"
    files[0].write_bytes(BOB.certificate_pem())
    with pytest.raises(IdentityError) as caught:
        Identity.load(*files)
    assert secret not in str(caught.value)
    assert "PRIVATE" not in repr(caught.value)


def test_a_missing_file_is_named(files, tmp_path):
    with pytest.raises(IdentityError, match=r"nowhere cannot be read: No such file"):
        Identity.load(tmp_path / "nowhere", files[1])
    with pytest.raises(IdentityError, match=r"nowhere cannot be read: No such file"):
        Identity.load(files[0], tmp_path / "nowhere")


def test_a_directory_in_place_of_a_file_is_named(files, tmp_path):
    with pytest.raises(IdentityError, match="Is a directory"):
        Identity.load(tmp_path, files[1])


def test_a_key_file_given_as_certificate_is_told_apart(files):
    with pytest.raises(IdentityError, match="holds PRIVATE KEY, one certificate in PEM is needed"):
        Identity.load(files[1], files[1])


def test_a_certificate_file_given_as_key_is_told_apart(files):
    with pytest.raises(IdentityError, match="holds CERTIFICATE, one private key in PEM is needed"):
        Identity.load(files[0], files[0])


def test_two_certificates_in_a_file_are_one_too_many(files):
    files[0].write_bytes(ALICE.certificate_pem() + BOB.certificate_pem())
    with pytest.raises(IdentityError, match="CERTIFICATE and CERTIFICATE, one certificate"):
        Identity.load(*files)


def test_two_keys_in_a_file_are_one_too_many(files):
    files[1].write_bytes(ALICE.key_pem() + BOB.key_pem())
    with pytest.raises(IdentityError, match="one private key in PEM is needed"):
        Identity.load(*files)


def test_anothers_certificate_does_not_go_with_my_key(files):
    files[0].write_bytes(BOB.certificate_pem())
    with pytest.raises(IdentityError, match="is not the key of"):
        Identity.load(*files)


def test_anothers_key_does_not_go_with_my_certificate(files):
    files[1].write_bytes(BOB.key_pem())
    with pytest.raises(IdentityError, match="is not the key of"):
        Identity.load(*files)


def test_an_encrypted_key_is_told_apart(files):
    encrypted = serialization.BestAvailableEncryption(b"password")
    files[1].write_bytes(ALICE.private_key.private_bytes(PEM, FORMATS.PKCS8, encrypted))
    with pytest.raises(IdentityError, match="is encrypted"):
        Identity.load(*files)
    old = ALICE.private_key.private_bytes(PEM, FORMATS.TraditionalOpenSSL, encrypted)
    files[1].write_bytes(old)
    with pytest.raises(IdentityError, match="is encrypted"):
        Identity.load(*files)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, "Grüße".encode()])
def test_a_file_without_pem_is_told_apart(files, content):
    files[0].write_bytes(content)
    with pytest.raises(IdentityError, match="holds no PEM block"):
        Identity.load(*files)


@pytest.mark.parametrize("which", [0, 1])
def test_a_pem_block_with_a_broken_body_is_refused(files, which):
    pem = files[which].read_bytes()
    files[which].write_bytes(pem.replace(b"\nMI", b"\nAA", 1))
    with pytest.raises(IdentityError, match="is not"):
        Identity.load(*files)


def test_an_endless_file_is_not_read_to_its_end(files):
    with pytest.raises(IdentityError, match="larger than 65536 bytes"):
        Identity.load(Path("/dev/zero"), files[1])


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (ec.generate_private_key(ec.SECP224R1()), "secp224r1"),
        (rsa.generate_private_key(65537, 1024), "RSA of 1024 bits"),
    ],
)
def test_a_key_too_weak_to_use_is_refused(files, key, kind):
    files[1].write_bytes(key.private_bytes(PEM, FORMATS.PKCS8, PLAIN))
    with pytest.raises(IdentityError, match=kind):
        Identity.load(*files)


def test_an_ed25519_identity_is_loaded(tmp_path):
    key = ed25519.Ed25519PrivateKey.generate()
    der = certificate("ed", not_before=now() - DAY, not_after=now() + DAY, key=key)
    pem = Identity(der, key).certificate_pem()
    assert Identity.parse(pem, Identity(der, key).key_pem()).certificate == der


def test_a_created_identity_is_valid_now_and_not_beyond_its_lifetime():
    identity = Identity.create("carol", not_before=now(), lifetime=timedelta(days=2))
    identity.require_valid(now())
    identity.require_valid(now() + timedelta(days=2))
    with pytest.raises(NotAuthorisedError, match="expired at"):
        identity.require_valid(now() + timedelta(days=2, seconds=1))
    with pytest.raises(NotAuthorisedError, match="only valid from"):
        identity.require_valid(now() - timedelta(days=1))


def test_a_certificate_is_read_without_its_key(files):
    found = load_certificate(files[0])
    assert found.subject.rfc4514_string() == "CN=alice"
