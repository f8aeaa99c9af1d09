"""Enrolment against the real attestation service, without a network between."""

import contextlib
import hashlib
import threading
from datetime import timedelta

import pytest

from colima import decode, encode, tabasco
from psa_attestation.tokens.instance_id import instance_id_of
from sonora.boot_clock import boot_time
from sonora.enrolled_key import NEXT, EnrolledKey, EnrolmentEvent, EnrolmentState, enrol_with_retry
from sonora.enrolment import OwnEnrolment, enrol
from sonora.errors import EnrolmentRefusedError, SonoraError
from sonora.evidence.software import SoftwareRoot
from support.databases import new_database
from support.enrolment import Clock, new_key
from support.patience import PATIENCE_S
from tabasco.collateral import Store, StoredCollateral
from tabasco.registry.instances import Instances
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.roots import Roots
from tabasco.service.attestation import AttestationService, Settings
from veracruz_utils.errors import UnreachableError

MEASUREMENT = hashlib.sha256(b"sonora").digest()
METHODS = {
    "BeginEnrolment": (tabasco.BeginEnrolmentRequest, "begin_enrolment"),
    "CompleteEnrolment": (tabasco.CompleteEnrolmentRequest, "complete_enrolment"),
}


@pytest.fixture
def database(tmp_path):
    with new_database(tmp_path / "tabasco.db") as database:
        yield database


@pytest.fixture
def call(database, tmp_path):
    """How Tabasco is reached: every request is decoded and every answer encoded as on the wire."""
    service = AttestationService(
        database=database,
        key_ring=KeyRing.single(new_key()),
        build="1",
        now=Clock(),
        settings=Settings(enrolment_validity=timedelta(hours=2)),
        source=StoredCollateral(Store(tmp_path / "collateral")),
    )

    def answer(method: str, request: bytes) -> bytes:
        wanted, name = METHODS[method]
        return encode(getattr(service, name)(decode(wanted, request)))

    return answer


@pytest.fixture
def root():
    return SoftwareRoot(new_key(), measure=lambda: MEASUREMENT, version="4.2")


@pytest.fixture
def registered(root, database):
    Roots(database).add("lab", root._key.public_key(), at=Clock()())
    return root


def enrolled_with(call, source) -> OwnEnrolment:
    return enrol(call, source)


def test_a_fresh_key_is_enrolled_with_what_vouches_for_it(call, registered, database):
    before = boot_time()
    enrolment = enrolled_with(call, registered)
    assert enrolment.instance_id == instance_id_of(enrolment.key.public_key())
    instance = Instances(database).find(enrolment.instance_id)
    assert (instance.measurement, instance.version) == (MEASUREMENT, "4.2")
    assert (instance.platform, instance.root) == ("linux-software-root", "lab")
    assert enrolment.expires_at >= before + 7200
    assert enrolment.renew_at == pytest.approx(enrolment.expires_at - 720)


def test_every_enrolment_has_a_key_of_its_own(call, registered):
    ids = {enrolled_with(call, registered).instance_id for _ in range(3)}
    assert len(ids) == 3


def test_a_root_that_nobody_registered_is_refused(call, root):
    with pytest.raises(
        EnrolmentRefusedError, match="tabasco refuses to enrol this root: "
    ) as error:
        enrolled_with(call, root)
    assert error.value.exit_code == 3


def test_a_platform_that_tabasco_does_not_verify_is_refused(call, registered):
    registered.platform = "sgx"
    with pytest.raises(EnrolmentRefusedError):
        enrolled_with(call, registered)


def test_a_tabasco_that_enrolled_somebody_else_is_not_believed(call, registered):
    def confused(method: str, request: bytes) -> bytes:
        call(method, request)
        if method == "CompleteEnrolment":
            return encode(tabasco.CompleteEnrolmentResponse(b"\x01" + bytes(32), 60))
        return call(method, request)

    with pytest.raises(SonoraError, match="instance id of another key"):
        enrolled_with(confused, registered)


def test_an_enrolment_does_not_show_its_key(call, registered):
    shown = repr(enrolled_with(call, registered))
    assert "key=" not in shown


class Renewal:
    """Gives enrolments with these times from now, in seconds; an error instead of None."""

    def __init__(self, *times: tuple[float, float] | None) -> None:
        self.times = list(times)
        self.given: list[OwnEnrolment] = []
        self.asked = 0

    def __call__(self) -> OwnEnrolment:
        self.asked += 1
        times = self.times.pop(0) if self.times else None
        if times is None:
            raise UnreachableError("tabasco cannot be reached")
        key, now = new_key(), boot_time()
        renew_in, expires_in = times
        identifier = instance_id_of(key.public_key())
        self.given.append(OwnEnrolment(key, identifier, now + renew_in, now + expires_in))
        return self.given[-1]


def test_a_good_enrolment_is_used_and_not_renewed():
    renew = Renewal((100, 200))
    enrolled = EnrolledKey(renew)
    assert [enrolled.key() for _ in range(3)] == [renew.given[0].key] * 3
    assert enrolled.instance_id == renew.given[0].instance_id
    assert renew.asked == 1


def test_an_enrolment_near_its_end_is_renewed_with_another_key():
    renew = Renewal((-1, 100), (100, 200))
    enrolled = EnrolledKey(renew)
    assert enrolled.key() is renew.given[1].key
    assert enrolled.key() is renew.given[1].key
    assert enrolled.instance_id == renew.given[1].instance_id
    assert renew.asked == 2


def test_while_tabasco_is_away_the_old_enrolment_serves_and_is_not_asked_for_each_time():
    renew = Renewal((-1, 100))
    enrolled = EnrolledKey(renew)
    assert [enrolled.key() for _ in range(5)] == [renew.given[0].key] * 5
    assert renew.asked == 2


def test_when_the_old_enrolment_has_ended_the_failure_is_told_each_time():
    enrolled = EnrolledKey(Renewal((-2, -1)))
    for _ in range(2):
        with pytest.raises(UnreachableError, match="tabasco cannot be reached"):
            enrolled.key()


def test_an_ended_enrolment_is_renewed_at_once_when_tabasco_is_back():
    renew = Renewal((-2, -1), None, (100, 200))
    enrolled = EnrolledKey(renew)
    with pytest.raises(UnreachableError):
        enrolled.key()
    assert enrolled.key() is renew.given[1].key


def test_without_a_first_enrolment_there_is_none_to_use():
    with pytest.raises(UnreachableError):
        EnrolledKey(Renewal())


def test_an_enrolment_goes_through_the_states_of_the_table(monkeypatch):
    renew = Renewal((10, 100), None, (10, 100), None)
    enrolled, now = EnrolledKey(renew), boot_time()
    seen = [enrolled.state]
    for after_s in (11, 45, 300, 600):
        monkeypatch.setattr("sonora.enrolled_key.boot_time", lambda at=after_s: now + at)
        with contextlib.suppress(UnreachableError):
            enrolled.key()
        seen.append(enrolled.state)
    assert seen == [
        EnrolmentState.GOOD,
        EnrolmentState.DUE,
        EnrolmentState.GOOD,
        EnrolmentState.ENDED,
        EnrolmentState.ENDED,
    ]


def test_while_one_thread_asks_for_a_renewal_all_others_go_on_with_the_old_key():
    asked, answer = threading.Event(), threading.Event()
    old, new = Renewal((-1, 100), (50, 100)), []

    def renew():
        if old.asked:
            asked.set()
            assert answer.wait(PATIENCE_S)
        return old()

    enrolled = EnrolledKey(renew)
    asking = threading.Thread(target=lambda: new.append(enrolled.key()))
    asking.start()
    assert asked.wait(PATIENCE_S)
    assert [enrolled.key() for _ in range(3)] == [old.given[0].key] * 3
    answer.set()
    asking.join()
    assert new == [old.given[1].key] == [enrolled.key()]
    assert (enrolled.state, old.asked) == (EnrolmentState.GOOD, 2)


def test_after_the_end_all_threads_wait_for_the_one_that_asks():
    renew = Renewal((-2, -1), (50, 100), (50, 100))
    enrolled = EnrolledKey(renew)
    found = []
    threads = [threading.Thread(target=lambda: found.append(enrolled.key())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [renew.given[1].key] * 8
    assert renew.asked == 2


def test_no_state_but_the_first_is_without_an_enrolment_and_a_renewal_leads_back_to_good():
    assert {after for (_, event), after in NEXT.items() if event is EnrolmentEvent.ENROLLED} == {
        EnrolmentState.GOOD
    }
    assert {before for before, event in NEXT if event is EnrolmentEvent.ENROLLED} == set(
        EnrolmentState
    ) - {EnrolmentState.GOOD}
    assert EnrolmentState.STARTING not in {
        after for (before, _), after in NEXT.items() if before is not EnrolmentState.STARTING
    }


def test_a_refused_renewal_is_told_to_the_log_and_no_key_is_in_it(caplog):
    renew = Renewal((-1, 100))
    EnrolledKey(renew).key()
    assert "not enrolled again" in caplog.text
    assert "tabasco cannot be reached" in caplog.text


def test_an_attester_waits_for_a_tabasco_that_is_not_there_yet(monkeypatch):
    attempts, enrolment = [], object()

    def renew():
        attempts.append(None)
        if len(attempts) < 3:
            raise UnreachableError("tabasco at nowhere does not answer")
        return enrolment

    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    assert enrol_with_retry(renew, patience_s=60) is enrolment
    assert len(attempts) == 3


def test_patience_has_an_end_and_a_refusal_is_final():
    def unreachable():
        raise UnreachableError("tabasco at nowhere does not answer")

    refusals = []

    def refused():
        refusals.append(None)
        raise EnrolmentRefusedError("no")

    with pytest.raises(UnreachableError, match="nowhere"):
        enrol_with_retry(unreachable, patience_s=0)
    with pytest.raises(EnrolmentRefusedError):
        enrol_with_retry(refused, patience_s=60)
    assert len(refusals) == 1
