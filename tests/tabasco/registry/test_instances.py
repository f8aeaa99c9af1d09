"""The register of instances: what is written is what was proven, and nothing slips in between."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from psa_attestation.tokens.instance_id import instance_id_of
from support.enrolment import SoftwareRoot, new_key, spki
from tabasco import RefusalError, RejectionReason, TabascoError
from tabasco.registry.instances import Enrolment, Instances
from tabasco.registry.models import InstanceRow
from tabasco.registry.policies import Policies
from tabasco.registry.roots import Roots
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Named, Subject
from tabasco.verify.proven import NO_END, Proven


@pytest.fixture
def instances(database):
    return Instances(database)


def enrolment(clock, key=None, **changes):
    key = key or new_key()
    values = {
        "instance_id": instance_id_of(key.public_key()),
        "public_key": spki(key),
        "platform": "p",
        "measurement": bytes(32),
        "version": "1",
        "root_number": None,
        "enrolled_at": clock(),
        "expires_at": clock() + timedelta(hours=1),
        "named": (Named(Subject.INSTANCE, "own", instance_id_of(key.public_key())),),
    }
    return Enrolment(**{**values, **changes})


def test_an_instance_that_hardware_vouched_for_names_no_root(instances, clock):
    written = enrolment(clock)
    instances.enrol(written)
    assert instances.find(written.instance_id).root is None


def test_an_instance_is_live_then_expired_unless_revoked(instances, clock):
    written = enrolment(clock)
    instances.enrol(written)
    found = instances.find(written.instance_id)
    assert found.state(clock() + timedelta(minutes=59)) == "live"
    assert found.state(clock() + timedelta(hours=1)) == "expired"
    instances.revoke(written.instance_id, at=clock())
    assert instances.find(written.instance_id).state(clock()) == "revoked"


def test_what_hardware_measured_of_a_machine_is_kept_anew_at_each_enrolment(
    instances, database, clock
):
    key = new_key()
    policy = f'version = 1\n[tpm.measurements]\npcr23 = ["{"00" * 32}"]\n'
    Policies(database).put_in_force(policy.encode(), at=clock())
    for value in (b"\x01" * 32, b"\x02" * 32):
        measured = {"pcr4": value, "pcr23": bytes(32), "pcrs": bytes(32), "sha384.pcr4": bytes(48)}
        proven = Proven(EvidenceKind.TPM, measured, b"", None, NO_END)
        written = enrolment(clock, key, platform="tpm", proven=proven)
        instances.enrol(written)
        # Registers that policies can pin, and nothing else.
        found = {"pcr4": value, "pcr23": bytes(32)}
        assert instances.find(written.instance_id).machine == found
        assert [each.machine for each in instances.all()] == [found]


def test_who_enrolled_before_machines_were_kept_has_none(instances, database, clock):
    written = enrolment(clock)
    instances.enrol(written)
    with database.reading() as session:
        assert session.scalar(select(InstanceRow.machine)) is None
    assert instances.find(written.instance_id).machine == {}


def test_a_root_removed_while_its_evidence_was_verified_vouches_for_nothing(
    instances, database, clock
):
    roots = Roots(database)
    number = roots.add("lab", SoftwareRoot().key.public_key(), at=clock()).number
    roots.remove("lab", at=clock())
    with pytest.raises(RefusalError) as caught:
        instances.enrol(enrolment(clock, root_number=number))
    assert caught.value.reason is RejectionReason.ROOT_UNKNOWN
    assert instances.all() == []


def test_a_key_does_not_move_to_another_platform(instances, clock):
    key = new_key()
    instances.enrol(enrolment(clock, key, platform="hardware"))
    with pytest.raises(RefusalError) as caught:
        instances.enrol(enrolment(clock, key, platform="software"))
    assert caught.value.reason is RejectionReason.KEY_TAKEN
    assert [instance.platform for instance in instances.all()] == ["hardware"]


def test_the_first_revocation_is_the_one_that_is_remembered(instances, clock):
    written = enrolment(clock)
    instances.enrol(written)
    first = instances.revoke(written.instance_id, at=clock())
    clock.advance(minutes=5)
    again = instances.revoke(written.instance_id, at=clock())
    assert again == first
    assert first.revoked_at == clock() - timedelta(minutes=5)


def test_revoking_nobody_is_an_error(instances, clock):
    with pytest.raises(TabascoError, match="see tabasco instance list"):
        instances.revoke(bytes(33), at=clock())


def test_instances_are_listed_newest_first(instances, clock):
    written = []
    for _ in range(3):
        written.append(enrolment(clock))
        instances.enrol(written[-1])
        clock.advance(minutes=1)
    listed = [instance.instance_id for instance in instances.all()]
    assert listed == [each.instance_id for each in reversed(written)]
