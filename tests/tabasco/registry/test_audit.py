"""The audit log: chained, written with what it records, and telling when somebody touched it."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from support.enrolment import new_key
from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.audit import AuditLog, Head
from tabasco.registry.roots import Roots


@pytest.fixture
def log(database, clock):
    for number in range(5):
        clock.advance(seconds=1)
        with database.writing() as session:
            audit.record(
                session, at=clock(), actor="operator", action="test", subject=f"subject {number}"
            )
    return AuditLog(database)


def execute(database, statement):
    with database.writing() as session:
        session.execute(text(statement))


def test_entries_are_numbered_in_order_and_the_log_is_whole(log):
    entries = log.entries()
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.subject for entry in entries] == [f"subject {each}" for each in range(5)]
    assert log.verify() == log.head() == Head(5, entries[-1].hash)
    assert log.entries(after=3, most=1) == [entries[3]]


@pytest.mark.parametrize(
    "statement",
    [
        "update audit set subject = 'other' where id = 3",
        "update audit set outcome = 'refused' where id = 3",
        "update audit set actor = 'service' where id = 1",
        "update audit set at = '2020-01-01 00:00:00.000000' where id = 5",
        "update audit set action = 'x' where id = 5",
        "delete from audit where id = 1",
        "delete from audit where id = 3",
        "update audit set id = 9 where id = 5",
    ],
)
def test_a_change_is_noticed(log, database, statement):
    execute(database, statement)
    with pytest.raises(TabascoError, match="audit log"):
        log.verify()


def test_two_entries_that_changed_places_are_noticed(log, database):
    for statement in ("set id = 99 where id = 2", "set id = 2 where id = 3",
                      "set id = 3 where id = 99"):  # fmt: skip
        execute(database, f"update audit {statement}")
    with pytest.raises(TabascoError, match="entry 2"):
        log.verify()


def test_a_log_that_was_cut_is_noticed_by_a_kept_head(log, database):
    kept = log.head()
    execute(database, "delete from audit where id > 3")
    assert log.verify().number == 3
    with pytest.raises(TabascoError, match="ends at entry 3, the head that was kept is at 5"):
        log.verify(kept=kept)


def test_a_log_that_was_made_anew_is_noticed_by_a_kept_head(log, database, clock):
    kept = log.head()
    execute(database, "delete from audit")
    for number in range(6):
        with database.writing() as session:
            audit.record(session, at=clock(), actor="o", action="t", subject=f"other {number}")
    assert log.verify().number == 6
    with pytest.raises(TabascoError, match="rewritten"):
        log.verify(kept=kept)


def test_a_kept_head_stays_in_the_past_of_a_log_that_goes_on(log, database, clock):
    kept = log.head()
    with database.writing() as session:
        audit.record(session, at=clock(), actor="o", action="t", subject="later")
    assert log.verify(kept=kept).number == 6
    assert log.verify(kept=Head(0, bytes(32))).number == 6


def test_a_head_is_signed_and_nobody_elses(log):
    key, other = new_key(), new_key()
    signed = log.head().sign(key)
    assert Head.verified(signed, key.public_key()) == log.head()
    with pytest.raises(TabascoError, match="not signed by this key"):
        Head.verified(signed, other.public_key())
    with pytest.raises(TabascoError):
        Head.verified(signed[:-1] + bytes([signed[-1] ^ 1]), key.public_key())


def test_what_is_undone_is_not_recorded(database, clock):
    key = new_key().public_key()
    Roots(database).add("lab", key, at=clock())
    with pytest.raises(TabascoError):
        Roots(database).add("other", key, at=clock())
    found = [(entry.action, entry.subject) for entry in AuditLog(database).entries()]
    assert found == [("add-root", "lab")]


def test_what_a_service_decides_is_recorded_with_its_reason(service, attester, database, clock):
    from colima.tabasco import BeginEnrolmentRequest  # noqa: PLC0415 - with its one user
    from tabasco.errors import RefusalError  # noqa: PLC0415

    def begin():
        return service.begin_enrolment(BeginEnrolmentRequest("linux-software-root")).challenge

    service.complete_enrolment(attester.enrolment(begin()))
    Roots(database).remove("lab", at=clock())
    with pytest.raises(RefusalError):
        service.complete_enrolment(attester.enrolment(begin()))
    entries = AuditLog(database).entries()
    told = [(entry.actor, entry.action, entry.outcome) for entry in entries]
    assert told == [
        ("operator", "add-root", "done"),
        ("service", "enrol", "done"),
        ("operator", "remove-root", "done"),
        ("service", "enrol", "root-unknown"),
    ]
    assert attester.instance_id.hex() not in " ".join(entry.subject for entry in entries)
    assert AuditLog(database).verify().number == 4


def test_an_enrolment_of_the_past_that_is_old_stays_in_the_log(log, clock):
    clock.advance(days=4000)
    assert log.entries()[0].at < clock() - timedelta(days=3999)


def test_a_clock_that_is_far_behind_the_log_is_refused(log):
    newest = log.entries()[-1].at
    log.check_clock(newest)
    log.check_clock(newest - timedelta(hours=1))
    with pytest.raises(TabascoError, match="set the clock"):
        log.check_clock(newest - timedelta(hours=1, seconds=1))


def record_at(database, at):
    with database.writing() as session:
        audit.record(session, at=at, actor="operator", action="test", subject="made at that time")


def test_a_clock_that_is_behind_any_entry_is_refused_and_not_by_little(log, database, clock):
    log.check_clock(clock() - timedelta(minutes=59))
    with pytest.raises(TabascoError, match="set the clock"):
        log.check_clock(clock() - timedelta(minutes=61))
    # An act of today does not hide an entry of the future.
    record_at(database, clock() + timedelta(days=9))
    record_at(database, clock())
    with pytest.raises(TabascoError, match=r"but entry 6 of .*: tabasco audit disregard-time 6"):
        log.check_clock(clock())


def test_an_entry_of_the_future_is_disregarded_by_its_number_and_the_log_says_so(
    log, database, clock
):
    future = clock() + timedelta(days=30000)
    record_at(database, future)
    record_at(database, future + timedelta(days=1))
    record_at(database, future)
    for wrong in (1, 6, 8, 99):
        with pytest.raises(TabascoError, match="the entry of the latest time is 7"):
            log.disregard_time(wrong, now=clock())
    log.disregard_time(7, now=clock())
    # It was for the entries up to that one: each further one of the future is another decision.
    with pytest.raises(TabascoError, match="disregard-time 8"):
        log.check_clock(clock())
    log.disregard_time(8, now=clock())
    log.check_clock(clock())
    with pytest.raises(TabascoError, match="nothing to do"):
        log.disregard_time(8, now=clock())
    last = log.entries()[-1]
    assert (last.action, last.subject.split(" ")[0], last.at) == ("disregard-time", "8", clock())
    log.verify()
    # From now on it counts again.
    with pytest.raises(TabascoError, match="set the clock"):
        log.check_clock(clock() - timedelta(hours=2))
