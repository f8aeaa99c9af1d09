"""Policies, reference values and revocations: by command and as they count."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from colima.tabasco import BeginEnrolmentRequest, VerifyTokenRequest
from psa_attestation.jose.jws import sign_jws
from support import dcap_evidence as dcap
from support.enrolment import RootAttester, new_key, pem, spki
from tabasco.appraisal import AppraisalPolicy
from tabasco.bundles import BUNDLE_TYPE, ReferenceValue, read_bundle
from tabasco.cli import main
from tabasco.errors import Reason, RefusalError, TabascoError
from tabasco.instances import Instances
from tabasco.policies import Policies
from tabasco.reference_values import ReferenceValues
from tabasco.revocations import Revocations, Subject
from tabasco.roots import Roots
from tabasco.verify import Proven
from tabasco.verify.kinds import Kind

CHALLENGE = bytes(range(32))
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
VALUE = bytes(range(48))


def policy(version, body="[tdx]\n"):
    return f"version = {version}\n{body}".encode()


# Policies.


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


# Reference values.


def value(**changes):
    fields = {"kind": Kind.TDX, "measurement": "mrtd", "value": VALUE, "label": "release 1"}
    return ReferenceValue(**fields | changes)


def proven(measured):
    return Proven("tdx", {"mrtd": measured}, b"", debug=False, valid_until=NOW)


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
    assert values.accepted("sgx", "mrtd", at=NOW) == []


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
    assert values.take_in(bundle(maker), at=NOW)[1] == 1
    other = [{"kind": "sgx", "measurement": "mrenclave", "value": "11" * 32, "label": "new"}]
    values.take_in(bundle(maker, 2, other), at=NOW)
    assert [(each.provider, each.value) for each in values.all()] == [
        ("operator", mine.value), ("maker", b"\x11" * 32)
    ]  # fmt: skip


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_old_bundle_does_not_return(database, maker, version):
    values = ReferenceValues(database)
    values.take_in(bundle(maker, 3), at=NOW)
    with pytest.raises(TabascoError, match="a bundle must be newer"):
        values.take_in(bundle(maker, version, []), at=NOW)
    assert len(values.all()) == 1


def test_a_bundle_by_nobody_we_know_is_refused_whatever_is_in_it(database, maker):
    values, stranger = ReferenceValues(database), new_key()
    signed = bundle(maker)
    for data in (bundle(stranger), signed[:-4] + b"AAAA", b"", b"{}", signed.split(b".")[1]):
        with pytest.raises(TabascoError, match="signed by no registered provider"):
            values.take_in(data, at=NOW)
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
        values.take_in(bundle(maker, **changes), at=NOW)
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


# Revocations.


def enrol(service, attester):
    begun = service.begin_enrolment(BeginEnrolmentRequest("linux-software-root"))
    return service.complete_enrolment(attester.enrolment(begun.challenge))


def refusal(call):
    with pytest.raises(RefusalError) as caught:
        call()
    return caught.value.reason


def test_tokens_of_a_runtime_whose_measurement_is_revoked_are_refused(
    service, attester, database, clock
):
    from hashlib import sha256  # noqa: PLC0415 - with its one user

    enrol(service, attester)
    request = VerifyTokenRequest(attester.token(CHALLENGE), CHALLENGE)
    service.verify_token(request)
    measurement = sha256(b"runtime").digest()
    Revocations(database).add(Subject.MEASUREMENT, measurement, "a flaw", at=clock())
    assert refusal(lambda: service.verify_token(request)) is Reason.MEASUREMENT_REVOKED


def test_a_root_attester_whose_measurement_is_revoked_enrols_no_more(
    service, attester, database, clock
):
    from hashlib import sha256  # noqa: PLC0415

    measurement = sha256(b"sonora").digest()
    Revocations(database).add(Subject.MEASUREMENT, measurement, "", at=clock())
    assert refusal(lambda: enrol(service, attester)) is Reason.MEASUREMENT_REVOKED


def test_a_root_whose_key_is_revoked_is_none_and_its_instances_are_revoked(
    service, attester, root, database, clock
):
    begun = service.begin_enrolment(BeginEnrolmentRequest("linux-software-root"))
    service.complete_enrolment(attester.enrolment(begun.challenge))
    digest = hashlib.sha256(spki(root.key)).digest()
    Revocations(database).add(Subject.KEY, digest, "stolen", at=clock())
    assert Roots(database).all() == []
    assert [each.state(clock()) for each in Instances(database).all()] == ["revoked"]
    begun = service.begin_enrolment(BeginEnrolmentRequest("linux-software-root"))
    with pytest.raises(RefusalError) as caught:
        service.complete_enrolment(attester.enrolment(begun.challenge))
    assert caught.value.reason is Reason.ROOT_UNKNOWN
    with pytest.raises(TabascoError, match="this key is revoked"):
        Roots(database).add("again", root.key.public_key(), at=clock())


def test_a_revoked_key_does_not_enrol_and_another_does(service, attester, root, database, clock):
    from tabasco.keys import digest_of  # noqa: PLC0415

    digest = digest_of(attester.key.public_key())
    Revocations(database).add(Subject.KEY, digest, "lost", at=clock())
    Revocations(database).add(Subject.KEY, digest, "again", at=clock())
    assert refusal(lambda: enrol(service, attester)) is Reason.KEY_REVOKED
    enrol(service, RootAttester(root))
    assert [each.reason for each in Revocations(database).all()] == ["lost"]


# The commands.


@pytest.fixture
def tabasco(tmp_path):
    def run(*arguments, status=0, stdin=None):
        done = CliRunner().invoke(
            main, [*map(str, arguments), "--state", str(tmp_path / "state")], input=stdin
        )
        assert done.exit_code == status, done.output + done.stderr
        return done

    return run


def printed(done):
    return json.loads(done.stdout)


def test_an_operator_works_with_policies_by_command(tabasco, tmp_path):
    tabasco("init")
    file = tmp_path / "policy.toml"
    file.write_bytes(policy(1))
    assert printed(tabasco("policy", "set", file, "--json"))["version"] == 1
    assert tabasco("policy", "show").stdout == policy(1).decode()
    assert "version 1" in tabasco("policy", "set", "-", stdin=policy(1)).stdout
    assert (
        "higher version" in tabasco("policy", "set", "-", stdin=policy(1, "[sgx]"), status=1).stderr
    )
    assert len(printed(tabasco("policy", "list", "--json"))["policies"]) == 1


def test_an_operator_is_told_of_names_that_nobody_gives(tabasco):
    misspelt = b'[sgx]\nconcerns = ["sgx.fine"]\n[sgx.measurements]\nmrenclav = ["00"]\n'
    told = tabasco("policy", "set", "-", stdin=b"version = 1\n" + misspelt).stderr
    assert "no measurement 'mrenclav'" in told
    assert "no verifier has a concern 'sgx.fine'" in told
    right = b'[tdx]\nconcerns = ["tdx.pks"]\n[tdx.measurements]\nrtmr3 = ["00"]\n'
    assert tabasco("policy", "set", "-", stdin=b"version = 2\n" + right).stderr == ""
    add = ("reference-values", "add", VALUE.hex(), "--kind")
    assert "no measurements" in tabasco(*add, "ear", "--measurement", "x").stderr
    assert tabasco(*add, "tdx", "--measurement", "mrtd").stderr == ""


def test_an_operator_is_told_what_would_come_of_evidence(tabasco, tmp_path):
    recipe = dcap.Recipe()
    quote, collateral = tmp_path / "quote.bin", tmp_path / "store"
    quote.write_bytes(recipe.quote())
    collateral.mkdir()
    draft = tmp_path / "draft.toml"
    draft.write_bytes(policy(9))
    tabasco("policy", "set", "-", stdin=policy(1))
    at = ("--at", dcap.NOON.isoformat(), "--store", collateral, "--json")
    report = printed(tabasco("policy", "explain", quote, *at, status=3))
    assert (report["kind"], report["refusal"]["reason"]) == ("sgx", "collateral-missing")
    assert printed(tabasco("policy", "explain", quote, "--policy", draft, *at, status=3)) == report
    quote.write_bytes(b"nothing")
    assert "name the kind" in tabasco("policy", "explain", quote, *at, status=1).stderr
    draft.write_bytes(b"version = 0")
    quote.write_bytes(recipe.quote())
    refused = tabasco("policy", "explain", quote, "--policy", draft, *at, status=1)
    assert "cannot be read" in refused.stderr


def test_an_operator_works_with_reference_values_by_command(tabasco, tmp_path):
    added = printed(
        tabasco("reference-values", "add", "--kind", "tdx", "--measurement", "mrtd",
                "--label", "r1", "--not-after", "2030-01-01", VALUE.hex(), "--json")
    )  # fmt: skip
    assert added["not_after"].startswith("2030-01-01")
    number = added["number"]
    assert VALUE.hex() in tabasco("reference-values", "list").stdout
    assert printed(tabasco("reference-values", "show", number, "--json")) == added
    key = new_key()
    file = tmp_path / "maker.pem"
    file.write_bytes(pem(key))
    tabasco("reference-values", "provider", "add", "--name", "maker", file)
    other = [{"kind": "sgx", "measurement": "mrenclave", "value": "22" * 32}]
    taken = tabasco("reference-values", "import", "-", "--json", stdin=bundle(key, 7, other))
    assert printed(taken) == {"provider": "maker", "version": 7, "values": 1}
    assert "maker  version 7" in tabasco("reference-values", "provider", "list").stdout
    tabasco("reference-values", "remove", number)
    assert (
        "there is no reference value"
        in tabasco("reference-values", "show", number, status=1).stderr
    )
    assert (
        "not hexadecimal"
        in tabasco(
            "reference-values", "add", "--kind", "tdx", "--measurement", "m", "xyz", status=2
        ).stderr
    )


def test_revocations_and_the_audit_log_by_command(tabasco, tmp_path):
    tabasco("init")
    file = tmp_path / "key.pem"
    file.write_bytes(pem(new_key()))
    tabasco("revoke", "measurement", "33" * 32, "--reason", "a flaw")
    tabasco("revoke", "key", file)
    assert "a flaw" in tabasco("revoke", "list").stdout
    assert "32, 48 or 64 bytes" in tabasco("revoke", "measurement", "33", status=1).stderr
    head = tmp_path / "head"
    head.write_text(tabasco("audit", "head").stdout)
    tabasco("revoke", "measurement", "44" * 32)
    shown = printed(tabasco("audit", "show", "--json"))["entries"]
    assert [each["action"] for each in shown] == [
        "revoke-measurement", "revoke-key", "revoke-measurement"
    ]  # fmt: skip
    found = printed(tabasco("audit", "verify", "--head", head, "--json"))
    assert (found["entries"], found["kept"]) == (3, 2)
    assert "in its past" in tabasco("audit", "verify", "--head", head).stdout
    (tmp_path / "other").write_text("AAAA")
    assert "head" in tabasco("audit", "verify", "--head", tmp_path / "other", status=1).stderr
