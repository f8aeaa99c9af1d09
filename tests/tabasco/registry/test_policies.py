"""Appraisal policies in a database."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.errors import TabascoError
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
