"""`tabasco revoke`: what is revoked by command is what is revoked over HTTP, in every spelling."""

import base64
import hashlib
import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.enrolment import Clock, SoftwareRoot, new_key, pem
from support.patience import PATIENCE_S
from tabasco.cli import main
from tabasco.http import Context, HttpService, create_app
from tabasco.registry.administrators import AdministratorRole, Administrators
from tabasco.registry.audit import AuditLog
from tabasco.registry.database import Database
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.revocations import Revocations
from tabasco.registry.roots import Roots
from tabasco.registry.state import StateDirectory
from tabasco.service.attestation import AttestationService, Settings
from veracruz_utils.address import Address

OWN = Path(__file__).parents[2] / "vectors" / "tabasco"
VCEK = OWN / "snp/milan-v3-vcek.pem"
KEYS = {
    "p256": new_key().public_key(),
    "p384": ec.generate_private_key(ec.SECP384R1()).public_key(),
    "rsa": rsa.generate_private_key(65537, 2048).public_key(),
    "ed25519": ed25519.Ed25519PrivateKey.generate().public_key(),
}
VALUES = {
    "measurement": hashlib.sha256(b"runtime").digest(),
    "key": hashlib.sha256(b"key").digest(),
    "certificate": hashlib.sha256(b"certificate").digest(),
    "instance": b"\1" + hashlib.sha256(b"instance").digest(),
}


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def tabasco(state):
    def run(*words, status=0):
        done = CliRunner().invoke(main, [*map(str, words), "--state", str(state)])
        assert done.exit_code == status, done.output + done.stderr
        return done

    run("init")
    return run


@pytest.fixture
def database(state, tabasco):
    with Database.open(StateDirectory(state).database_url) as database:
        yield database


@pytest.fixture
def post(database, collateral):
    """A revocation over HTTP."""
    clock = Clock()
    service = AttestationService(
        database=database, key_ring=KeyRing.single(new_key()), build="1", now=clock,
        settings=Settings(), source=collateral,
    )  # fmt: skip
    administrators = Administrators(database)
    token = administrators.add("op", AdministratorRole.ADMIN, at=clock()).reveal().decode()
    app = create_app(Context(service, database, administrators, clock))
    with (
        HttpService(app, Address.parse("127.0.0.1:0")) as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE_S, trust_env=False) as client,
    ):
        yield lambda subject, value: client.post(
            "/v1/revocations",
            json={"subject": subject, "value": value},
            headers={"Authorization": f"Bearer {token}"},
        )


def revoked(database):
    return {(str(each.subject), each.value) for each in Revocations(database).all()}


def by_command(tabasco, subject, text):
    option = ["--digest"] if subject in {"key", "certificate"} else []
    return tabasco("revoke", subject, *option, text, "--json")


@pytest.mark.parametrize("subject", VALUES)
@pytest.mark.parametrize("spell", [bytes.hex, lambda each: each.hex().upper()])
def test_command_and_http_revoke_the_same(subject, spell, tabasco, database, post):
    value = VALUES[subject]
    other = value[:-1] + bytes([value[-1] ^ 1])
    assert json.loads(by_command(tabasco, subject, spell(value)).stdout) == {
        subject: value.hex(),
        "enrolments": 0,
    }
    assert post(subject, spell(other)).status_code == 201
    assert revoked(database) == {(subject, value), (subject, other)}
    assert post(subject, spell(value)).status_code == 201
    by_command(tabasco, subject, f"0x{spell(other)}")
    by_command(tabasco, subject, f" 0X{spell(other)}\n")
    by_command(tabasco, subject, re.sub("(..)(?!$)", r"\1:", spell(other)))  # as openssl prints it
    actions = [each.action for each in AuditLog(database).entries()]
    assert actions.count(f"revoke-{subject}") == 2
    listed = json.loads(tabasco("revoke", "list", "--json").stdout)["revocations"]
    assert {each["value"] for each in listed} == {value.hex(), other.hex()}


@pytest.mark.parametrize("subject", VALUES)
@pytest.mark.parametrize("text", ["", "00", "00" * 32, "ff" * 31, "ff" * 63])
def test_command_and_http_refuse_the_same(subject, text, tabasco, database, post):
    option = ["--digest"] if subject in {"key", "certificate"} else []
    tabasco("revoke", subject, *option, text, status=1)
    assert post(subject, text).status_code == 409
    assert revoked(database) == set()


@pytest.mark.parametrize("text", ["zz", "0x", "f", "ff" * 16 + "g0", "a:b", "f:" * 32, "ff::ff"])
def test_what_is_not_hexadecimal_is_wrong_usage(text, tabasco, database, post):
    tabasco("revoke", "measurement", text, status=1 if text == "0x" else 2)
    assert post("measurement", text).status_code == 400
    assert post("whatever", "ff" * 32).status_code == 400
    assert revoked(database) == set()


@pytest.mark.parametrize("name", KEYS)
def test_a_public_key_of_any_kind_is_revoked_by_its_file(name, tabasco, database, tmp_path):
    encoded = KEYS[name].public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    file = tmp_path / "key.pem"
    file.write_bytes(KEYS[name].public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    tabasco("revoke", "key", file)
    assert revoked(database) == {("key", hashlib.sha256(encoded).digest())}


def test_a_certificate_is_revoked_by_its_file_in_either_form(tabasco, database, tmp_path):
    der = x509.load_pem_x509_certificates((OWN / "snp/amd-milan-ask-ark-asvk.pem").read_bytes())[
        0
    ].public_bytes(Encoding.DER)
    first, second = tmp_path / "c.der", tmp_path / "c.pem"
    first.write_bytes(der)
    text = base64.encodebytes(der)
    second.write_bytes(b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n\n")
    for file in (first, second):
        tabasco("revoke", "certificate", file)
    assert revoked(database) == {("certificate", hashlib.sha256(der).digest())}


def test_wrong_files_are_refused_with_what_is_in_them(tabasco, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"nothing")
    assert "not a public key" in tabasco("revoke", "key", file, status=1).stderr
    assert "not a certificate" in tabasco("revoke", "certificate", file, status=1).stderr
    several = OWN / "snp/amd-milan-ask-ark-asvk.pem"
    assert "3 certificates" in tabasco("revoke", "certificate", several, status=1).stderr
    assert "give FILE or --digest" in tabasco("revoke", "key", status=2).stderr
    assert "give FILE or --digest" in (
        tabasco("revoke", "key", file, "--digest", "ff" * 32, status=2).stderr
    )


def test_the_revoked_certificate_of_a_report_refuses_it_by_verify_and_by_explain(tabasco, tmp_path):
    report = [
        OWN / "snp/milan-v3.bin", "--certificate", VCEK,
        "--authorities", OWN / "snp/amd-milan-ask-ark-asvk.pem", "--at", "2026-03-01",
    ]  # fmt: skip
    before = tabasco("verify", *report)
    assert "no database with revocations" in before.stdout
    policy = tmp_path / "policy.toml"
    policy.write_text('version = 1\n[sev-snp.measurements]\nmeasurement = "reference-values"\n')
    tabasco("policy", "set", policy)
    measured = json.loads(tabasco("verify", *report, "--json").stdout)["proven"]["measurements"]
    tabasco("reference-values", "add", "--kind", "sev-snp", "--measurement", "measurement",
            measured["measurement"])  # fmt: skip
    # The reference values of the database count for verify as they do for the service.
    done = tabasco("verify", *report, "--policy", policy)
    assert "no database with revocations" not in done.stdout
    assert "ok  revocations: none of its" in done.stdout
    tabasco("policy", "explain", *report)
    tabasco("revoke", "certificate", VCEK)
    for command in (["verify"], ["verify", "--policy", policy], ["policy", "explain"]):
        done = tabasco(*command, *report, "--json", status=3)
        found = json.loads(done.stdout)
        assert (found["authentic"], found["refusal"]["reason"]) == (True, "revoked")


def test_a_database_that_is_named_for_verify_has_to_be_there(tabasco, tmp_path):
    done = tabasco(
        "verify", OWN / "snp/milan-v3.bin", "--database", f"sqlite:///{tmp_path}/none.db", status=1
    )
    assert "there is no database" in done.stderr


def test_a_policy_and_the_log_are_unlocked_by_command(tabasco, state, tmp_path):
    file = tmp_path / "policy.toml"
    file.write_text(f"version = {2**53 - 1}\n[tdx]\n")
    tabasco("policy", "set", file)
    file.write_text("version = 2\n[tdx]\n")
    assert "--instead-of 9007199254740991" in tabasco("policy", "set", file, status=1).stderr
    tabasco("policy", "set", file, "--instead-of", 2**53 - 1)
    assert "withdrawn" in tabasco("policy", "list").stdout
    assert json.loads(tabasco("policy", "show", "--json").stdout)["version"] == 2
    with Database.open(StateDirectory(state).database_url) as database:
        later = datetime.fromisoformat("2999-01-01T00:00:00Z")
        Roots(database).add("lab", SoftwareRoot().key.public_key(), at=later)
        with pytest.raises(Exception, match="disregard-time 4"):
            AuditLog(database).check_clock(later - timedelta(days=100))
    assert "entry of the latest time is 4" in tabasco("audit", "disregard-time", 1, status=1).stderr
    tabasco("audit", "disregard-time", 4)
    assert "nothing to do" in tabasco("audit", "disregard-time", 4, status=1).stderr
    tabasco("audit", "verify")


def test_a_provider_is_removed_by_command(tabasco, tmp_path):
    file = tmp_path / "maker.pem"
    file.write_bytes(pem(new_key()))
    tabasco("reference-values", "provider", "add", "--name", "maker", file)
    tabasco("reference-values", "provider", "remove", "maker")
    assert "no provider" in tabasco("reference-values", "provider", "list").stdout
    tabasco("reference-values", "provider", "remove", "maker", status=1)
