"""Two services on one database, and services that are killed: what was acknowledged stays."""

import contextlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import colima.tabasco as wire
from colima import decode, encode
from support.enrolment import RootAttester, SoftwareRoot, pem
from support.patience import PATIENCE_S
from tabasco.registry.database import Database
from tabasco.registry.instances import Instances
from veracruz import Service
from veracruz_shells.channels import open_channel, unary
from veracruz_utils.errors import RefusedError, VeracruzError

PLATFORM = "linux-software-root"


def call(address, method, request):
    with open_channel(address) as channel:
        name = f"/{wire.SERVICE}/{method}"
        data = unary(channel, name, encode(request), timeout_s=PATIENCE_S, peer="tabasco")
    return decode(getattr(wire, f"{method}Response"), data)


@contextlib.contextmanager
def tabasco(folder, url, root):
    folder.mkdir(exist_ok=True)
    root_file = folder / "lab.pem"
    root_file.write_bytes(pem(root.key))
    arguments = ["serve", "--state", folder, "--listen", "127.0.0.1:0", "--database", url]
    with Service("tabasco", [*map(str, arguments), "--trust-root", str(root_file)]) as service:
        service.wait_ready()
        yield service


@pytest.fixture
def root():
    return SoftwareRoot()


def test_of_two_services_on_one_database_one_accepts_a_challenge(tmp_path, database_url, root):
    with (
        tabasco(tmp_path / "one", database_url, root) as one,
        tabasco(tmp_path / "two", database_url, root) as two,
    ):
        for _ in range(4):
            begun = call(one.address, "BeginEnrolment", wire.BeginEnrolmentRequest(PLATFORM))
            attester, ready = RootAttester(root), threading.Barrier(4)
            request = attester.enrolment(begun.challenge)

            def complete(service, ready=ready, request=request):
                ready.wait()
                try:
                    return call(service.address, "CompleteEnrolment", request).instance_id
                except RefusedError:
                    return None

            with ThreadPoolExecutor(4) as pool:
                outcomes = list(pool.map(complete, [one, two, one, two]))
            assert sorted(map(bool, outcomes)) == [False, False, False, True]
            # Whichever it was, the other vouches for the instance, too.
            challenge = bytes(range(32))
            for service in (one, two):
                token = wire.VerifyTokenRequest(attester.token(challenge), challenge)
                assert call(service.address, "VerifyToken", token).attestation_result


def test_what_was_acknowledged_outlives_a_service_that_is_killed(tmp_path, database_url, root):
    acknowledged, stop = [], threading.Event()

    def enrol_until_the_end(address):
        while not stop.is_set():
            attester = RootAttester(root)
            try:
                begun = call(address, "BeginEnrolment", wire.BeginEnrolmentRequest(PLATFORM))
                call(address, "CompleteEnrolment", attester.enrolment(begun.challenge))
            except VeracruzError:
                return
            acknowledged.append(attester.instance_id)

    for _ in range(2):
        with tabasco(tmp_path / "state", database_url, root) as service:
            threads = [
                threading.Thread(target=enrol_until_the_end, args=(service.address,))
                for _ in range(3)
            ]
            enough = len(acknowledged) + 8
            for thread in threads:
                thread.start()
            while len(acknowledged) < enough:
                stop.wait(0.01)
            os.kill(service.process_id, signal.SIGKILL)
            for thread in threads:
                thread.join(PATIENCE_S)
    with Database.open(database_url) as database:
        enrolled = {instance.instance_id for instance in Instances(database).all()}
    assert enrolled >= set(acknowledged)
    with tabasco(tmp_path / "state", database_url, root) as service:
        attester = RootAttester(root)
        begun = call(service.address, "BeginEnrolment", wire.BeginEnrolmentRequest(PLATFORM))
        call(service.address, "CompleteEnrolment", attester.enrolment(begun.challenge))


def test_a_server_that_was_started_anew_is_used_again(postgresql, tmp_path, root):
    url = postgresql.database("restarted")
    with tabasco(tmp_path / "one", url, root) as service:

        def enrol():
            """What is written to the database, where a challenge is not."""
            attester = RootAttester(root)
            begun = call(service.address, "BeginEnrolment", wire.BeginEnrolmentRequest(PLATFORM))
            request = attester.enrolment(begun.challenge)
            return call(service.address, "CompleteEnrolment", request).instance_id

        assert enrol()
        postgresql.stop()
        with pytest.raises(VeracruzError):
            enrol()
        postgresql.start()
        assert enrol()
