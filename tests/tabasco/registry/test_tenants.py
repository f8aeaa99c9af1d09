"""Tenants share a service and nothing else: not a key, a challenge, a root or an administrator."""

import json
import re
from hashlib import sha256

import httpx
import pytest
from click.testing import CliRunner

from psa_attestation.errors import AttestationError
from psa_attestation.jose.base64url import from_base64url, to_base64url
from psa_attestation.jose.jwk import decode_key_set
from psa_attestation.results.ear_jwt import verify_ear_jwt
from support.enrolment import RootAttester, SoftwareRoot, pem
from support.patience import PATIENCE_S
from tabasco.cli import main
from tabasco.registry.state import StateDirectory
from tabasco.registry.tenants import challenge_key_of
from veracruz import Service
from veracruz_utils.secret import Secret

PLATFORM = "linux-software-root"
CHALLENGE = sha256(b"challenge").digest()


@pytest.fixture
def run(tmp_path):
    def run(*arguments, code=0):
        runner = CliRunner(env={"TABASCO_STATE": str(tmp_path / "state")})
        done = runner.invoke(main, list(map(str, arguments)))
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if "--json" in arguments else done.output

    return run


@pytest.fixture
def root(run, tmp_path):
    """A software root that tenant `acme` believes, and nobody else."""
    root = SoftwareRoot()
    (tmp_path / "lab.pem").write_bytes(pem(root.key))
    run("tenant", "add", "acme")
    run("tenant", "add", "zeta")
    run("root", "add", "--name", "lab", tmp_path / "lab.pem", "--tenant", "acme")
    return root


@pytest.fixture(params=[False, True], ids=["kept", "stateless"])
def url(request, root, run, tmp_path):
    arguments = ["serve", "--state", tmp_path / "state", "--listen", "127.0.0.1:0"]
    arguments += ["--http", "127.0.0.1:0"]
    if request.param:
        key = tmp_path / "key"
        key.write_text("ab" * 32, encoding="ascii")
        key.chmod(0o600)
        arguments += ["--challenge-key", key]
    with Service("tabasco", list(map(str, arguments))) as service:
        service.wait_ready()
        yield re.search(r"HTTP on (\S+)", service.last_words)[1]


def post(url, path, body):
    return httpx.post(url + path, json=body, timeout=PATIENCE_S, trust_env=False)


def begin(base):
    return post(base, "/v1/enrolment-challenges", {"platform": PLATFORM}).json()["challenge"]


def complete(base, attester, challenge):
    request = attester.enrolment(from_base64url(challenge, "it"))
    body = {
        "challenge": challenge,
        "platform": PLATFORM,
        "evidence": to_base64url(request.evidence),
        "public_key": to_base64url(request.public_key),
        "proof_of_possession": to_base64url(request.proof_of_possession),
    }
    return post(base, "/v1/enrolments", body)


def verify(base, attester):
    body = {"token": to_base64url(attester.token(CHALLENGE)), "challenge": to_base64url(CHALLENGE)}
    return post(base, "/v1/tokens/verify", body)


def test_nothing_of_one_tenant_is_worth_anything_to_another(url, root, run, tmp_path):
    acme, zeta = f"{url}/tenants/acme", f"{url}/tenants/zeta"
    attester = RootAttester(root)
    for other in (zeta, url):
        moved = complete(acme, attester, begin(other))
        assert moved.json()["error"] == "challenge-not-live", "a challenge of another tenant"
        assert complete(other, attester, begin(other)).json()["error"] == "root-unknown"
    assert complete(acme, attester, begin(acme)).status_code == 201
    signed = verify(acme, attester).json()["attestation_result"]
    for other in (zeta, url):
        assert verify(other, attester).json()["error"] == "instance-unknown"
    sets = [
        decode_key_set(httpx.get(f"{base}/.well-known/jwks.json", trust_env=False).content)
        for base in (acme, zeta, url)
    ]
    assert len({kid for each in sets for kid in each}) == 3
    at = json.loads(from_base64url(signed.split(".")[1], "it"))["iat"]
    verify_ear_jwt(signed, keys=sets[0], nonce=CHALLENGE, at=at)
    for others in sets[1:]:
        with pytest.raises(AttestationError):
            verify_ear_jwt(signed, keys=others, nonce=CHALLENGE, at=at)


def test_an_administrator_of_one_tenant_is_nobody_to_another(url, run, tmp_path):
    run(
        "administrator", "add", "--name", "x", "--role", "admin", tmp_path / "t", "--tenant", "acme"
    )
    headers = {"Authorization": f"Bearer {(tmp_path / 't').read_text().strip()}"}
    for base, status in ((f"{url}/tenants/acme", 200), (f"{url}/tenants/zeta", 401), (url, 401)):
        found = httpx.get(f"{base}/v1/instances", headers=headers, trust_env=False)
        assert found.status_code == status


def test_commands_are_about_the_tenant_that_is_named(run, root):
    assert run("root", "list", "--json", "--tenant", "acme")["roots"]
    assert not run("root", "list", "--json", "--tenant", "zeta")["roots"]
    assert [each["name"] for each in run("tenant", "list", "--json")["tenants"]] == ["acme", "zeta"]
    assert run("public-key", "--tenant", "acme") != run("public-key", "--tenant", "zeta")


def test_names_that_are_none_or_taken_are_refused(run, root):
    for name in ("default", "", "..", "a/b", "A", "x" * 64):
        assert "is not a name" in run("tenant", "add", name, code=1)
    assert "already" in run("tenant", "add", "acme", code=1)
    for name in ("nobody", "..", "a/b"):
        assert "there is no tenant" in run("root", "list", "--tenant", name, code=1)


def test_a_tenant_may_have_a_database_elsewhere_and_never_the_default_ones(run, tmp_path):
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    run("tenant", "add", "far", "--database", elsewhere)
    assert StateDirectory(tmp_path / "state").tenant_named("far").database_url == elsewhere
    assert run("instance", "list", "--json", "--tenant", "far") == {"instances": []}
    refused = run("instance", "list", "--tenant", "far", "--database", elsewhere, code=1)
    assert "has its own database" in refused


def test_a_tenant_whose_database_cannot_be_opened_is_not_added(run):
    run("tenant", "add", "bad", "--database", "mysql://x/y", code=1)
    assert run("tenant", "list", "--json") == {"tenants": []}


def test_the_key_of_stateless_challenges_is_another_for_each_tenant():
    key = Secret(bytes(32))
    assert challenge_key_of("default", key) != challenge_key_of("acme", key)
