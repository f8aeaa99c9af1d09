"""Trusted roots: nobody by default, one key per name, and an end that reaches everywhere."""

import pytest

from colima.tabasco import BeginEnrolmentRequest
from psa_attestation.tokens.instance_id import instance_id_of
from support.enrolment import RootAttester, SoftwareRoot, new_key, spki
from tabasco import TabascoError
from tabasco.registry.instances import Instances
from tabasco.registry.revocations import Revocations
from tabasco.registry.roots import Roots
from tabasco.verify.named import Subject
from veracruz_utils.key_files import digest_of


@pytest.fixture
def roots(database):
    return Roots(database)


def enrol(service, attester):
    begun = service.begin_enrolment(BeginEnrolmentRequest("linux-software-root"))
    service.complete_enrolment(attester.enrolment(begun.challenge))


def test_nobody_is_trusted_until_registered(roots):
    assert roots.all() == []
    assert roots.find(instance_id_of(new_key().public_key())) is None


def test_a_root_is_found_by_the_id_of_its_key(roots, clock):
    key = new_key()
    root = roots.add("lab", key.public_key(), at=clock())
    assert roots.find(instance_id_of(key.public_key())) == root
    assert (root.name, root.public_key, root.added_at) == ("lab", spki(key), clock())
    assert roots.all() == [root]


def test_adding_the_same_root_again_changes_nothing(roots, clock):
    key = new_key().public_key()
    first = roots.add("lab", key, at=clock())
    clock.advance(hours=1)
    assert roots.add("lab", key, at=clock()) == first


def test_a_name_belongs_to_one_key_and_a_key_to_one_name(roots, clock):
    key = new_key().public_key()
    roots.add("lab", key, at=clock())
    with pytest.raises(TabascoError, match="another root is named 'lab'"):
        roots.add("lab", new_key().public_key(), at=clock())
    with pytest.raises(TabascoError, match="already trusted as root 'lab'"):
        roots.add("other", key, at=clock())
    assert [root.name for root in roots.all()] == ["lab"]


@pytest.mark.parametrize("name", ["", "-lab", "a b", "x" * 65, "lab\n", "läb"])
def test_a_name_that_would_confuse_people_is_refused(roots, clock, name):
    with pytest.raises(TabascoError, match="is not a name for a root"):
        roots.add(name, new_key().public_key(), at=clock())


def test_a_removed_root_is_gone_and_gives_its_name_back(roots, clock):
    key = new_key().public_key()
    roots.add("lab", key, at=clock())
    assert roots.remove("lab", at=clock()) == 0
    assert roots.all() == []
    assert roots.find(instance_id_of(key)) is None
    roots.add("lab", new_key().public_key(), at=clock())
    assert roots.add("lab-before", key, at=clock()).name == "lab-before"


def test_removing_a_root_nobody_registered_is_an_error_that_names_the_command(roots, clock):
    with pytest.raises(TabascoError, match="no root 'lab': see tabasco root list"):
        roots.remove("lab", at=clock())


def test_removing_a_root_revokes_what_it_vouched_for_and_nothing_else(
    roots, service, attester, database, clock
):
    other = SoftwareRoot()
    roots.add("other", other.key.public_key(), at=clock())
    kept = RootAttester(other)
    enrol(service, attester)
    enrol(service, kept)
    assert roots.remove("lab", at=clock()) == 1
    instances = Instances(database)
    assert instances.find(attester.instance_id).state(clock()) == "revoked"
    assert instances.find(kept.instance_id).state(clock()) == "live"


def test_a_root_that_returns_brings_no_revoked_instance_back(
    roots, service, attester, database, clock
):
    enrol(service, attester)
    roots.remove("lab", at=clock())
    roots.add("lab", attester.root.key.public_key(), at=clock())
    assert Instances(database).find(attester.instance_id).state(clock()) == "revoked"


def test_the_key_of_an_instance_cannot_become_a_root(roots, service, attester, clock):
    enrol(service, attester)
    with pytest.raises(TabascoError, match="enrolled as an instance"):
        roots.add("mine", attester.key.public_key(), at=clock())


def test_what_a_start_names_is_trusted_unless_it_was_removed_or_revoked(database, clock):
    roots, key, other = Roots(database), new_key().public_key(), new_key().public_key()
    first = roots.add_unless_removed("lab", key, at=clock())
    assert roots.add_unless_removed("renamed", key, at=clock()) == first
    roots.remove("lab", at=clock())
    for name in ("lab", "renamed"):
        assert roots.add_unless_removed(name, key, at=clock()) is None
    assert roots.all() == []
    assert roots.add("lab", key, at=clock()).name == "lab"
    assert roots.add_unless_removed("lab", key, at=clock()).name == "lab"
    Revocations(database).add(Subject.KEY, digest_of(other), "", at=clock())
    assert roots.add_unless_removed("other", other, at=clock()) is None
