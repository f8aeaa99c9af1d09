"""The service over HTTP: a real server, real requests, uniform answers, administrators by token."""

import contextlib
import json
import re
import select
import socket
import ssl
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from psa_attestation.jose.base64url import from_base64url, to_base64url
from psa_attestation.jose.jwk import decode_key_set
from psa_attestation.jose.jws import sign_jws
from psa_attestation.results.ear import verify_ear
from psa_attestation.results.ear_jwt import verify_ear_jwt
from support import endorsements
from support.databases import new_database
from support.enrolment import RootAttester, new_key, spki
from support.patience import PATIENCE_S
from support.throwaway_chain import YEAR, Form, authority, issue
from support.tpm_keys import activated, ecc_area
from support.tpm_quotes import rsa_key
from tabasco.cli import main
from tabasco.http import Context, HttpService, create_app
from tabasco.http.bodies import MAX_BODY_BYTES
from tabasco.registry.administrators import TOKEN_PREFIX, AdministratorRole, Administrators
from tabasco.registry.audit import AuditLog, Head
from tabasco.registry.bundles import BUNDLE_TYPE
from tabasco.registry.reference_values import ReferenceValues
from tabasco.verify.tpm.credential import MadeCredential
from tabasco.verify.tpm.key_area import attestation_key
from veracruz import Service
from veracruz_shells.tls_files import ServerFiles
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError

ROOT = Path(__file__).parents[3]
PLATFORM = "linux-software-root"
CHALLENGE = sha256(b"challenge").digest()
POLICY = b'version = 1\n[sgx]\n[sgx.measurements]\nmrenclave = "reference-values"\n'


@pytest.fixture
def database(tmp_path):
    """SQLite alone: what HTTP adds is the same over every database."""
    with new_database(tmp_path / "tabasco.db") as database:
        yield database


@pytest.fixture
def app(service, database, clock):
    return create_app(Context(service, database, Administrators(database), clock))


@pytest.fixture
def server(app):
    with HttpService(app, Address.parse("127.0.0.1:0")) as server:
        yield server


def open_client(server, **more):
    # In plain text; without this it would load all authorities of the web first.
    return httpx.Client(
        base_url=server.url, timeout=PATIENCE_S, trust_env=False, verify=False, **more
    )


@pytest.fixture
def client(server):
    with open_client(server) as client:
        yield client


@pytest.fixture
def as_role(database, clock, server):
    """A client with the token of somebody of a role."""
    with contextlib.ExitStack() as clients:

        def client(role):
            token = Administrators(database).add(f"some-{role}", role, at=clock())
            headers = {"Authorization": f"Bearer {token.reveal().decode()}"}
            return clients.enter_context(open_client(server, headers=headers))

        yield client


@pytest.fixture
def admin(as_role):
    return as_role(AdministratorRole.ADMIN)


@pytest.fixture
def reader(as_role):
    return as_role(AdministratorRole.READER)


def b64(data):
    return to_base64url(data)


def enrolment_of(attester, challenge):
    request = attester.enrolment(from_base64url(challenge, "it"))
    return {
        "challenge": challenge,
        "platform": request.platform,
        "evidence": b64(request.evidence),
        "public_key": b64(request.public_key),
        "proof_of_possession": b64(request.proof_of_possession),
    }


def enrol(client, attester):
    begun = client.post("/v1/enrolment-challenges", json={"platform": PLATFORM})
    assert begun.status_code == 201
    return client.post("/v1/enrolments", json=enrolment_of(attester, begun.json()["challenge"]))


def verify(client, attester, **more):
    body = {"token": b64(attester.token(CHALLENGE)), "challenge": b64(CHALLENGE), **more}
    return client.post("/v1/tokens/verify", json=body)


def test_a_root_enrols_and_its_tokens_are_vouched_for_under_a_published_key(
    client, attester, clock
):
    enrolled = enrol(client, attester)
    assert enrolled.status_code == 201
    assert enrolled.json()["instance_id"] == attester.instance_id.hex()
    answer = client.get("/.well-known/jwks.json")
    assert answer.headers["content-type"] == "application/jwk-set+json"
    published = decode_key_set(answer.content)
    at = int(clock().timestamp())
    jwt = verify(client, attester).json()
    assert jwt["media_type"] == "application/eat+jwt"
    ear = verify_ear_jwt(jwt["attestation_result"], keys=published, nonce=CHALLENGE, at=at)
    (key,) = published.values()
    cwt = verify(client, attester, format="cwt").json()
    assert cwt["media_type"] == "application/eat+cwt"
    signed = from_base64url(cwt["attestation_result"], "it")
    assert verify_ear(signed, key=key, nonce=CHALLENGE, at=at).submods == ear.submods


def test_the_service_says_who_it_is(client):
    described = client.get("/.well-known/tabasco").json()
    assert described["verifier"] == "veracruz-tabasco 9.9"
    assert PLATFORM in described["platforms"]
    assert client.get("/healthz").json() == {"status": "serving"}


def test_a_refusal_is_its_reason_and_one_fixed_sentence(client, attester):
    refused = verify(client, attester)
    assert refused.status_code == 403
    assert refused.json() == {
        "error": "instance-unknown",
        "message": "the token's instance is not enrolled here",
    }


def test_of_concurrent_enrolments_with_one_challenge_one_wins(client, server, root):
    attester, ready = RootAttester(root), threading.Barrier(4)
    begun = client.post("/v1/enrolment-challenges", json={"platform": PLATFORM}).json()
    body = enrolment_of(attester, begun["challenge"])

    def submit(_):
        ready.wait()
        return httpx.post(f"{server.url}/v1/enrolments", json=body, timeout=PATIENCE_S).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(submit, range(4))) == [201, 403, 403, 403]


NO_REQUESTS = [
    b"", b"{", b"[]", b"null", b"\xff", b'{"platform": 1}', b'{"platform": ""}',
    b'{"platform": "x", "more": 1}', b'{"platform": "x", "platform": "x"}',
    b"[" * 100_000, b'{"platform": "' + b"x" * 65 + b'"}',
]  # fmt: skip


def test_what_is_no_request_is_refused_and_the_next_is_served(client):
    headers = {"Content-Type": "application/json"}
    for body in NO_REQUESTS:
        refused = client.post("/v1/enrolment-challenges", content=body, headers=headers)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid-request"), body[:9]
        assert "xxxx" not in refused.text
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "APPLICATION/x+Json", "application/jwk-set+json"]
)
def test_json_by_any_of_its_names_says_everything_once(client, kind):
    refused = client.post(
        "/v1/enrolment-challenges",
        content=f'{{"platform": "y", "platform": "{PLATFORM}"}}',
        headers={"Content-Type": kind},
    )
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid-request")
    assert "twice" in refused.json()["message"]


def test_a_challenge_that_is_none_is_an_invalid_request(client, attester):
    for challenge in ("", "AA", "AA==", "+" * 43, b64(bytes(31)), b64(bytes(33))):
        refused = verify(client, attester, challenge=challenge)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid-request")


def test_a_body_that_is_too_large_is_refused_before_it_is_all_there(client, server):
    refused = client.post("/v1/enrolments", content=bytes(MAX_BODY_BYTES + 1))
    assert (refused.status_code, refused.json()["error"]) == (413, "too-large")

    def endless():
        while True:
            yield bytes(64 * 1024)

    with contextlib.suppress(httpx.WriteError):
        assert client.post("/v1/enrolments", content=endless()).status_code == 413


@pytest.mark.parametrize("length", [MAX_BODY_BYTES + 1, 2**64, "9" * 20])
def test_a_body_that_is_announced_as_too_large_is_not_waited_for(server, length):
    address = Address.parse(server.url.removeprefix("http://"))
    with socket.create_connection((address.host, address.port), timeout=PATIENCE_S) as connection:
        head = f"POST /v1/enrolments HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert httpx.get(f"{server.url}/healthz", trust_env=False).status_code == 200


def test_a_body_that_never_comes_is_not_waited_for(app, server, monkeypatch):
    monkeypatch.setattr("tabasco.http.bodies.BODY_TIMEOUT_S", 0.2)
    address = Address.parse(server.url.removeprefix("http://"))
    with socket.create_connection((address.host, address.port), timeout=PATIENCE_S) as connection:
        connection.sendall(
            b"POST /v1/enrolments HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
        )
        assert connection.recv(64).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_head_that_never_comes_whole_is_not_waited_for(client, server, monkeypatch, before):
    monkeypatch.setattr("tabasco.http.heads.HEAD_TIMEOUT_S", 1.0)
    address = Address.parse(server.url.removeprefix("http://"))
    with socket.create_connection((address.host, address.port), timeout=PATIENCE_S) as connection:
        if before:
            connection.sendall(before)
            answer = b""
            while b'"serving"}' not in answer:  # head and body may come apart
                answer += connection.recv(4096)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        with contextlib.suppress(OSError):
            for _ in range(100):  # byte by byte, never idle
                connection.sendall(b"a")
                if connection in select.select([connection], [], [], 0.1)[0]:
                    break
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(64) == b""
    assert client.get("/healthz").status_code == 200


def test_a_path_that_is_not_there_is_not_found(client):
    for path in ("/nothing", "/v1/enrolments/", "/docs", "/redoc"):
        found = client.get(path)
        assert (found.status_code, found.json()["error"]) == (404, "not-found")


ADMINISTRATION = [
    ("GET", "/v1/trust-anchors"), ("POST", "/v1/trust-anchors"),
    ("DELETE", "/v1/trust-anchors/lab"), ("GET", "/v1/instances"), ("GET", "/v1/revocations"),
    ("POST", "/v1/revocations"), ("GET", "/v1/reference-values"), ("POST", "/v1/reference-values"),
    ("POST", "/v1/reference-values/bundles"), ("GET", "/v1/reference-values/1"),
    ("DELETE", "/v1/reference-values/1"), ("GET", "/v1/providers"), ("GET", "/v1/policies"),
    ("GET", "/v1/platform-keys"), ("POST", "/v1/platform-keys"),
    ("DELETE", "/v1/platform-keys/1"),
    ("POST", "/v1/policies"), ("POST", "/v1/policies/explain"), ("GET", "/v1/audit/head"),
    ("GET", "/v1/audit/entries"),
]  # fmt: skip


def test_every_route_of_administration_is_tried_below(app):
    paths = app.openapi()["paths"]
    found = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method, route in methods.items()
        if "administration" in route["tags"]
    }
    tried = {
        (method, path.replace("/lab", "/{name}").replace("/1", "/{number}"))
        for method, path in ADMINISTRATION
    }
    assert found == tried


def test_without_a_token_nothing_is_administered(client, database):
    before = AuditLog(database).head()
    for method, path in ADMINISTRATION:
        for headers in (
            {},
            {"Authorization": "Bearer x"},
            {"Authorization": f"Bearer {TOKEN_PREFIX}{'A' * 43}"},
            {"Authorization": "Basic eDp4"},
        ):
            refused = client.request(method, path, headers=headers)
            assert (refused.status_code, refused.json()["error"]) == (401, "unauthenticated"), path
            assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert AuditLog(database).head() == before


def test_a_reader_changes_nothing_and_the_attempt_is_recorded(reader, database):
    for method, path in ADMINISTRATION:
        if method != "GET" and not path.endswith("/explain"):
            refused = reader.request(method, path)
            assert (refused.status_code, refused.json()["error"]) == (403, "forbidden"), path
            last = AuditLog(database).entries()[-1]
            assert (last.actor, last.outcome) == ("administrator some-reader", "forbidden")


def test_a_reader_sees_everything(reader):
    for method, path in ADMINISTRATION:
        if method == "GET" and not path.endswith("/1"):
            assert reader.get(path).status_code == 200, path


def test_a_token_that_was_taken_away_is_worth_nothing(admin, database, clock):
    assert admin.get("/v1/instances").status_code == 200
    Administrators(database).remove("some-admin", at=clock())
    assert admin.get("/v1/instances").status_code == 401


def test_trust_anchors_are_added_listed_and_removed(admin, client):
    key = new_key()
    anchor = {"name": "lab-2", "public_key": b64(spki(key))}
    assert admin.post("/v1/trust-anchors", json=anchor).json() == anchor
    assert anchor in admin.get("/v1/trust-anchors").json()
    assert admin.delete("/v1/trust-anchors/lab-2").status_code == 204
    assert admin.delete("/v1/trust-anchors/lab-2").status_code == 404
    bad = {"name": "lab-3", "public_key": b64(b"no key")}
    assert admin.post("/v1/trust-anchors", json=bad).status_code == 400


def test_a_manufacturer_of_tpms_is_a_trust_anchor_by_its_certificate(admin, clock):
    maker = issue("Maker", None, authority(start=clock() - YEAR))
    anchor = {"name": "maker", "certificate": b64(maker.der)}
    kept = anchor | {"kind": "tpm"}
    assert admin.post("/v1/trust-anchors", json=anchor).json() == kept
    assert kept in admin.get("/v1/trust-anchors").json()
    gpus = anchor | {"name": "gpus", "kind": "nvidia"}
    assert admin.post("/v1/trust-anchors", json=gpus).json() == gpus
    assert gpus in admin.get("/v1/trust-anchors").json()
    software = anchor | {"name": "x", "kind": "software"}
    assert admin.post("/v1/trust-anchors", json=software).status_code == 400
    both = {"name": "both", "public_key": b64(spki(new_key())), "certificate": b64(maker.der)}
    leaf = issue("chip", maker, Form(start=clock() - YEAR))
    for bad in (both, {"name": "neither"}):
        assert admin.post("/v1/trust-anchors", json=bad).status_code == 400
    wrong = {"name": "leaf", "certificate": b64(leaf.der)}
    assert "not an authority" in admin.post("/v1/trust-anchors", json=wrong).text
    assert admin.delete("/v1/trust-anchors/maker").status_code == 204


def test_a_credential_for_a_key_of_a_tpm_is_given_over_http(admin, client, clock):
    maker = issue("Maker", None, authority(start=clock() - YEAR))
    admin.post("/v1/trust-anchors", json={"name": "maker", "certificate": b64(maker.der)})
    begun = client.post("/v1/enrolment-challenges", json={"platform": "tpm"}).json()
    body = {
        "challenge": begun["challenge"],
        "platform": "tpm",
        "certificate": b64(endorsements.made(issuer=maker, start=clock() - YEAR)),
        "key_area": b64(ecc_area()),
    }
    given = client.post("/v1/enrolment-credentials", json=body)
    assert given.status_code == 201
    made = MadeCredential(
        *(from_base64url(given.json()[name], name) for name in ("credential", "encrypted_secret"))
    )
    assert len(activated(rsa_key(), attestation_key(ecc_area()).name, made)) == 32
    refused = client.post("/v1/enrolment-credentials", json={**body, "key_area": b64(b"x")})
    assert (refused.status_code, refused.json()["error"]) == (403, "key-area-unsuitable")


def test_a_revoked_instance_is_vouched_for_no_more(admin, client, attester):
    enrol(client, attester)
    (shown,) = admin.get("/v1/instances").json()
    assert shown["state"] == "live"
    body = {"subject": "instance", "value": shown["instance_id"]}
    assert admin.post("/v1/revocations", json=body).status_code == 201
    assert verify(client, attester).json()["error"] == "instance-revoked"
    body["value"] = "00" * 33
    assert admin.post("/v1/revocations", json=body).status_code == 409


def test_a_revoked_measurement_and_key_are_believed_no_more(admin, client, attester):
    enrol(client, attester)
    measurement = sha256(b"runtime").hexdigest()
    body = {"subject": "measurement", "value": measurement, "reason": "a bug"}
    assert admin.post("/v1/revocations", json=body).status_code == 201
    assert verify(client, attester).json()["error"] == "measurement-revoked"
    key = {"subject": "key", "value": sha256(spki(attester.key)).hexdigest()}
    assert admin.post("/v1/revocations", json=key).status_code == 201
    assert enrol(client, attester).json()["error"] == "key-revoked"
    assert [each["subject"] for each in admin.get("/v1/revocations").json()] == [
        "key",
        "measurement",
    ]


def test_reference_values_are_made_read_listed_and_deleted(admin):
    value = {"kind": "sgx", "measurement": "mrenclave", "value": "ab" * 32, "label": "r 1"}
    made = admin.post("/v1/reference-values", json=value)
    assert made.status_code == 201
    path = f"/v1/reference-values/{made.json()['number']}"
    assert admin.get(path).json() == made.json()
    assert admin.get("/v1/reference-values").json() == [made.json()]
    assert admin.post("/v1/reference-values", json=value).status_code == 409
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == admin.delete(path).status_code == 404


def test_a_bundle_that_nobody_registered_signed_is_refused(admin):
    refused = admin.post("/v1/reference-values/bundles", content=b"a.b.c")
    assert (refused.status_code, refused.json()["error"]) == (409, "refused")
    assert "not signed by a registered provider" in refused.json()["message"]


def test_a_bundle_of_a_registered_provider_is_imported_once(admin, database, clock):
    key = new_key()
    ReferenceValues(database).add_provider("maker", key.public_key(), at=clock())
    values = [{"kind": "tdx", "measurement": "mrtd", "value": "11" * 48}]
    document = json.dumps({"version": 3, "values": values}).encode()
    bundle = sign_jws(document, key, typ=BUNDLE_TYPE, kid=None)
    imported = admin.post("/v1/reference-values/bundles", content=bundle)
    taken_over = {"provider": "maker", "version": 3, "values": 1, "left_out": 0, "ended": 0}
    assert imported.json() == taken_over
    assert admin.post("/v1/reference-values/bundles", content=bundle).status_code == 409
    assert admin.get("/v1/providers").json() == [{"name": "maker", "version": 3}]


def test_numbers_and_times_that_are_none_are_invalid_requests(admin):
    value = {"kind": "sgx", "measurement": "mrenclave", "value": "ab" * 32}
    for wrong in ({"kind": "abacus"}, {"not_before": "soon"}, {"value": "xyz"}):
        refused = admin.post("/v1/reference-values", json=value | wrong)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid-request")
    for number in (0, -1, 2**63, 2**80, "x"):
        for kept in ("reference-values", "platform-keys"):
            assert admin.delete(f"/v1/{kept}/{number}").status_code in {400, 404}
        assert admin.get(f"/v1/reference-values/{number}").status_code in {400, 404}
        found = admin.get("/v1/audit/entries", params={"after": number})
        assert found.status_code == (200 if number == 0 else 400)


def test_platform_keys_are_added_listed_and_removed(admin):
    key = {"kind": "arm-cca", "instance": "01" * 33, "public_key": b64(spki(new_key()))}
    made = admin.post("/v1/platform-keys", json=key)
    assert made.status_code == 201
    assert admin.post("/v1/platform-keys", json=key).json() == made.json()
    assert admin.get("/v1/platform-keys").json() == [made.json()]
    assert made.json() == key | {"number": made.json()["number"], "provider": "operator"}
    for wrong in ({"kind": "sgx"}, {"instance": "01"}, {"public_key": b64(b"none")}):
        assert admin.post("/v1/platform-keys", json=key | wrong).status_code == 409
    path = f"/v1/platform-keys/{made.json()['number']}"
    assert [admin.delete(path).status_code for _ in range(2)] == [204, 404]


def test_a_policy_is_put_in_force_and_never_rolled_back(admin):
    assert admin.post("/v1/policies", content=POLICY).json()["version"] == 1
    newer = POLICY.replace(b"version = 1", b"version = 2")
    assert admin.post("/v1/policies", content=newer).status_code == 201
    back = admin.post("/v1/policies", content=POLICY)
    assert (back.status_code, back.json()["error"]) == (409, "refused")
    assert [each["version"] for each in admin.get("/v1/policies").json()] == [2, 1]
    assert admin.post("/v1/policies", content=b"version = 3\nx = 1").status_code == 409


def test_the_audit_log_names_who_did_what_and_its_head_is_signed(admin, database, result_key):
    admin.post("/v1/policies", content=POLICY)
    entries = admin.get("/v1/audit/entries").json()
    assert (entries[-1]["actor"], entries[-1]["action"]) == (
        "administrator some-admin",
        "set-policy",
    )
    head = admin.get("/v1/audit/head").json()
    signed = Head.verified(from_base64url(head["signed"], "it"), result_key.public_key())
    assert (signed.number, signed.hash.hex()) == (head["number"], entries[-1]["hash"])
    assert AuditLog(database).verify(kept=signed) == signed
    (last,) = admin.get("/v1/audit/entries", params={"after": len(entries) - 1}).json()
    assert last == entries[-1]


def test_a_failure_inside_says_nothing_outside(app, client, monkeypatch):
    monkeypatch.setattr(type(app.state.context.service), "key_set", lambda _: 1 / 0)
    failed = client.get("/.well-known/jwks.json")
    assert failed.status_code == 500
    assert failed.json() == {"error": "internal", "message": "the service failed, its log has more"}


def test_an_administrator_token_is_kept_as_its_digest_alone(tmp_path, clock):
    with new_database(tmp_path / "other.db") as database:
        token = Administrators(database).add("x", AdministratorRole.READER, at=clock()).reveal()
        kept = b"".join(path.read_bytes() for path in tmp_path.glob("other.db*"))
    assert token.startswith(TOKEN_PREFIX.encode())
    assert sha256(token).digest() in kept
    assert token not in kept


def test_the_description_is_served(client):
    described = client.get("/openapi.json").json()
    assert described["info"]["title"] == "Tabasco"
    assert json.dumps(described).count("base64url") > 5


def test_the_description_that_is_checked_in_is_the_one_that_is_served(client):
    kept = (ROOT / "docs/reference/tabasco-openapi.json").read_text()
    assert json.loads(kept) == client.get("/openapi.json").json(), "run: make openapi"


def test_no_part_of_an_answer_waits_for_word_that_another_has_come(server, client):
    assert client.get("/livez").status_code == 200
    (connection,) = server._server.server_state.connections
    at = connection.transport.get_extra_info("socket")
    assert at.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_plain_http_does_not_leave_this_machine(app):
    with pytest.raises(VeracruzError, match="do not go over plain HTTP"):
        HttpService(app, Address.parse("0.0.0.0:0"))


def test_an_address_that_is_taken_is_an_error_that_names_it(app, server):
    taken = Address.parse(server.url.removeprefix("http://"))
    with pytest.raises(VeracruzError, match=f"cannot listen on {taken} for HTTP"):
        HttpService(app, taken).__enter__()


def test_the_program_serves_both_and_its_commands_let_an_administrator_in(tmp_path):
    token = tmp_path / "token"
    made = run_command("administrator", "add", "--name", "x", "--role", "admin", token,
                       state=tmp_path)  # fmt: skip
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert token.read_text().strip() not in made
    arguments = ["serve", "--state", tmp_path, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    with Service("tabasco", [*map(str, arguments)]) as service:
        service.wait_ready()
        url = re.search(r"HTTP on (\S+)", service.last_words)[1]
        headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
        assert httpx.get(f"{url}/v1/instances", headers=headers, trust_env=False).json() == []
        run_command("administrator", "remove", "x", state=tmp_path)
        assert httpx.get(f"{url}/v1/instances", headers=headers, trust_env=False).is_error
    assert "no administrators" in run_command("administrator", "list", state=tmp_path)


def run_command(*arguments, state):
    done = CliRunner().invoke(main, [*map(str, arguments), "--state", str(state)])
    assert done.exit_code == 0, done.output
    return done.output


def test_over_tls_it_is_served_to_who_trusts_the_certificate(app, tmp_path):
    key, name = new_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    files = ServerFiles(tmp_path / "certificate.pem", tmp_path / "key.pem")
    files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with HttpService(app, Address.parse("0.0.0.0:0"), tls=files) as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        trusting = ssl.create_default_context(cafile=files.certificate)
        found = httpx.get(f"{url}/healthz", verify=trusting, trust_env=False)
        assert found.json() == {"status": "serving"}
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/healthz", trust_env=False)
    files.key.write_bytes(b"no key")
    with pytest.raises(VeracruzError, match="cannot be used"):
        HttpService(app, Address.parse("0.0.0.0:0"), tls=files)
