"""Reference values, their providers and bundles."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.jose.jws import sign_jws
from support.enrolment import new_key
from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.errors import TabascoError
from tabasco.registry.bundles import BUNDLE_TYPE, ReferenceValue, read_bundle
from tabasco.registry.reference_values import ReferenceValues
from tabasco.registry.revocations import Revocations
from tabasco.verify import Proven
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Subject
from veracruz_utils.key_files import digest_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
VALUE = bytes(range(48))


def policy(version, body="[tdx]\n"):
    return f"version = {version}\n{body}".encode()


def value(**changes):
    fields = {"kind": EvidenceKind.TDX, "measurement": "mrtd", "value": VALUE, "label": "release 1"}
    return ReferenceValue(**fields | changes)


def proven(measured):
    return Proven(EvidenceKind.TDX, {"mrtd": measured}, b"", debug=False, valid_until=NOW)


def test_a_policy_draws_on_reference_values_that_are_valid_now(database):
    values = ReferenceValues(database)
    accepts = AppraisalPolicy.parse(policy(1, '[tdx.measurements]\nmrtd = "reference-values"\n'))

    def accepted(at, measured=VALUE):
        decision = accepts.evaluate(
            proven(measured), references=lambda *about: values.accepted(*about, at=at)
        )
        return decision.refused_by is None

    assert not accepted(NOW)
    values.add(value(not_before=NOW, not_after=NOW + timedelta(days=1)), at=NOW)
    assert accepted(NOW)
    assert not accepted(NOW, bytes(48))
    assert not accepted(NOW - timedelta(seconds=1))
    assert not accepted(NOW + timedelta(days=1))
    assert values.accepted(EvidenceKind.SGX, "mrtd", at=NOW) == []


def test_values_are_listed_shown_and_removed_by_number(database):
    values = ReferenceValues(database)
    added = values.add(value(), at=NOW)
    assert values.get(added.number) == added
    with pytest.raises(TabascoError, match=f"there already, as number {added.number}"):
        values.add(value(label="again"), at=NOW)
    assert values.all() == [added]
    assert values.remove(added.number, at=NOW) == added
    for call in (values.get, lambda number: values.remove(number, at=NOW)):
        with pytest.raises(TabascoError, match="there is no reference value"):
            call(added.number)


@pytest.mark.parametrize(
    "changes",
    [
        {"value": bytes(31)}, {"value": b""}, {"measurement": ""}, {"measurement": "m" * 65},
        {"label": "a\nb"}, {"not_before": NOW, "not_after": NOW},
    ],
)  # fmt: skip
def test_values_that_make_no_sense_are_refused(database, changes):
    with pytest.raises(TabascoError):
        ReferenceValues(database).add(value(**changes), at=NOW)


def bundle(key, version=1, values=None, **changes):
    document = {
        "version": version,
        "values": [{"kind": "tdx", "measurement": "mrtd", "value": VALUE.hex()}]
        if values is None
        else values,
    }
    signed = sign_jws(json.dumps(document | changes).encode(), key, typ=BUNDLE_TYPE, kid=None)
    return signed.encode()


@pytest.fixture
def maker(database):
    key = new_key()
    ReferenceValues(database).add_provider("maker", key.public_key(), at=NOW)
    return key


def test_a_bundle_replaces_what_its_provider_said_and_nothing_else(database, maker):
    values = ReferenceValues(database)
    mine = values.add(value(value=bytes(64)), at=NOW)
    assert values.import_bundle(bundle(maker), at=NOW).count == 1
    other = [{"kind": "sgx", "measurement": "mrenclave", "value": "11" * 32, "label": "new"}]
    values.import_bundle(bundle(maker, 2, other), at=NOW)
    assert [(each.provider, each.value) for each in values.all()] == [
        ("operator", mine.value), ("maker", b"\x11" * 32)
    ]  # fmt: skip


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_old_bundle_does_not_return(database, maker, version):
    values = ReferenceValues(database)
    values.import_bundle(bundle(maker, 3), at=NOW)
    with pytest.raises(TabascoError, match="a bundle must be newer"):
        values.import_bundle(bundle(maker, version, []), at=NOW)
    assert len(values.all()) == 1


def test_a_bundle_by_nobody_we_know_is_refused_whatever_is_in_it(database, maker):
    values, stranger = ReferenceValues(database), new_key()
    signed = bundle(maker)
    for data in (bundle(stranger), signed[:-4] + b"AAAA", b"", b"{}", signed.split(b".")[1]):
        with pytest.raises(TabascoError, match="not signed by a registered provider"):
            values.import_bundle(data, at=NOW)
    assert values.all() == []
    assert values.providers()[0].bundle_version == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0}, {"version": "1"}, {"values": [{}]}, {"values": 1}, {"more": 1},
        {"values": [{"kind": "abc", "measurement": "m", "value": "00" * 32}]},
        {"values": [{"kind": "tdx", "measurement": "m", "value": "00" * 31}]},
        {"values": [{"kind": "tdx", "measurement": "m", "value": "00" * 40}]},
        {"values": [{"kind": "tdx", "measurement": "m", "value": "00" * 32, "not_after": "x"}]},
    ],
)  # fmt: skip
def test_a_signed_bundle_that_makes_no_sense_changes_nothing(database, maker, changes):
    values = ReferenceValues(database)
    with pytest.raises(TabascoError):
        values.import_bundle(bundle(maker, **changes), at=NOW)
    assert values.all() == []


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_bundle(data):
    with pytest.raises(TabascoError):
        read_bundle(data, [], at=NOW)


def test_a_provider_has_one_name_and_one_key(database, maker):
    values = ReferenceValues(database)
    for name, key in (("maker", new_key()), ("other", maker), ("", new_key()), ("a b", new_key())):
        with pytest.raises(TabascoError):
            values.add_provider(name, key.public_key(), at=NOW)


def test_a_value_that_was_removed_stays_so_whatever_bundles_say_until_it_is_added(database, maker):
    values = ReferenceValues(database)
    values.import_bundle(bundle(maker), at=NOW)
    values.remove(values.all()[0].number, at=NOW)
    for version in (2, 3):
        done = values.import_bundle(bundle(maker, version), at=NOW)
        assert (done.count, done.left_out) == (0, 1)
        assert values.all() == []
    assert values.accepted(EvidenceKind.TDX, "mrtd", at=NOW) == []
    added = values.add(ReferenceValue(EvidenceKind.TDX, "mrtd", VALUE, "by hand"), at=NOW)
    assert values.all() == [added]
    assert values.import_bundle(bundle(maker, 4), at=NOW).left_out == 0
    assert values.accepted(EvidenceKind.TDX, "mrtd", at=NOW) == [VALUE]


def test_what_its_provider_leaves_out_and_names_again_comes_back(database, maker):
    values = ReferenceValues(database)
    values.import_bundle(bundle(maker), at=NOW)
    values.import_bundle(bundle(maker, 2, []), at=NOW)
    assert values.all() == []
    assert values.import_bundle(bundle(maker, 3), at=NOW).count == 1


def test_of_a_provider_whose_key_is_revoked_nothing_is_believed(database, maker):
    values = ReferenceValues(database)
    values.import_bundle(bundle(maker), at=NOW)
    mine = values.add(value(value=bytes(64)), at=NOW)
    Revocations(database).add(Subject.KEY, digest_of(maker.public_key()), "stolen", at=NOW)
    assert values.all() == [mine]
    with pytest.raises(TabascoError, match="removed or revoked"):
        values.import_bundle(bundle(maker, 2), at=NOW)
    assert values.all() == [mine]
