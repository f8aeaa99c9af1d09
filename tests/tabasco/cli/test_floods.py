"""Strangers who flood a whole service: its log stays short, and others are served meanwhile."""

import contextlib
import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

import colima.tabasco as wire
from colima import decode, encode
from psa_attestation.jose.base64url import from_base64url, to_base64url
from support.enrolment import RootAttester, SoftwareRoot, pem
from support.patience import PATIENCE_S
from tabasco.registry.audit import AuditLog
from tabasco.registry.database import Database
from veracruz import Service
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.channels import open_channel, unary
from veracruz_utils.errors import RefusedError

PLATFORM = "linux-software-root"


@pytest.fixture
def root():
    return SoftwareRoot()


@pytest.fixture
def serve(tmp_path, root):
    """Starts `tabasco serve` on a database, with these options more."""
    (tmp_path / "lab.pem").write_bytes(pem(root.key))

    @contextlib.contextmanager
    def start(url, *more):
        listening = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        options = ["--state", tmp_path / "s", "--database", url, "--trust-root"]
        arguments = ["serve", *listening, *options, tmp_path / "lab.pem", *more]
        with Service("tabasco", [*map(str, arguments)]) as service:
            service.wait_ready()
            yield service

    return start


def enrol(channel, attester):
    def call(method, request):
        name = f"/{wire.SERVICE}/{method}"
        data = unary(channel, name, encode(request), timeout_s=PATIENCE_S, peer="tabasco")
        return decode(getattr(wire, f"{method}Response"), data)

    begun = call("BeginEnrolment", wire.BeginEnrolmentRequest(PLATFORM))
    return call("CompleteEnrolment", attester.enrolment(begun.challenge))


def refusals(url):
    with Database.open(url) as database:
        AuditLog(database).verify()
        return [
            entry.subject
            for entry in AuditLog(database).entries()
            if entry.outcome == "root-unknown"
        ]


def test_refused_enrolments_are_two_entries_and_keep_nobody_out(serve, database_url, root):
    strangers = [RootAttester(SoftwareRoot()) for _ in range(4)]
    with serve(database_url) as service:

        def flood(stranger):
            with open_channel(service.address) as channel:
                for _ in range(30):
                    with pytest.raises(RefusedError, match="root-unknown"):
                        enrol(channel, stranger)

        with ThreadPoolExecutor(4) as pool, open_channel(service.address) as channel:
            flooding = [pool.submit(flood, each) for each in strangers]
            for _ in range(5):
                assert enrol(channel, RootAttester(root)).instance_id
            for each in flooding:
                each.result()
    first, more = refusals(database_url)
    assert first == PLATFORM
    assert re.match(f"{PLATFORM}, 119 more from ", more)


def post(url, path, body, *, source="127.0.0.1"):
    """The status and body of an answer to somebody at this address."""
    connection = http.client.HTTPConnection(
        url.removeprefix("http://"), timeout=PATIENCE_S, source_address=(source, 0)
    )
    with contextlib.closing(connection):
        headers = {"Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_who_is_refused_again_and_again_waits_and_who_comes_from_elsewhere_does_not(
    serve, tmp_path, root
):
    with serve(f"sqlite:///{tmp_path}/t.db", "--refusals-per-address", "5") as service:
        url = re.search(r"HTTP on (\S+)", service.last_words)[1]
        asked = {"platform": PLATFORM}

        def attempt(attester, source):
            _, begun = post(url, "/v1/enrolment-challenges", asked, source=source)
            request = attester.enrolment(from_base64url(begun["challenge"], "it"))
            body = {"challenge": begun["challenge"], "platform": PLATFORM} | {
                name: to_base64url(getattr(request, name))
                for name in ("evidence", "public_key", "proof_of_possession")
            }
            return post(url, "/v1/enrolments", body, source=source)[0]

        stranger = RootAttester(SoftwareRoot())
        assert [attempt(stranger, "127.0.0.2") for _ in range(5)] == [403] * 5
        status, answer = post(url, "/v1/enrolment-challenges", asked, source="127.0.0.2")
        assert (status, answer["error"]) == (429, "busy")
        for number in range(3, 40):  # a stranger with many addresses
            assert attempt(stranger, f"127.0.0.{number}") == 403
        assert attempt(RootAttester(root), "127.0.0.50") == 201
        with open_channel(service.address) as channel:  # from 127.0.0.1
            assert enrol(channel, RootAttester(root)).instance_id
            for _ in range(5):
                with pytest.raises(RefusedError):
                    enrol(channel, stranger)
            with pytest.raises(CallError) as caught:
                enrol(channel, stranger)
            assert caught.value.status is CallStatus.RESOURCE_EXHAUSTED


def test_challenges_of_one_service_are_taken_by_all_on_its_database(serve, database_url, root):
    with serve(database_url) as one, serve(database_url) as two:
        for _ in range(3):
            with open_channel(one.address) as first, open_channel(two.address) as second:
                name = f"/{wire.SERVICE}/BeginEnrolment"
                asked = encode(wire.BeginEnrolmentRequest(PLATFORM))
                data = unary(first, name, asked, timeout_s=PATIENCE_S, peer="tabasco")
                begun = decode(wire.BeginEnrolmentResponse, data)
                request = encode(RootAttester(root).enrolment(begun.challenge))
                name = f"/{wire.SERVICE}/CompleteEnrolment"
                assert unary(second, name, request, timeout_s=PATIENCE_S, peer="tabasco")
                with pytest.raises(RefusedError, match="challenge-not-live"):
                    unary(first, name, request, timeout_s=PATIENCE_S, peer="tabasco")
