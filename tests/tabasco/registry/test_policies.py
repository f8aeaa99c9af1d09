"""Appraisal policies in a database."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.errors import TabascoError
from tabasco.registry.audit import AuditLog
from tabasco.registry.models import PolicyRow
from tabasco.registry.policies import Policies

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def policy(version, body="[tdx]\n"):
    return f"version = {version}\n{body}".encode()


def test_the_newest_policy_is_in_force_and_versions_only_grow(database):
    policies = Policies(database)
    assert policies.in_force() is None
    first = policies.put_in_force(policy(1), at=NOW)
    assert policies.put_in_force(policy(1), at=NOW) == first
    with pytest.raises(TabascoError, match=r"version 1 is in force: give it a higher version"):
        policies.put_in_force(policy(1, "[sgx]\n"), at=NOW)
    policies.put_in_force(policy(3), at=NOW)
    for old in (1, 2, 3):
        with pytest.raises(TabascoError, match="version 3 is in"):
            policies.put_in_force(policy(old, "[nitro]\n"), at=NOW)
    assert policies.in_force().version == 3
    assert [each.version for each in policies.all()] == [3, 1]
    assert policies.in_force().identifier.startswith("veracruz-tabasco/appraisal/3/")


def test_a_policy_that_cannot_be_read_changes_nothing(database):
    policies = Policies(database)
    policies.put_in_force(policy(1), at=NOW)
    with pytest.raises(TabascoError, match="cannot be read"):
        policies.put_in_force(policy(2, "[abc]\n"), at=NOW)
    assert policies.in_force().version == 1


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_arbitrary_bytes_are_a_policy_or_an_error_of_ours(data):
    try:
        AppraisalPolicy.parse(data)
    except TabascoError:
        return


@pytest.mark.parametrize("version", [2**53 - 1, 2**31, 20261130])
def test_a_version_that_is_too_high_is_replaced_by_name_and_that_stands_in_the_log(
    database, version
):
    policies = Policies(database)
    policies.put_in_force(policy(7), at=NOW)
    policies.put_in_force(policy(version, "[sgx]\n"), at=NOW)
    for wrong in (7, version - 1, 8):
        with pytest.raises(TabascoError, match=rf"is not in force, version {version} is"):
            policies.put_in_force(policy(8), at=NOW, instead_of=wrong)
    with pytest.raises(TabascoError, match=f"--instead-of {version}"):
        policies.put_in_force(policy(8), at=NOW)
    # Not older than what was in force before: to withdraw a policy brings none back.
    with pytest.raises(TabascoError, match="version 7 is in"):
        policies.put_in_force(policy(7, "[nitro]\n"), at=NOW, instead_of=version)
    assert policies.in_force().version == version
    policies.put_in_force(policy(8), at=NOW, instead_of=version)
    assert policies.in_force().version == 8
    with pytest.raises(TabascoError, match=f"version {version} was withdrawn"):
        policies.put_in_force(policy(version), at=NOW)
    policies.put_in_force(policy(9), at=NOW)
    assert [(each.version, each.withdrawn_at) for each in policies.all()] == [
        (version, NOW),
        (9, None),
        (8, None),
        (7, None),
    ]
    actions = [each.action for each in AuditLog(database).entries()]
    assert actions == ["set-policy", "set-policy", "withdraw-policy", "set-policy", "set-policy"]
    AuditLog(database).verify()


@pytest.mark.parametrize("version", [2**53, 2**63 - 1, 2**64, 2**200])
def test_a_version_that_not_every_reader_of_json_has_is_refused(database, version):
    with pytest.raises(TabascoError, match=r"at most 9007199254740991|cannot be read"):
        Policies(database).put_in_force(policy(version), at=NOW)
    assert Policies(database).in_force() is None


def test_a_version_that_an_older_tabasco_took_does_not_lock_policies(database):
    """It was put in force when there was no bound."""
    highest = policy(2**63 - 1)
    with database.writing() as session:
        session.add(PolicyRow(version=2**63 - 1, digest=bytes(32), document=highest, set_at=NOW))
    policies = Policies(database)
    with pytest.raises(TabascoError, match="--instead-of 9223372036854775807"):
        policies.put_in_force(policy(1), at=NOW)
    assert policies.put_in_force(policy(1), at=NOW, instead_of=2**63 - 1).version == 1
    assert policies.in_force().version == 1
