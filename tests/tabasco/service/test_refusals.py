"""Refusals in the audit log: the first at once, the others as a number, and none of them lost."""

import threading
from datetime import timedelta

import pytest

import colima.tabasco as wire
from support.enrolment import RootAttester, SoftwareRoot
from tabasco import RefusalError
from tabasco.registry.audit import AuditLog
from tabasco.service.refusals import PERIOD, RefusalKind, Refusals

FORGED = RefusalKind("enrol", "sgx", "evidence-refused")
OTHER = RefusalKind("enrol", "sgx", "root-unknown")


def entries(database):
    return [(entry.subject, entry.outcome) for entry in AuditLog(database).entries()]


def test_the_first_is_an_entry_and_the_others_are_one_when_the_period_is_over(database, clock):
    refusals = Refusals(database)
    began = clock()
    for _ in range(314):
        refusals.add(FORGED, at=clock())
        clock.advance(seconds=0.1)
    refusals.add(OTHER, at=clock())
    assert entries(database) == [("sgx", "evidence-refused"), ("sgx", "root-unknown")]
    refusals.write_counts(at=clock())
    assert len(entries(database)) == 2, "the period goes on"
    refusals.write_counts(at=began + PERIOD)
    more = f"sgx, 313 more from {began.isoformat(timespec='seconds')} on"
    assert entries(database)[2:] == [(more, "evidence-refused")]
    refusals.write_counts(at=clock() + PERIOD)
    assert len(entries(database)) == 3, "of one alone there is no more to say"
    AuditLog(database).verify()


def test_with_a_refusal_after_a_period_its_number_is_written_first(database, clock):
    refusals = Refusals(database)
    for _ in range(3):
        refusals.add(FORGED, at=clock())
    clock.advance(seconds=PERIOD.total_seconds())
    refusals.add(FORGED, at=clock())
    assert [subject.partition(" from")[0] for subject, _ in entries(database)] == [
        "sgx", "sgx, 2 more", "sgx",
    ]  # fmt: skip


def test_a_clock_that_is_set_back_makes_no_period_last(database, clock):
    refusals = Refusals(database)
    refusals.add(FORGED, at=clock())
    refusals.add(FORGED, at=clock() - timedelta(days=1))
    assert len(entries(database)) == 2


def test_at_the_end_all_that_was_counted_is_written(database, clock):
    refusals = Refusals(database)
    for refused in (FORGED, FORGED, OTHER, OTHER, OTHER):
        refusals.add(refused, at=clock())
    refusals.write_counts(at=clock(), all_of_them=True)
    numbers = [subject.split()[1] for subject, _ in entries(database) if "more" in subject]
    assert sorted(numbers) == ["1", "2"]


def test_of_concurrent_refusals_every_one_is_counted(database, clock):
    refusals, ready = Refusals(database), threading.Barrier(4)

    def refuse():
        ready.wait()
        for _ in range(50):
            refusals.add(FORGED, at=clock())

    threads = [threading.Thread(target=refuse) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refusals.write_counts(at=clock(), all_of_them=True)
    first, more = entries(database)
    assert first == ("sgx", "evidence-refused")
    assert more[0].startswith("sgx, 199 more ")


def test_strangers_write_two_entries_of_a_kind_and_nothing_of_their_own(service, database, clock):
    stranger = RootAttester(SoftwareRoot())
    for _ in range(20):
        begun = service.begin_enrolment(wire.BeginEnrolmentRequest("linux-software-root"))
        for _ in range(2):
            with pytest.raises(RefusalError):
                service.complete_enrolment(stranger.enrolment(begun.challenge))
    service.write_counts(all_of_them=True)
    found = entries(database)
    assert {outcome for _, outcome in found} == {"root-unknown", "challenge-not-live"}
    assert len(found) == 4
    assert "x" * 9 not in str(found)
