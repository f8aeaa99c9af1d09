"""`tabasco verify --key`: any number of keys, of any form, for whatever was signed."""

import dataclasses
import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from psa_attestation.jose.jwk import jwk_of
from psa_attestation.results.ear_jwt import sign_ear_jwt
from support.cca_tokens import PLATFORM_KEY, Recipe
from support.evidence_seeds import NOW, an_ear, seeds
from support.psa_tokens import CHALLENGE, DEVICE, DEVICE_384, INSTANCE, STRANGER
from tabasco.cli import main
from veracruz_utils.key_files import pem_of

SIGNED = {seed.name: seed for seed in seeds() if seed.name in {"psa/by-hand", "corim/signed"}}
SIGNED |= {seed.name: seed for seed in seeds() if seed.name in {"ear/cwt", "ear/jwt"}}
FRESH = {"psa/by-hand", "ear/cwt", "ear/jwt"}


def pem(folder, key, name):
    file = folder / name
    file.write_bytes(pem_of(key.public_key()))
    return file


def key_set(folder, *keys, name="set.json"):
    entries = [jwk_of(key.public_key(), kid=kid) for kid, key in keys]
    file = folder / name
    file.write_text(json.dumps({"keys": entries}))
    return file


def certificate(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a signer")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


def verify(folder, seed, *keys, status=0):
    file = folder / "evidence"
    file.write_bytes(seed.data)
    options = [part for key in keys for part in ("--key", str(key))]
    if seed.name in FRESH:
        options += ["--nonce", CHALLENGE.hex()]
    moment = seed.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    arguments = ["verify", str(file), "--json", "--at", moment, *options]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == status, done.output + done.stderr
    return json.loads(done.stdout) if status in {0, 3} else done.stderr


@pytest.fixture(params=sorted(SIGNED))
def seed(request):
    return SIGNED[request.param]


def test_of_several_keys_the_one_that_signed_is_found_wherever_it_stands(tmp_path, seed):
    keys = [
        pem(tmp_path, DEVICE_384, "of-another-curve.pem"),
        pem(tmp_path, STRANGER, "strangers.pem"),
        pem(tmp_path, DEVICE, "right.pem"),
    ]
    for turn in range(3):
        assert verify(tmp_path, seed, *keys[turn:], *keys[:turn])["accepted"]
    refused = verify(tmp_path, seed, *keys[:2], status=3)["refusal"]
    assert "nor is it signed by any other of the 2 keys given" in refused["detail"]


def test_of_a_set_every_key_is_tried_if_the_evidence_does_not_say_which(tmp_path, seed):
    both = key_set(tmp_path, ("first", STRANGER), ("second", DEVICE))
    assert verify(tmp_path, seed, both)["accepted"]


FORMS = {
    "pem": lambda key: pem_of(key.public_key()),
    "der": lambda key: key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    ),
    "jwk": lambda key: json.dumps(jwk_of(key.public_key(), kid="k")).encode(),
    "set": lambda key: json.dumps({"keys": [jwk_of(key.public_key(), kid="k")]}).encode(),
    "certificate": lambda key: certificate(key).public_bytes(Encoding.PEM),
    "private": lambda key: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    "several": lambda key: (
        pem_of(STRANGER.public_key()) + b"# and ours\n" + pem_of(key.public_key())
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_key_does_for_everything_that_is_signed(tmp_path, seed, form):
    file = tmp_path / "key"
    file.write_bytes(FORMS[form](DEVICE))
    assert verify(tmp_path, seed, file)["accepted"]


def test_a_jwt_that_names_a_key_is_verified_by_that_one_or_by_one_without_a_name(tmp_path):
    named = named_jwt(SIGNED["ear/jwt"])
    right = key_set(tmp_path, ("k1", STRANGER), ("k2", DEVICE), name="right.json")
    swapped = key_set(tmp_path, ("k1", DEVICE), ("k2", STRANGER), name="swapped.json")
    unknown = key_set(tmp_path, ("k1", DEVICE), name="unknown.json")
    assert verify(tmp_path, named, right)["accepted"]
    assert verify(tmp_path, named, pem(tmp_path, DEVICE, "key.pem"))["accepted"]
    assert verify(tmp_path, named, f"k2={pem(tmp_path, DEVICE, 'key.pem')}")["accepted"]
    assert verify(tmp_path, named, swapped, status=3)["refusal"]["reason"] == "signature"
    assert verify(tmp_path, named, unknown, status=3)["refusal"]["reason"] == "key-unknown"


def test_a_key_that_is_given_for_an_instance_counts_for_no_other(tmp_path):
    key = pem(tmp_path, DEVICE, "key.pem")
    token = SIGNED["psa/by-hand"]
    assert verify(tmp_path, token, f"{INSTANCE.hex()}={key}")["accepted"]
    refused = verify(tmp_path, token, f"{'01' * 33}={key}", status=3)["refusal"]
    assert refused["stage"] == "key"
    found = verify(tmp_path, token, f"{'01' * 33}={pem(tmp_path, STRANGER, 'other.pem')}", key)
    assert found["accepted"]


def test_the_key_of_a_platform_is_found_among_several(tmp_path):
    token = next(seed for seed in seeds() if seed.name.startswith("cca/"))
    made = dataclasses.replace(token, data=Recipe().token())
    keys = [pem(tmp_path, each, f"{n}.pem") for n, each in enumerate((DEVICE_384, PLATFORM_KEY))]
    assert verify(tmp_path, made, *keys)["accepted"]
    assert verify(tmp_path, made, *keys[::-1])["accepted"]


def test_what_is_wrong_beyond_the_key_is_told_as_that(tmp_path):
    """And not as a signature of the first key, which is another's."""
    seed = SIGNED["psa/by-hand"]
    file = tmp_path / "evidence"
    file.write_bytes(seed.data)
    keys = [pem(tmp_path, STRANGER, "a.pem"), pem(tmp_path, DEVICE, "b.pem")]
    arguments = ["verify", str(file), "--json", "--nonce", "00" * 32]
    arguments += [part for key in keys for part in ("--key", str(key))]
    done = CliRunner().invoke(main, arguments)
    assert json.loads(done.stdout)["refusal"]["reason"] == "nonce-mismatch"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"nothing", "is not a public key in PEM, DER or JWK, nor a certificate"),
        (b"", "is not a public key"),
        (b"\x30\x03abc", "is not a public key"),
        (b"-----BEGIN PUBLIC KEY-----\n", "is not a public key"),
        (pem_of(DEVICE.public_key()) + b"-----BEGIN PUBLIC KEY-----\nx", "is not a public key"),
        (b"{}", "is not a public key"),
    ],
)
def test_a_file_without_a_key_is_named(tmp_path, content, told):
    file = tmp_path / "key"
    file.write_bytes(content)
    said = verify(tmp_path, SIGNED["psa/by-hand"], file, status=1)
    assert str(file) in said
    assert told in said


def test_two_keys_of_one_name_are_refused(tmp_path):
    sets = [
        key_set(tmp_path, ("k", key), name=f"{n}.json") for n, key in enumerate((DEVICE, STRANGER))
    ]
    assert "another key for 'k'" in verify(tmp_path, SIGNED["ear/jwt"], *sets, status=1)
    assert verify(tmp_path, SIGNED["ear/jwt"], sets[0], sets[0])["accepted"]


def named_jwt(seed):
    """The same result, with a header that calls its key `k2`."""
    data = sign_ear_jwt(an_ear(), DEVICE, kid="k2").encode()
    return dataclasses.replace(seed, data=data)
