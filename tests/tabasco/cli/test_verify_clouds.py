"""`tabasco verify` with what clouds' evidence needs beside it: roots, quotes, logs, key sets."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support import cloud_evidence as clouds
from support import nitro_documents as nitro
from support.event_logs import boot, extended
from support.jwts import part
from support.throwaway_chain import NOON, Form, authority, issue
from support.tpm_quotes import EC_KEY, rsa_key
from tabasco.cli import main

VECTORS = Path(__file__).parents[2] / "vectors"
MILAN = VECTORS / "tabasco/snp/amd-milan-ask-ark-asvk.pem"
_BOOTED = (bytes(4), b"shim", b"grub")
PCR4 = extended("sha256", *(hashlib.sha256(each).digest() for each in _BOOTED))
MADE = ["--at", nitro.MADE.isoformat()]


@pytest.fixture
def report(tmp_path):
    def write(given):
        if not isinstance(given, bytes):
            return str(given)
        path = tmp_path / f"{hash(given):x}"
        path.write_bytes(given)
        return str(path)

    def verify(*given, status=0):
        arguments = ["verify", *map(write, given), "--store", str(tmp_path / "store"), "--json"]
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == status, done.output + done.stderr
        return json.loads(done.stdout)

    return verify


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_another_root_than_aws_is_believed_where_it_is_given(report):
    document = clouds.nitro_tpm()
    found = report(document, "--root", nitro.ROOT, *MADE)
    assert (found["kind"], found["accepted"]) == ("nitro-tpm", True)
    found = report(document, *MADE, status=3)
    assert found["refusal"]["reason"] == "unknown-root"
    assert "--root" in found["refusal"]["remedy"]


def test_the_age_of_a_document_without_a_nonce_can_be_given(report):
    later = ["--at", nitro.MADE.replace(minute=30).isoformat(), "--root", nitro.ROOT]
    assert report(clouds.nitro_tpm(), *later, status=3)["refusal"]["reason"] == "expired"
    assert report(clouds.nitro_tpm(), *later, "--max-age", "40")["accepted"]
    assert report(clouds.nitro_tpm(), *later, "--nonce", clouds.NONCE.hex())["accepted"]


def test_a_certificate_and_those_above_it_may_be_in_several_files_of_either_form(report):
    root = issue("root", None, authority())
    middle = issue("middle", root, authority(path_length=0))
    leaf = issue("a machine", middle, Form(key=EC_KEY))
    at = ["--at", NOON.isoformat()]
    given = ["--certificate", leaf.der, "--authorities", middle.der, "--authorities", root.pem]
    found = report(clouds.keylime(), *given, "--root", root.der, *at)
    assert found["accepted"]
    assert "middle" in found["proven"]["facts"]["certified-by"]
    lacking = report(clouds.keylime(), *given, *at, status=3)
    assert lacking["refusal"]["reason"] == "collateral-missing"


def test_a_root_that_is_none_is_said_to_be_none(tmp_path):
    file = tmp_path / "root"
    file.write_bytes(b"hello")
    done = CliRunner().invoke(main, ["verify", str(file), "--root", str(file)])
    assert done.exit_code not in {0, 3}
    assert "is not a root certificate" in done.stderr


def test_a_paravisors_report_is_verified_with_its_quote_beside_it(report):
    evidence = (VECTORS / "tpm/azure-snp-vtpm.json").read_bytes()
    paravisor, key, quote = clouds.azure_parts(evidence)
    given = ["--certificate", key, "--authorities", MILAN, "--at", "2025-03-01"]
    found = report(paravisor, *given, "--quote", quote, "--nonce", b"challenge".hex())
    assert (found["kind"], found["accepted"]) == ("tpm-azure", True)
    assert len(found["proven"]["measurements"]) > 24


def test_an_event_log_beside_a_quote_has_to_replay_to_it(report):
    registers = {"sha256": {4: PCR4}}
    given = [clouds.keylime(registers), "--key", pem(EC_KEY)]
    found = report(*given, "--event-log", boot())
    assert found["proven"]["events"]["pcr4"][0]["type"] == "EV_SEPARATOR"
    other = report(*given, "--event-log", boot(programs=(b"other",)), status=3)
    assert (other["refusal"]["reason"], other["authentic"]) == ("event-log", True)


@pytest.mark.parametrize("quote", [clouds.keylime(), clouds.Cloud().json()])
def test_the_key_of_a_quote_is_looked_for_among_all_that_are_given(report, quote):
    for keys in ((rsa_key(), EC_KEY), (EC_KEY, rsa_key())):
        given = [each for key in keys for each in ("--key", pem(key))]
        assert report(quote, *given)["accepted"]


def test_a_nonce_may_be_given_as_the_text_that_tokens_have(report):
    given = [clouds.rs256(clouds.MAA_CLAIMS), "--key", pem(rsa_key()), *MADE]
    assert report(*given, "--nonce-text", "a nonce")["accepted"]
    assert report(*given, "--nonce", b"a nonce".hex())["accepted"]
    refusal = report(*given, "--nonce-text", "another", status=3)["refusal"]
    assert refusal["reason"] == "nonce"
    arguments = ["verify", "-", "--nonce", "00", "--nonce-text", "a"]
    done = CliRunner().invoke(main, arguments, input=b"x")
    assert done.exit_code == 2
    assert "give one" in done.stderr


def test_tokens_of_services_are_verified_by_their_key_sets(report):
    numbers = rsa_key().public_key().public_numbers()
    entry = {"kty": "RSA", "kid": "the key", "e": "AQAB", "n": part(numbers.n.to_bytes(256))}
    weak = entry | {"kid": "weak", "n": part(bytes([255]) * 64)}
    keys = json.dumps({"keys": [weak, entry]}).encode()
    token = clouds.rs256(clouds.MAA_CLAIMS) + b"\n"
    assert report(token, "--key", keys, *MADE)["kind"] == "maa"
    found = report(token, *MADE, status=3)
    assert found["refusal"]["reason"] == "collateral-missing"
    assert report(token, "--key", pem(rsa_key()), *MADE)["accepted"]


def test_what_a_token_says_stays_on_its_line_of_the_report(tmp_path):
    claims = clouds.MAA_CLAIMS | {"x-policy": "a\nverdict: accepted\x1b[2J\u202e", "y\nz": 1}
    (tmp_path / "token").write_bytes(clouds.rs256(claims))
    (tmp_path / "key").write_bytes(pem(rsa_key()))
    arguments = ["verify", str(tmp_path / "token"), "--key", str(tmp_path / "key"), *MADE]
    told = CliRunner().invoke(main, arguments).stdout
    assert sum(line.startswith("verdict:") for line in told.splitlines()) == 1
    assert r"a\nverdict: accepted\x1b[2J\u202e" in told
    assert all(character.isprintable() or character == "\n" for character in told)
