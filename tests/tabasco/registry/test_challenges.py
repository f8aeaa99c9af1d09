"""Challenges: any service with the key accepts them, each database once; used ones are bounded."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

import colima.tabasco as wire
from support.databases import new_database
from support.enrolment import Clock, RootAttester
from support.enrolment import SoftwareRoot as Root
from tabasco import BusyError, RefusalError, RejectionReason
from tabasco.cli import main
from tabasco.registry.challenges import Challenges
from tabasco.registry.database import Database, sqlite_url
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.roots import Roots
from tabasco.service.attestation import AttestationService, Settings
from veracruz_utils.secret import Secret

KEY = Secret(bytes(range(32)))
NOW = Clock()()


def source(database, *, key=KEY, limit=99):
    """Challenges under this key, or None for the database's."""
    return Challenges(database, key=key, validity=timedelta(minutes=2), limit=limit)


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
        new_database(tmp_path / "one.db") as one,
        new_database(tmp_path / "two.db") as two,
    ):
        challenge = source(one).issue("sgx", at=NOW)
        source(two).use(challenge, "sgx", at=NOW)
        assert refused(source(two), challenge) == "used"
        source(one).use(challenge, "sgx", at=NOW)  # as documented: once at each


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    with new_database(tmp_path_factory.mktemp("kept") / "t.db") as database:
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


def test_giving_one_out_writes_nothing(database):
    for _ in range(9):
        assert len(source(database).issue("sgx", at=NOW)) == 32
    assert rows_of(database) == []


def rows_of(database):
    with database.reading() as session:
        return session.execute(text("select * from challenges")).all()


def test_services_that_share_a_database_share_its_key(database, tmp_path):
    challenge = source(database, key=None).issue("sgx", at=NOW)
    elsewhere = sqlite_url(tmp_path / "other.db")
    with Database.open(database.url) as again, Database.open(elsewhere) as other:
        assert refused(source(other, key=None), challenge) == "unknown"
        source(again, key=None).use(challenge, "sgx", at=NOW)
    assert refused(source(database, key=None), challenge) == "used"


def test_of_services_that_start_together_on_a_new_database_all_have_one_key(database):
    ready = threading.Barrier(4)

    def start(_):
        ready.wait()
        return source(database, key=None).key

    with ThreadPoolExecutor(4) as pool:
        keys = list(pool.map(start, range(4)))
    assert all(key == keys[0] for key in keys)
    assert len(keys[0].reveal()) == 32


def test_no_challenge_that_was_used_is_in_the_database(database):
    challenge = source(database).issue("sgx", at=NOW)
    source(database).use(challenge, "sgx", at=NOW)
    cells = [cell for row in rows_of(database) for cell in row]
    dump = " ".join(bytes(cell).hex() if isinstance(cell, bytes) else str(cell) for cell in cells)
    assert "sgx" in dump
    assert challenge.hex() not in dump


def answer(challenges, *, at=NOW):
    """Take a new challenge, which is not settled: what answered it was refused."""
    challenge = challenges.issue("sgx", at=at)
    return challenge, challenges.use(challenge, "sgx", at=at)


def test_refused_answers_fill_half_of_the_room_and_what_is_accepted_has_the_rest(database):
    bounded = source(database, limit=4)
    for _ in range(9):
        answer(bounded)
    assert len(rows_of(database)) == 2
    challenge, taken = answer(bounded)
    bounded.settle(taken, at=NOW)
    assert refused(bounded, challenge) == "used"
    bounded.settle(answer(bounded)[1], at=NOW)
    assert len(rows_of(database)) == 4


def test_without_room_nothing_is_accepted_until_used_ones_have_ended(database):
    bounded = source(database, limit=2)
    bounded.settle(answer(bounded)[1], at=NOW)
    bounded.settle(answer(bounded)[1], at=NOW)
    challenge, taken = answer(bounded)
    with pytest.raises(BusyError, match="try again"):
        bounded.settle(taken, at=NOW)
    later = NOW + timedelta(minutes=3)
    bounded.settle(answer(bounded, at=later)[1], at=later)
    assert refused(bounded, challenge, at=later) == "expired"


def test_of_answers_that_were_not_written_down_at_first_one_is_accepted(database):
    bounded = source(database, limit=4)
    for _ in range(2):
        answer(bounded)
    challenge = bounded.issue("sgx", at=NOW)
    taken = [bounded.use(challenge, "sgx", at=NOW) for _ in range(3)]
    bounded.settle(taken[0], at=NOW)
    for each in taken[1:]:
        with pytest.raises(RefusalError):
            bounded.settle(each, at=NOW)


def test_the_refusal_a_caller_sees_does_not_say_why_a_challenge_is_not_live(database):
    used, late = (source(database).issue("sgx", at=NOW) for _ in range(2))
    source(database).use(used, "sgx", at=NOW)
    seen = set()
    for challenge, at in ((used, NOW), (bytes(32), NOW), (late, NOW + timedelta(hours=1))):
        with pytest.raises(RefusalError) as caught:
            source(database).use(challenge, "sgx", at=at)
        seen.add(str(caught.value))
    assert len(seen) == 1


def test_checking_a_challenge_does_not_use_it(database):
    challenge = source(database).issue("sgx", at=NOW)
    for _ in range(2):
        source(database).check(challenge, "sgx", at=NOW)
    source(database).use(challenge, "sgx", at=NOW)
    with pytest.raises(RefusalError):
        source(database).check(challenge, "sgx", at=NOW)


def test_an_enrolment_begins_at_one_service_and_ends_at_another(
    tmp_path, clock, collateral, result_key
):
    root = Root()
    with contextlib.ExitStack() as stack:
        services = []
        for name in ("one", "two"):
            database = stack.enter_context(new_database(tmp_path / f"{name}.db"))
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
