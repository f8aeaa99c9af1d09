"""Challenges: once, in time, for the platform asked for, and not too many."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tabasco import BusyError, RefusalError, RejectionReason
from tabasco.registry.challenges import Challenges

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
VALIDITY = timedelta(seconds=120)
PLATFORM = "linux-software-root"


@pytest.fixture
def challenges(database):
    return Challenges(database, validity=VALIDITY, limit=3)


def refusal(challenges, challenge, *, platform=PLATFORM, at=NOW):
    with pytest.raises(RefusalError) as caught:
        challenges.use(challenge, platform, at=at)
    assert caught.value.reason is RejectionReason.CHALLENGE_NOT_LIVE
    return caught.value.detail


def test_a_challenge_is_32_fresh_bytes_and_used_once(challenges):
    first, second = (challenges.issue(PLATFORM, at=NOW) for _ in range(2))
    assert len(first) == len(second) == 32
    assert first != second
    challenges.use(first, PLATFORM, at=NOW)
    assert refusal(challenges, first) == "used"
    challenges.use(second, PLATFORM, at=NOW)


def test_a_challenge_lives_until_the_instant_it_expires(challenges):
    late, early = (challenges.issue(PLATFORM, at=NOW) for _ in range(2))
    assert refusal(challenges, late, at=NOW + VALIDITY) == "expired"
    challenges.use(early, PLATFORM, at=NOW + VALIDITY - timedelta(microseconds=1))


def test_a_challenge_we_never_gave_is_refused(challenges):
    assert refusal(challenges, bytes(32)) == "unknown"


def test_a_challenge_for_another_platform_is_refused_and_stays_live(challenges):
    challenge = challenges.issue(PLATFORM, at=NOW)
    assert refusal(challenges, challenge, platform="sgx") == "other platform"
    challenges.use(challenge, PLATFORM, at=NOW)


def test_the_refusal_a_caller_sees_does_not_say_which_of_them_it_was(challenges):
    used = challenges.issue(PLATFORM, at=NOW)
    challenges.use(used, PLATFORM, at=NOW)
    seen = set()
    for challenge in (used, bytes(32)):
        with pytest.raises(RefusalError) as caught:
            challenges.use(challenge, PLATFORM, at=NOW)
        seen.add(str(caught.value))
    assert len(seen) == 1


def test_too_many_outstanding_are_refused_until_the_oldest_expire(challenges):
    challenges.issue(PLATFORM, at=NOW)
    for _ in range(2):
        challenges.issue(PLATFORM, at=NOW + timedelta(seconds=1))
    with pytest.raises(BusyError):
        challenges.issue(PLATFORM, at=NOW + timedelta(seconds=1))
    challenges.issue(PLATFORM, at=NOW + VALIDITY)
    with pytest.raises(BusyError):
        challenges.issue(PLATFORM, at=NOW + VALIDITY)


def test_using_challenges_up_makes_no_room_so_that_rows_are_bounded(challenges):
    for _ in range(3):
        challenges.use(challenges.issue(PLATFORM, at=NOW), PLATFORM, at=NOW)
    with pytest.raises(BusyError):
        challenges.issue(PLATFORM, at=NOW)


def test_the_database_holds_no_challenge_that_could_be_answered(challenges, database):
    challenge = challenges.issue(PLATFORM, at=NOW)
    with database.reading() as session:
        rows = session.execute(text("select * from challenges")).all()
    cells = [cell for row in rows for cell in row]
    dump = " ".join(cell.hex() if isinstance(cell, bytes) else str(cell) for cell in cells)
    assert "linux-software-root" in dump
    assert challenge.hex() not in dump


def test_of_concurrent_uses_of_one_challenge_exactly_one_wins(challenges):
    challenge = challenges.issue(PLATFORM, at=NOW)
    outcomes, ready = [], threading.Barrier(6)

    def use():
        ready.wait()
        try:
            challenges.use(challenge, PLATFORM, at=NOW)
            outcomes.append("used it")
        except RefusalError as error:
            outcomes.append(error.detail)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["used"] * 5 + ["used it"]
