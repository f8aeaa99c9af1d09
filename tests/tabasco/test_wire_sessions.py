"""Sessions over both wires: a nonce, evidence over it, a result; and what a policy says of it."""

import httpx
import pytest

import colima.tabasco as wire
from colima import decode, encode
from psa_attestation.evidence.native import report_data_of
from psa_attestation.jose.base64url import from_base64url, to_base64url
from psa_attestation.jose.jwk import decode_key_set
from psa_attestation.results.appraisal import Tier
from psa_attestation.results.ear import verify_ear
from psa_attestation.results.ear_jwt import verify_ear_jwt
from support import dcap_evidence as dcap
from support.databases import new_database
from support.enrolment import new_key, spki
from support.patience import PATIENCE_S
from tabasco.collateral import Store, StoredCollateral, Trust
from tabasco.grpc.methods import LIMITS, methods_of
from tabasco.http import Context, HttpService, create_app
from tabasco.registry.administrators import AdministratorRole, Administrators
from tabasco.registry.bundles import ReferenceValue
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.policies import Policies
from tabasco.registry.reference_values import ReferenceValues
from tabasco.service.attestation import AttestationService, Settings
from tabasco.service.sessions import session_binding
from tabasco.verify.kinds import EvidenceKind
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.channels import open_channel, unary
from veracruz_shells.service import GrpcService
from veracruz_utils.address import Address
from veracruz_utils.errors import RefusedError

REPORT_DATA_AT = 320
AT = int(dcap.NOON.timestamp())
MEASURED = dcap.Recipe(body={}).verify().measurements["mrenclave"]
BY_REFERENCE = b'version = 1\n[sgx.measurements]\nmrenclave = "reference-values"\n'


@pytest.fixture
def database(tmp_path):
    with new_database(tmp_path / "tabasco.db") as database:
        Policies(database).put_in_force(BY_REFERENCE, at=dcap.NOON)
        value = ReferenceValue(EvidenceKind.SGX, "mrenclave", MEASURED, "the one")
        ReferenceValues(database).add(value, at=dcap.NOON)
        yield database


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "collateral", trust=Trust(intel=dcap.ROOTS))


@pytest.fixture
def service(database, store, result_key):
    return AttestationService(
        database=database,
        key_ring=KeyRing.single(result_key),
        build="9.9",
        now=lambda: dcap.NOON,
        settings=Settings(),
        source=StoredCollateral(store),
        roots=dcap.ROOTS,
    )


@pytest.fixture
def call(service):
    """Calls a method of the service over gRPC."""
    with (
        GrpcService("127.0.0.1:0", unary=methods_of(service), limits=LIMITS) as server,
        open_channel(server.address) as channel,
    ):

        def call(method, request):
            name = f"/{wire.SERVICE}/{method}"
            data = unary(
                channel, name, encode(request), timeout_s=PATIENCE_S, peer="tabasco at test"
            )
            return decode(
                getattr(wire, type(request).__name__.replace("Request", "Response")), data
            )

        yield call


@pytest.fixture
def http(service, database):
    """A client of the service over HTTP, with the token of a reader."""
    context = Context(service, database, Administrators(database), lambda: dcap.NOON)
    token = (
        Administrators(database)
        .add("reader", AdministratorRole.READER, at=dcap.NOON)
        .reveal()
        .decode()
    )
    with (
        HttpService(create_app(context), Address.parse("127.0.0.1:0")) as server,
        httpx.Client(
            base_url=server.url, trust_env=False, headers={"Authorization": f"Bearer {token}"}
        ) as client,
    ):
        yield client


def quote_over(store, nonce, public_key=b""):
    report_data = report_data_of(session_binding("sgx", nonce, public_key))
    recipe = dcap.Recipe(body={REPORT_DATA_AT: report_data})
    store.add([("made", recipe.collateral_json())], at=dcap.NOON)
    return recipe.quote()


def test_over_grpc_an_attester_gets_a_result_under_a_published_key(call, store):
    keys = decode_key_set(call("GetKeySet", wire.GetKeySetRequest()).key_set)
    (key,) = keys.values()
    for as_jwt in (False, True):
        opened = call("OpenSession", wire.OpenSessionRequest("sgx"))
        assert opened.expires_in_s == 120
        mine = spki(new_key())
        quote = quote_over(store, opened.nonce, mine)
        result = call(
            "SubmitEvidence",
            wire.SubmitEvidenceRequest(opened.nonce, "sgx", quote, (), mine, as_jwt=as_jwt),
        ).attestation_result
        if as_jwt:
            ear = verify_ear_jwt(result.decode(), keys=keys, nonce=opened.nonce, at=AT)
        else:
            ear = verify_ear(result, key=key, nonce=opened.nonce, at=AT)
        assert ear.submods["attester"].status is Tier.AFFIRMING


def test_over_http_an_attester_gets_a_result_under_a_published_key(http, store):
    keys = decode_key_set(http.get("/.well-known/jwks.json").content)
    opened = http.post("/v1/sessions", json={"kind": "sgx"})
    assert opened.status_code == 201
    nonce = opened.json()["nonce"]
    quote = quote_over(store, from_base64url(nonce, "it"))
    body = {"kind": "sgx", "evidence": to_base64url(quote)}
    done = http.post(f"/v1/sessions/{nonce}/evidence", json=body)
    found = verify_ear_jwt(
        done.json()["attestation_result"], keys=keys, nonce=from_base64url(nonce, "it"), at=AT
    )
    assert found.submods["attester"].status is Tier.AFFIRMING
    again = http.post(f"/v1/sessions/{nonce}/evidence", json=body)
    assert (again.status_code, again.json()["error"]) == (403, "challenge-not-live")


def test_over_grpc_a_nonce_is_good_once_and_for_its_kind(call, store):
    nonce = call("OpenSession", wire.OpenSessionRequest("sgx")).nonce
    request = wire.SubmitEvidenceRequest(nonce, "sgx", quote_over(store, nonce))
    with pytest.raises(RefusedError, match="challenge-not-live"):
        call("SubmitEvidence", wire.SubmitEvidenceRequest(nonce, "tdx", request.evidence))
    call("SubmitEvidence", request)
    with pytest.raises(RefusedError, match="challenge-not-live"):
        call("SubmitEvidence", request)
    with pytest.raises(RefusedError, match="platform-unknown"):
        call("OpenSession", wire.OpenSessionRequest("abacus"))


def test_over_grpc_a_part_that_is_there_twice_is_an_invalid_argument(call):
    part = wire.Auxiliary("certificate", b"x")
    request = wire.SubmitEvidenceRequest(bytes(32), "sev-snp", b"", (part, part))
    with pytest.raises(CallError, match="twice") as caught:
        call("SubmitEvidence", request)
    assert caught.value.status is CallStatus.INVALID_ARGUMENT


def test_a_reader_asks_what_a_policy_says_of_evidence(http, store):
    quote = to_base64url(quote_over(store, bytes(32)))
    body = {"kind": "sgx", "evidence": quote}
    accepted = http.post("/v1/policies/explain", json=body).json()
    assert (accepted["verdict"], accepted["accepted"]) == ("accepted", True)
    assert "measurement.mrenclave" in {each["name"] for each in accepted["checks"]}
    draft = f'version = 9\n[sgx.measurements]\nmrenclave = ["{"ab" * 32}"]\n'
    refused = http.post("/v1/policies/explain", json=body | {"policy": draft}).json()
    assert (refused["verdict"], refused["authentic"]) == ("unacceptable", True)
    assert refused["refusal"]["reason"] == "measurement"
    later = http.post("/v1/policies/explain", json=body | {"at": "2040-01-01T00:00:00Z"}).json()
    assert (later["verdict"], later["authentic"]) == ("not-authentic", False)
    assert http.post("/v1/policies/explain", json=body | {"policy": "x"}).status_code == 409
