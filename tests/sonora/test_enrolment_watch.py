"""Sonora finds out that Tabasco believes it no more, and enrols anew; nothing else changes."""

import hashlib
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from colima import decode, encode, tabasco
from sonora.boot_clock import boot_time
from sonora.enrolled_key import EnrolledKey, EnrolmentState
from sonora.enrolment import enrol
from sonora.enrolment_watch import EnrolmentWatch, question
from sonora.evidence.software import SoftwareRoot
from support.databases import new_database
from support.enrolment import Clock, new_key
from support.processes import eventually
from tabasco.collateral import Store, StoredCollateral
from tabasco.errors import RefusalError
from tabasco.registry.instances import Instances
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.revocations import Revocations
from tabasco.registry.roots import Roots
from tabasco.service.attestation import AttestationService, Settings
from tabasco.verify.named import Subject
from veracruz_utils.errors import RefusedError, UnreachableError

MEASUREMENT = hashlib.sha256(b"sonora").digest()
RUNTIME = hashlib.sha256(b"runtime").digest()
METHODS = {
    "BeginEnrolment": (tabasco.BeginEnrolmentRequest, "begin_enrolment"),
    "CompleteEnrolment": (tabasco.CompleteEnrolmentRequest, "complete_enrolment"),
    "VerifyToken": (tabasco.VerifyTokenRequest, "verify_token"),
}


class Desk:
    """A Tabasco that can be away, and a Sonora that watches its enrolment there."""

    def __init__(self, database, folder):
        self.clock, self.database, self.away = Clock(), database, False
        self.service = AttestationService(
            database=database,
            key_ring=KeyRing.single(new_key()),
            build="1",
            now=self.clock,
            settings=Settings(enrolment_validity=timedelta(hours=2)),
            source=StoredCollateral(Store(folder / "collateral")),
        )
        self.root = SoftwareRoot(new_key(), measure=lambda: MEASUREMENT, version="4.2")
        self.trust()
        self.enrolled = EnrolledKey(lambda: enrol(self.call, self.root))
        ask = question(self.call, platform="linux-software-root", measurement=RUNTIME, version="1")
        self.watch = EnrolmentWatch(self.enrolled, ask, interval_s=0.01)

    def trust(self):
        Roots(self.database).add("lab", self.root._key.public_key(), at=self.clock())

    def call(self, method, request):
        """As the wire has it: a refusal is a text that says the reason first."""
        if self.away:
            raise UnreachableError("tabasco cannot be reached")
        wanted, name = METHODS[method]
        try:
            return encode(getattr(self.service, name)(decode(wanted, request)))
        except RefusalError as error:
            raise RefusedError(f"tabasco at 127.0.0.1:3010 refuses: {str(error)!r}") from error

    def states(self):
        return {
            each.instance_id: each.state(self.clock()) for each in Instances(self.database).all()
        }


@pytest.fixture
def desk(tmp_path):
    with new_database(tmp_path / "tabasco.db") as database:
        yield Desk(database, tmp_path)


def forget(desk):
    with desk.database.writing() as session:
        for table in ("instance_values", "instances"):
            session.connection().exec_driver_sql(f"delete from {table}")


def test_an_enrolment_that_is_believed_stays(desk, caplog):
    key = desk.enrolled.key()
    for _ in range(3):
        desk.watch.check()
    assert desk.enrolled.key() is key
    assert len(desk.states()) == 1
    assert caplog.text == ""


@pytest.mark.parametrize("how", ["revoked", "forgotten", "ended"])
def test_an_enrolment_that_is_believed_no_more_is_made_anew_and_said(desk, caplog, how):
    old = desk.enrolled.instance_id
    if how == "revoked":
        Instances(desk.database).revoke(old, at=desk.clock())
    elif how == "forgotten":
        forget(desk)
    else:
        desk.clock.advance(hours=3)
    desk.watch.check()
    new = desk.enrolled.instance_id
    assert new != old
    assert desk.enrolled.state is EnrolmentState.GOOD
    assert desk.states()[new] == "live"
    assert "believes this enrolment no more" in caplog.text
    assert f"enrolled anew, as instance {new.hex()}" in caplog.text


def test_without_its_root_nothing_is_vouched_for_until_somebody_trusts_it_again(desk, caplog):
    Roots(desk.database).remove("lab", at=desk.clock())
    for _ in range(3):
        desk.watch.check()
    assert desk.enrolled.state is EnrolmentState.ENDED
    assert caplog.text.count("not enrolled anew") == 1
    with pytest.raises(RefusedError, match="root-unknown"):
        desk.enrolled.key()
    desk.trust()
    desk.watch.check()
    assert desk.states()[desk.enrolled.instance_id] == "live"
    assert "believes this machine again" in caplog.text


def test_what_no_enrolment_mends_is_said_once_and_asks_for_none(desk, caplog):
    Revocations(desk.database).add(Subject.MEASUREMENT, RUNTIME, "", at=desk.clock())
    before = desk.enrolled.instance_id
    for _ in range(3):
        desk.watch.check()
    assert desk.enrolled.instance_id == before
    assert caplog.text.count("measurement-revoked") == 1


def test_a_tabasco_that_is_away_proves_nothing(desk, caplog):
    desk.away = True
    before = desk.enrolled.instance_id
    desk.watch.check()
    assert (desk.enrolled.instance_id, desk.enrolled.state) == (before, EnrolmentState.GOOD)
    assert caplog.text == ""


def test_of_a_key_that_was_replaced_meanwhile_a_late_refusal_ends_nothing(desk):
    desk.enrolled.refused(b"\1" + bytes(32))
    assert desk.enrolled.state is EnrolmentState.GOOD


def test_a_thread_asks_by_itself_until_it_is_stopped(desk):
    old = desk.enrolled.instance_id
    Instances(desk.database).revoke(old, at=desk.clock())
    desk.watch.start()
    assert eventually(lambda: desk.enrolled.instance_id != old)
    desk.watch.stop()
    assert eventually(lambda: not desk.watch._thread.is_alive())


def test_a_check_that_breaks_is_not_the_last_one(desk, caplog):
    asked = []

    def ask(_):
        asked.append(None)
        raise ZeroDivisionError

    watch = EnrolmentWatch(desk.enrolled, ask, interval_s=0.01)
    watch.start()
    assert eventually(lambda: len(asked) > 2)
    watch.stop()
    assert "the enrolment was not looked at: ZeroDivisionError" in caplog.text


def test_time_goes_on_while_the_machine_sleeps():
    """As in a namespace whose clock of the boot is a day ahead, and the monotonic one is not."""
    program = "import time, sonora.boot_clock as b; print(b.boot_time() - time.monotonic())"
    asleep = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    command = ["unshare", "--user", "--map-root-user", "--time", "--boottime", "86400", "--fork"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no namespace of time")
    found = subprocess.run(
        [*command, sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert float(found.stdout) - asleep == pytest.approx(86400, abs=5)
    assert boot_time() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=5)
