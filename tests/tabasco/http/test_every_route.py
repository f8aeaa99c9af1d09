"""Whatever is sent to any route: an answer that the interface describes, and never a failure.

Requests are made from the description in OpenAPI: mostly what a route asks for, with one hostile
value somewhere. Over both kinds of database, which fail at different values.
"""

import contextlib
import json
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psa_attestation.jose.base64url import to_base64url
from support.enrolment import new_key, spki
from support.patience import PATIENCE_S
from tabasco.http import Context, HttpService, create_app, description
from tabasco.registry.administrators import AdministratorRole, Administrators
from veracruz_utils.address import Address

EDGES = [0, -1, 1, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**70)]
TEXTS = ["", "\x00", "a\x00b", "\ud800", "é" * 160, "x" * 300, "%00", "..", "/", "'; --", "\u202e"]
TIMES = [
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0001-01-01", "1e400", 1e18, -1e18,
    10**30, "9999-12-31T23:59:59.999999Z", "2026-01-01T00:00:00", 253402300800,
]  # fmt: skip
ODD = [None, True, [], {}, 1.5, 1e308, *TIMES]
TIMED = {"at", "not_before", "not_after"}
HOSTILE = st.sampled_from([*EDGES, *TEXTS, *ODD]) | st.text(max_size=70) | st.integers()
KEY = new_key()
GOOD = {
    "base64url": [to_base64url(spki(KEY)), to_base64url(bytes(32)), to_base64url(bytes(64))],
    "date-time": ["2026-01-01T00:00:00Z", *map(str, TIMES[:4])],
}
AS_JSON = {"Content-Type": "application/json"}
DESCRIPTION = description()
ROUTES = [
    (method.upper(), path) for path, methods in DESCRIPTION["paths"].items() for method in methods
]


WHOLE = {
    "/v1/enrolment-challenges": {"platform": "linux-software-root"},
    "/v1/enrolment-credentials": {
        "challenge": to_base64url(bytes(32)), "platform": "tpm", "certificate": "AA",
        "authorities": "AA", "key_area": "AA",
    },
    "/v1/enrolments": {
        "challenge": to_base64url(bytes(32)), "platform": "linux-software-root", "evidence": "AA",
        "public_key": to_base64url(spki(KEY)), "proof_of_possession": to_base64url(bytes(64)),
    },
    "/v1/tokens/verify": {"token": "AA", "challenge": to_base64url(bytes(32)), "format": "jwt"},
    "/v1/sessions": {"kind": "tdx"},
    f"/v1/sessions/{to_base64url(bytes(32))}/evidence": {
        "kind": "tdx", "evidence": "AA", "auxiliary": {"collateral": "AA"}, "format": "cwt",
    },
    "/v1/trust-anchors": {"name": "lab", "public_key": to_base64url(spki(KEY))},
    "/v1/revocations": {"subject": "measurement", "value": "ab" * 32, "reason": "a bug"},
    "/v1/reference-values": {
        "kind": "sgx", "measurement": "mrenclave", "value": "ab" * 32, "label": "one",
        "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z",
    },
    "/v1/platform-keys": {
        "kind": "arm-cca", "instance": "01" * 33, "public_key": to_base64url(spki(KEY)),
    },
    "/v1/policies/explain": {
        "kind": "tdx", "evidence": "AA", "policy": "", "at": "2026-01-01T00:00:00Z",
    },
}  # fmt: skip


def of_schema(schema, parts):
    """What a schema asks for, or nearly."""
    if "$ref" in schema:
        return of_schema(parts[schema["$ref"].rpartition("/")[2]], parts)
    if "anyOf" in schema:
        return st.one_of(*(of_schema(each, parts) for each in schema["anyOf"]))
    if schema.get("type") == "object":
        return of_object(schema, parts)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return of_value(schema)


def of_object(schema, parts):
    if "properties" in schema:
        members = {name: of_schema(each, parts) for name, each in schema["properties"].items()}
        return st.fixed_dictionaries(members).flatmap(spoiled)
    names, values = st.text(max_size=9) | st.sampled_from(TEXTS), schema["additionalProperties"]
    return st.dictionaries(names, of_schema(values, parts), max_size=2)


def of_value(schema):
    if schema.get("type") in {"integer", "null"}:
        return st.sampled_from([*EDGES, None])
    if "pattern" in schema:
        return st.sampled_from(["ab" * 32, "01" * 33, "ab" * 48, "", "ab" * 64])
    plain = ["linux-software-root", "lab", "mrenclave", *TEXTS]
    return st.sampled_from(GOOD.get(schema.get("format"), plain))


def spoiled(form):
    """The form as it is, or with something hostile in the place of one member."""
    places = st.sampled_from(sorted(form)) if form else st.just("more")
    return st.just(form) | st.builds(lambda place, value: form | {place: value}, places, HOSTILE)


def bodies(operation, parts):
    """Bodies for an operation, as bytes."""
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        forms = of_schema(content["application/json"]["schema"], parts)
        return (forms | HOSTILE).map(lambda form: json.dumps(form).encode())
    return st.sampled_from(EDGES[:-2]).map(policy) | st.binary(max_size=64)


def policy(version):
    """A policy that is fine but for its version."""
    return (
        f'version = {version}\n[sgx]\n[sgx.measurements]\nmrenclave = "reference-values"\n'.encode()
    )


@pytest.fixture
def admin(service, database, clock):
    """A client with the token of an administrator, over a database of either kind."""
    with _admin(service, database, clock) as client:
        yield client


@contextlib.contextmanager
def _admin(service, database, clock):
    app = create_app(Context(service, database, Administrators(database), clock))
    token = Administrators(database).add("an-admin", AdministratorRole.ADMIN, at=clock())
    headers = {"Authorization": f"Bearer {token.reveal().decode()}"}
    with (
        HttpService(app, Address.parse("127.0.0.1:0")) as server,
        httpx.Client(
            base_url=server.url, timeout=PATIENCE_S, trust_env=False, verify=False, headers=headers
        ) as client,
    ):
        yield client


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_request_makes_it_fail(admin, method, path):
    parts = DESCRIPTION["components"]["schemas"]
    operation = DESCRIPTION["paths"][path][method.lower()]
    names = [each for each in operation.get("parameters", []) if each["in"] == "query"]

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def answered(data):
        found = path
        for each in operation.get("parameters", []):
            if each["in"] == "path":
                value = data.draw(st.sampled_from([1, *EDGES, *TEXTS]) | st.text(min_size=1))
                text = quote(str(value), safe="", errors="surrogatepass")
                found = found.replace("{" + each["name"] + "}", text or "-")
        query = {
            each["name"]: data.draw(
                HOSTILE.map(str).map(lambda text: quote(text, errors="replace"))
            )
            for each in names
        }
        answer = admin.request(
            method,
            found[:8000],
            params={name: value[:2000] for name, value in query.items()},
            content=data.draw(bodies(operation, parts)),
            headers=AS_JSON,
        )
        assert answer.status_code < 500, answer.text
        if answer.is_error:
            assert set(answer.json()) == {"error", "message"}

    answered()


def test_every_route_with_a_form_is_among_the_whole_ones():
    with_form = {
        path.replace("{nonce}", to_base64url(bytes(32)))
        for path, methods in DESCRIPTION["paths"].items()
        if "application/json" in methods.get("post", {}).get("requestBody", {}).get("content", {})
    }
    assert with_form == WHOLE.keys()


@pytest.mark.parametrize("path", WHOLE)
def test_no_member_of_a_form_that_is_else_right_makes_it_fail(admin, path):
    whole = WHOLE[path]
    odd = [*EDGES[-3:], 2**63 - 1, *TEXTS, *ODD[: -len(TIMES)]]
    spoiled_forms = [whole | {name: each} for name in whole for each in odd]
    spoiled_forms += [whole | {name: each} for name in {*whole} & TIMED for each in TIMES]
    for form in [whole, *spoiled_forms]:
        answer = admin.post(path, content=json.dumps(form).encode(), headers=AS_JSON)
        assert answer.status_code < 500, (form, answer.text)


@pytest.mark.parametrize("version", EDGES[:-2])
def test_no_version_of_a_policy_makes_it_fail(admin, version):
    answer = admin.post("/v1/policies", content=policy(version))
    assert answer.status_code in {201, 409}, answer.text
    assert admin.get("/v1/policies").status_code == 200
