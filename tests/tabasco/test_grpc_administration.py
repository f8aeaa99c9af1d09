"""Administration over a real gRPC server: the same powers as over HTTP, for the same tokens."""

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from colima import decode, encode
from colima import tabasco_administration as wire
from colima.tabasco import BeginEnrolmentRequest
from psa_attestation.jws import sign_jws
from support import dcap_evidence as dcap
from support.enrolment import new_key, spki
from tabasco.administration_server import AdministrationServer
from tabasco.administrators import TOKEN_PREFIX, Administrators, Role
from tabasco.audit import AuditLog, Head
from tabasco.bundles import BUNDLE_TYPE
from tabasco.cli import grpc_service
from tabasco.database import Database, sqlite_url
from tabasco.reference_values import ReferenceValues
from tabasco.server import LIMITS, methods_of
from veracruz_shells.service import CallError, GrpcService, Status, open_channel, unary
from veracruz_utils.address import Address
from veracruz_utils.errors import RefusedError, VeracruzError

POLICY = b'version = 1\n[sgx]\n[sgx.measurements]\nmrenclave = "reference-values"\n'
READS = {
    "ListTrustAnchors", "ListInstances", "ListRevocations", "ListReferenceValues",
    "GetReferenceValue", "ListProviders", "ListPolicies", "Explain", "GetAuditHead",
    "ListAuditEntries", "ListPlatformKeys",
}  # fmt: skip
CHANGES = {
    "AddTrustAnchor", "RemoveTrustAnchor", "Revoke", "AddReferenceValue", "RemoveReferenceValue",
    "ImportBundle", "SetPolicy", "AddPlatformKey", "RemovePlatformKey",
}  # fmt: skip


@pytest.fixture
def database(tmp_path):
    """SQLite alone: what gRPC adds is the same over every database."""
    with Database.open(sqlite_url(tmp_path / "tabasco.db")) as database:
        yield database


@pytest.fixture
def administration(service, database, clock):
    return AdministrationServer(
        service=service, database=database, administrators=Administrators(database), now=clock
    )


@pytest.fixture
def channel(service, administration):
    with (
        GrpcService(
            "127.0.0.1:0",
            unary=methods_of(service),
            with_metadata=administration.methods(),
            limits=LIMITS,
        ) as server,
        open_channel(server.address) as channel,
    ):
        yield channel


def raw(channel, method, data=b"", **metadata):
    return unary(
        channel,
        f"/{wire.SERVICE}/{method}",
        data,
        timeout_s=20,
        peer="tabasco at test",
        metadata=metadata,
    )


@pytest.fixture
def as_role(channel, database, clock):
    """Calls methods with the token of somebody of a role."""

    def client(role):
        token = Administrators(database).add(f"some-{role}", role, at=clock()).reveal().decode()

        def call(request):
            method = type(request).__name__.removesuffix("Request")
            answer = raw(channel, method, encode(request), authorization=f"Bearer {token}")
            cls = wire.ReferenceValue if method == "GetReferenceValue" else None
            return decode(cls or getattr(wire, f"{method}Response"), answer)

        return call

    return client


@pytest.fixture
def admin(as_role):
    return as_role(Role.ADMIN)


@pytest.fixture
def reader(as_role):
    return as_role(Role.READER)


def a_request(method):
    return {
        "AddTrustAnchor": lambda: wire.AddTrustAnchorRequest("lab-2", spki(new_key())),
        "RemoveTrustAnchor": lambda: wire.RemoveTrustAnchorRequest("lab"),
        "Revoke": lambda: wire.RevokeRequest("measurement", bytes(32)),
        "GetReferenceValue": lambda: wire.GetReferenceValueRequest(1),
        "AddReferenceValue": lambda: wire.AddReferenceValueRequest("sgx", "mrenclave", bytes(32)),
        "RemoveReferenceValue": lambda: wire.RemoveReferenceValueRequest(1),
        "ImportBundle": lambda: wire.ImportBundleRequest(b"a.b.c"),
        "SetPolicy": lambda: wire.SetPolicyRequest(POLICY),
        "AddPlatformKey": lambda: wire.AddPlatformKeyRequest(
            "arm-cca", b"\x01" * 33, spki(new_key())
        ),
        "RemovePlatformKey": lambda: wire.RemovePlatformKeyRequest(1),
        "Explain": lambda: wire.ExplainRequest("sgx", b"x", document=POLICY),
    }.get(method, getattr(wire, f"{method}Request"))()


def enrol(service, attester):
    begun = service.begin_enrolment(BeginEnrolmentRequest("linux-software-root"))
    service.complete_enrolment(attester.enrolment(begun.challenge))


def status(call):
    with pytest.raises(CallError) as caught:
        call()
    return caught.value.status


def test_every_method_is_one_that_is_tried_below(administration):
    names = {name.removeprefix(f"/{wire.SERVICE}/") for name in administration.methods()}
    assert names == READS | CHANGES
    from colima._pb import tabasco_pb2  # noqa: PLC0415 - the schema itself

    described = tabasco_pb2.DESCRIPTOR.services_by_name["Administration"].methods_by_name
    assert names == set(described)


def test_without_a_token_nothing_is_administered(channel, database):
    before = AuditLog(database).head()
    for method in sorted(READS | CHANGES):
        for given in ({}, {"authorization": "Bearer x"},
                      {"authorization": f"Bearer {TOKEN_PREFIX}{'A' * 43}"},
                      {"authorization": "Basic eDp4"}):  # fmt: skip
            data = encode(a_request(method))
            found = status(lambda: raw(channel, method, data, **given))  # noqa: B023 - at once
            assert found is Status.UNAUTHENTICATED, method
    assert AuditLog(database).head() == before


def test_a_reader_changes_nothing_and_the_attempt_is_recorded(reader, database):
    for method in sorted(CHANGES):
        with pytest.raises(RefusedError, match="forbidden"):
            reader(a_request(method))
        last = AuditLog(database).entries()[-1]
        assert (last.actor, last.subject, last.outcome) == (
            "administrator some-reader", "over gRPC", "forbidden"
        )  # fmt: skip


def test_a_reader_sees_everything(reader, admin):
    admin(a_request("AddReferenceValue"))
    for method in sorted(READS):
        reader(a_request(method))


def test_a_token_that_was_taken_away_is_worth_nothing(admin, database, clock):
    admin(wire.ListInstancesRequest())
    Administrators(database).remove("some-admin", at=clock())
    assert status(lambda: admin(wire.ListInstancesRequest())) is Status.UNAUTHENTICATED


def test_trust_anchors_are_added_listed_and_removed_with_their_instances(admin, service, attester):
    key = new_key()
    admin(wire.AddTrustAnchorRequest("lab-2", spki(key)))
    anchors = admin(wire.ListTrustAnchorsRequest()).trust_anchors
    assert wire.TrustAnchor("lab-2", spki(key)) in anchors
    enrol(service, attester)
    assert admin(wire.RemoveTrustAnchorRequest("lab")).revoked_instances == 1
    assert admin(wire.ListInstancesRequest()).instances[0].state == "revoked"
    assert status(lambda: admin(wire.RemoveTrustAnchorRequest("lab"))) is Status.FAILED_PRECONDITION
    bad = wire.AddTrustAnchorRequest("lab-3", b"no key")
    assert status(lambda: admin(bad)) is Status.INVALID_ARGUMENT


def test_instances_measurements_and_keys_are_revoked(admin, service, attester):
    enrol(service, attester)
    (shown,) = admin(wire.ListInstancesRequest()).instances
    assert (shown.state, shown.root) == ("live", "lab")
    admin(wire.RevokeRequest("instance", shown.instance_id))
    assert admin(wire.ListInstancesRequest()).instances[0].state == "revoked"
    admin(wire.RevokeRequest("measurement", bytes(32), "a bug"))
    admin(wire.RevokeRequest("key", sha256(b"key").digest()))
    found = admin(wire.ListRevocationsRequest()).revocations
    assert [(each.subject, each.reason) for each in found] == [
        ("key", ""),
        ("measurement", "a bug"),
    ]
    assert datetime.fromisoformat(found[0].revoked_at).tzinfo is not None
    wrong = wire.RevokeRequest("abacus", bytes(32))
    assert status(lambda: admin(wrong)) is Status.INVALID_ARGUMENT
    nobody = wire.RevokeRequest("instance", bytes(33))
    assert status(lambda: admin(nobody)) is Status.FAILED_PRECONDITION


def test_reference_values_are_made_read_listed_and_deleted(admin):
    ends = datetime(2030, 1, 1, tzinfo=UTC)
    wanted = wire.AddReferenceValueRequest(
        "sgx", "mrenclave", b"\xab" * 32, "r 1", not_after="2030-01-01T00:00:00Z"
    )
    number = admin(wanted).number
    made = admin(wire.GetReferenceValueRequest(number))
    assert (made.kind, made.value, made.provider) == ("sgx", b"\xab" * 32, "operator")
    assert (made.not_before, datetime.fromisoformat(made.not_after)) == ("", ends)
    assert admin(wire.ListReferenceValuesRequest()).reference_values == (made,)
    assert status(lambda: admin(wanted)) is Status.FAILED_PRECONDITION
    admin(wire.RemoveReferenceValueRequest(number))
    assert admin(wire.ListReferenceValuesRequest()).reference_values == ()
    for gone in (number, 2**63 - 1):
        get = wire.GetReferenceValueRequest(gone)
        assert status(lambda: admin(get)) is Status.FAILED_PRECONDITION  # noqa: B023 - at once


def test_a_number_that_no_row_has_and_times_that_are_none_are_invalid(channel, admin):
    for wrong in (
        wire.AddReferenceValueRequest("abacus", "beads", bytes(32)),
        wire.AddReferenceValueRequest("sgx", "mrenclave", bytes(32), not_before="soon"),
    ):
        assert status(lambda: admin(wrong)) is Status.INVALID_ARGUMENT  # noqa: B023 - at once
    with pytest.raises(VeracruzError, match="limit"):
        wire.GetReferenceValueRequest(2**63)


def test_a_bundle_is_taken_in_from_a_registered_provider_alone(admin, database, clock):
    key = new_key()
    values = [{"kind": "tdx", "measurement": "mrtd", "value": "11" * 48}]
    document = json.dumps({"version": 3, "values": values}).encode()
    bundle = wire.ImportBundleRequest(sign_jws(document, key, typ=BUNDLE_TYPE, kid=None).encode())
    assert status(lambda: admin(bundle)) is Status.FAILED_PRECONDITION
    ReferenceValues(database).add_provider("maker", key.public_key(), at=clock())
    taken = admin(bundle)
    assert (taken.provider, taken.version, taken.values) == ("maker", 3, 1)
    assert admin(wire.ListProvidersRequest()).providers == (wire.Provider("maker", 3),)


def test_platform_keys_are_added_listed_and_removed(admin):
    key = spki(new_key())
    number = admin(wire.AddPlatformKeyRequest("arm-cca", b"\x01" * 33, key)).number
    kept = admin(wire.ListPlatformKeysRequest()).platform_keys
    assert kept == (wire.PlatformKey(number, "arm-cca", b"\x01" * 33, key, "operator"),)
    other = wire.AddPlatformKeyRequest("arm-cca", b"\x01" * 33, spki(new_key()))
    assert status(lambda: admin(other)) is Status.FAILED_PRECONDITION
    admin(wire.RemovePlatformKeyRequest(number))
    assert admin(wire.ListPlatformKeysRequest()).platform_keys == ()
    admin(other)


def test_a_policy_is_put_in_force_explained_and_never_rolled_back(admin):
    assert admin(wire.SetPolicyRequest(POLICY)).version == 1
    newer = POLICY.replace(b"version = 1", b"version = 2")
    admin(wire.SetPolicyRequest(newer))
    assert status(lambda: admin(wire.SetPolicyRequest(POLICY))) is Status.FAILED_PRECONDITION
    found = admin(wire.ListPoliciesRequest()).policies
    assert [each.document for each in found] == [newer, POLICY]
    assert found[0].digest == sha256(newer).digest()
    quote = dcap.Recipe(body={}).quote()
    report = json.loads(admin(wire.ExplainRequest("sgx", quote)).report)
    assert (report["accepted"], report["refusal"]["reason"]) == (False, "collateral-missing")


def test_the_audit_log_names_who_did_what_and_its_head_is_signed(admin, database, result_key):
    admin(wire.SetPolicyRequest(POLICY))
    entries = admin(wire.ListAuditEntriesRequest()).entries
    assert (entries[-1].actor, entries[-1].action) == ("administrator some-admin", "set-policy")
    head = admin(wire.GetAuditHeadRequest())
    signed = Head.verified(head.signed, result_key.public_key())
    assert (signed.number, signed.hash) == (head.number, entries[-1].hash)
    assert AuditLog(database).verify(kept=signed) == signed
    (last,) = admin(wire.ListAuditEntriesRequest(after=len(entries) - 1, most=1)).entries
    assert last == entries[-1]


def test_a_failure_inside_says_nothing_outside(admin, service, monkeypatch):
    monkeypatch.setattr(type(service), "signed_head", lambda _: 1 / 0)
    with pytest.raises(VeracruzError, match="INTERNAL") as caught:
        admin(wire.GetAuditHeadRequest())
    assert "zero" not in str(caught.value)


def test_tokens_do_not_leave_this_machine(service, database):
    for host, served in (("127.0.0.1", True), ("0.0.0.0", False)):
        with grpc_service((service, database), Address(host, 0)) as server:
            address = f"127.0.0.1:{server.port}"
            with open_channel(address) as channel, pytest.raises(VeracruzError) as caught:
                raw(channel, "ListInstances")
            assert isinstance(caught.value, CallError) is served
