"""Stateless challenges: any service with the key accepts them, each database once."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import colima.tabasco as wire
from support.enrolment import Clock, RootAttester
from support.enrolment import SoftwareRoot as Root
from tabasco import BusyError, RefusalError, RejectionReason
from tabasco.cli import main
from tabasco.registry.challenges import StatelessChallenges
from tabasco.registry.database import Database, sqlite_url
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.roots import Roots
from tabasco.service.attestation import AttestationService, Settings
from veracruz_utils.secret import Secret

KEY = Secret(bytes(range(32)))
NOW = Clock()()


def source(database, *, key=KEY, limit=99):
    return StatelessChallenges(database, key=key, validity=timedelta(minutes=2), limit=limit)


def refused(challenges, challenge, platform="sgx", *, at=NOW):
    with pytest.raises(RefusalError) as caught:
        challenges.use(challenge, platform, at=at)
    assert caught.value.reason is RejectionReason.CHALLENGE_NOT_LIVE
    return caught.value.detail


def test_another_service_on_the_same_database_takes_it_once(database):
    challenge = source(database).issue("sgx", at=NOW)
    with Database.open(database.url) as again:
        sources, ready = [source(database), source(again)] * 2, threading.Barrier(4)

        def use(challenges):
            ready.wait()
            with contextlib.suppress(RefusalError):
                challenges.use(challenge, "sgx", at=NOW)
                return True
            return False

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(use, sources)) == [False, False, False, True]
    assert refused(source(database), challenge) == "used"


def test_a_service_with_the_key_and_a_database_of_its_own_takes_it_too(tmp_path):
    with (
        Database.open(sqlite_url(tmp_path / "one.db")) as one,
        Database.open(sqlite_url(tmp_path / "two.db")) as two,
    ):
        challenge = source(one).issue("sgx", at=NOW)
        source(two).use(challenge, "sgx", at=NOW)
        assert refused(source(two), challenge) == "used"
        source(one).use(challenge, "sgx", at=NOW)  # as documented: once at each


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    with Database.open(sqlite_url(tmp_path_factory.mktemp("kept") / "t.db")) as database:
        yield database


@given(st.integers(0, 255))
def test_a_challenge_with_any_bit_flipped_is_unknown(kept, bit):
    challenge = int.from_bytes(source(kept).issue("sgx", at=NOW))
    assert refused(source(kept), (challenge ^ 1 << bit).to_bytes(32)) == "unknown"


def test_what_was_made_under_another_key_or_for_another_platform_is_unknown(kept):
    challenge = source(kept).issue("sgx", at=NOW)
    assert refused(source(kept, key=Secret(bytes(32))), challenge) == "unknown"
    assert refused(source(kept), challenge, "tdx") == "unknown"
    for size in (0, 16, 31, 33):
        assert refused(source(kept), bytes(size)) == "unknown"


def test_it_ends_and_begins_with_leeway(kept):
    challenge = source(kept).issue("sgx", at=NOW)
    assert refused(source(kept), challenge, at=NOW + timedelta(minutes=2)) == "expired"
    assert refused(source(kept), challenge, at=NOW - timedelta(seconds=31)) == "expired"
    source(kept).use(challenge, "sgx", at=NOW - timedelta(seconds=30))
    late = NOW + timedelta(minutes=2, microseconds=-1)
    assert refused(source(kept), challenge, at=late) == "used", "for as long as it could be used"


def test_used_ones_are_bounded_and_forgotten_when_they_have_ended(tmp_path):
    with Database.open(sqlite_url(tmp_path / "t.db")) as database:
        bounded = source(database, limit=2)
        for _ in range(2):
            bounded.use(bounded.issue("sgx", at=NOW), "sgx", at=NOW)
        with pytest.raises(BusyError):
            bounded.use(bounded.issue("sgx", at=NOW), "sgx", at=NOW)
        later = NOW + timedelta(minutes=3)
        bounded.use(bounded.issue("sgx", at=later), "sgx", at=later)


def test_an_enrolment_begins_at_one_service_and_ends_at_another(
    tmp_path, clock, collateral, result_key
):
    root = Root()
    with contextlib.ExitStack() as stack:
        services = []
        for name in ("one", "two"):
            database = stack.enter_context(Database.open(sqlite_url(tmp_path / f"{name}.db")))
            Roots(database).add("lab", root.key.public_key(), at=clock())
            services.append(
                AttestationService(
                    database=database, key_ring=KeyRing.single(result_key), build="1", now=clock,
                    settings=Settings(), source=collateral, challenge_key=KEY,
                )
            )  # fmt: skip
        attester = RootAttester(root)
        begun = services[0].begin_enrolment(wire.BeginEnrolmentRequest("linux-software-root"))
        done = services[1].complete_enrolment(attester.enrolment(begun.challenge))
        assert done.instance_id == attester.instance_id


@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [("00" * 32, 0o644, "other users can read"), ("00" * 31, 0o600, "not hold a challenge key"),
     ("zz" * 32, 0o600, "not hold a challenge key"), ("00" * 600, 0o600, "more than 1024 bytes")],
)  # fmt: skip
def test_a_key_file_that_is_none_is_refused_before_anything_listens(
    tmp_path, content, mode, complaint
):
    file = tmp_path / "key"
    file.write_text(content, encoding="ascii")
    file.chmod(mode)
    arguments = ["serve", "--state", tmp_path / "s", "--listen", "127.0.0.1:0"]
    done = CliRunner().invoke(main, [*map(str, arguments), "--challenge-key", str(file)])
    assert done.exit_code == 1
    assert complaint in done.output
    assert content not in done.output
