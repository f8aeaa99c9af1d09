"""What is rendered is what is parsed."""

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.policies import DAY, NOW, certificate, key_of, public_key_der
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    REGISTER_BANKS,
    RUNTIME_LAYERS,
    TLS_1_2_SUITES,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    Address,
    IsolationLayer,
    Limits,
    PinnedRegister,
    Policy,
    PolicyError,
    PolicyErrorCode,
    PolicyFormat,
    PolicyIdentity,
    Role,
    Strategy,
)
from veracruz_utils.policy.rendering import render_policy

NAMES = ("paula", "dora", "dirk", "rita")
COMMON = {
    "at": NOW,
    "identities": [
        PolicyIdentity(0, certificate("paula"), frozenset({Role.PI_PROVIDER})),
        PolicyIdentity(5, certificate("dora"), frozenset({Role.DATA_PROVIDER, Role.RESULT_READER})),
    ],
    "sinaloa": Address("bridge.example", 3017),
    "tabasco": Address("::1", 3010),
    "expires_at": NOW + 90 * DAY,
    "platforms": [AcceptedPlatform(LINUX_SOFTWARE, frozenset({b"\x5a" * 32}))],
    "data_provision_order": [5],
    "program_digest": Digest.of(b"program"),
    "strategy": Strategy.JIT,
}
CURRENT = COMMON | {
    "tabasco_key": public_key_der(key_of("tabasco")),
    "ciphersuite": TLS_1_3_SUITES[0],
}
OF_2021 = COMMON | {
    "tabasco_key": None,
    "ciphersuite": TLS_1_2_SUITES[0],
    "policy_format": PolicyFormat.VERACRUZ_2021,
}


@st.composite
def identities(draw) -> list[PolicyIdentity]:
    numbers = draw(st.permutations(range(20)))
    roles = draw(st.lists(st.frozensets(st.sampled_from(Role), min_size=1), min_size=2, max_size=4))
    roles = [each - {Role.PI_PROVIDER} or {Role.DATA_PROVIDER} for each in roles]
    roles[0] |= {Role.PI_PROVIDER}
    roles[1] |= {Role.RESULT_READER}
    return [
        PolicyIdentity(number, certificate(name), frozenset(each))
        for number, name, each in zip(numbers, NAMES, roles, strict=False)
    ]


def _senders(principals, *roles):
    numbers = [each.client_id for each in principals if each.roles & set(roles)]
    return st.lists(st.sampled_from(numbers), max_size=5) if numbers else st.just([])


def measured(name):
    """A platform with some of its registers pinned, in their order."""
    bank = REGISTER_BANKS[name]
    value = st.binary(min_size=bank.value_bytes, max_size=bank.value_bytes)
    pinned = st.dictionaries(
        st.sampled_from(bank.names), st.frozensets(value, min_size=1, max_size=3)
    )
    return st.builds(
        AcceptedPlatform,
        st.just(name),
        st.frozensets(st.binary(min_size=32, max_size=32), min_size=1, max_size=3),
        pinned.map(
            lambda given: tuple(
                PinnedRegister(each, given[each]) for each in bank.names if each in given
            )
        ),
    )


@st.composite
def said(draw) -> dict:
    principals = draw(identities())
    platform = st.builds(
        AcceptedPlatform,
        st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(
            lambda name: name not in REGISTER_BANKS
        ),
        st.frozensets(st.binary(min_size=32, max_size=32), min_size=1, max_size=3),
    ) | st.sampled_from(list(REGISTER_BANKS)).flatmap(measured)
    return {
        "identities": principals,
        "sinaloa": draw(st.builds(Address, st.just("a.example"), st.integers(1, 65535))),
        "tabasco": draw(st.builds(Address, st.just("::1"), st.integers(1, 65535))),
        "expires_at": NOW + draw(st.timedeltas(timedelta(seconds=1), timedelta(days=99999))),
        "platforms": draw(st.lists(platform, min_size=1, max_size=3, unique_by=lambda p: p.name)),
        "data_provision_order": draw(_senders(principals, Role.DATA_PROVIDER)),
        "streaming_order": draw(_senders(principals, Role.DATA_PROVIDER, Role.STREAM_PROVIDER)),
        "program_digest": draw(st.builds(Digest, st.binary(min_size=32, max_size=32))),
        "ciphersuite": draw(st.sampled_from(TLS_1_3_SUITES)),
        "strategy": draw(st.sampled_from(Strategy)),
        "debug": draw(st.booleans()),
        "isolation": draw(st.frozensets(st.sampled_from(IsolationLayer))),
        "limits": draw(st.builds(Limits, run_seconds=st.integers(1, 99), fuel=st.just(5))),
        "tabasco_key": CURRENT["tabasco_key"],
    }


@given(said())
@settings(deadline=None)
def test_a_rendered_policy_says_what_was_rendered(words):
    raw = render_policy(at=NOW, **words)
    policy = Policy.parse(raw, at=NOW)
    for name, value in words.items():
        expected = tuple(value) if isinstance(value, list) else value
        if name == "expires_at":
            expected = value.replace(microsecond=0)
        assert getattr(policy, name) == expected
    assert policy.format is PolicyFormat.CURRENT
    again = {name: getattr(policy, name) for name in words}
    assert render_policy(at=NOW, **again) == raw


def test_every_field_of_a_policy_can_be_rendered():
    derived = {"raw", "digest", "format"}
    derived |= {"conduct", "inputs", "streams", "result"}  # of `terms`, by the next test
    rendered = set(CURRENT) | {"streaming_order", "debug", "limits", "isolation"}
    assert {field.name for field in fields(Policy)} - derived == rendered - {"at"}


def test_terms_of_conduct_are_rendered_as_they_are_given():
    terms = {"rounds": 7, "attempts": 2, "consent": "all", "result": {"contributors": 1}}
    raw = render_policy(**CURRENT, terms=terms)
    assert {name: json.loads(raw)[name] for name in terms} == terms
    with pytest.raises(PolicyError):
        render_policy(**OF_2021, terms=terms)


def test_a_policy_that_pins_no_machine_does_not_say_so():
    (platform,) = json.loads(render_policy(**CURRENT))["platforms"]
    assert set(platform) == {"name", "measurements"}


def test_a_rendered_policy_says_its_layers_also_where_they_are_the_default():
    assert json.loads(render_policy(**CURRENT))["isolation"] == [
        layer.value for layer in IsolationLayer if layer in RUNTIME_LAYERS
    ]
    assert json.loads(render_policy(**CURRENT | {"isolation": frozenset()}))["isolation"] == []


def test_certificates_have_the_form_of_2021():
    raw = render_policy(**CURRENT)
    text = json.loads(raw)["identities"][0]["certificate"]
    first, body, last = text.split("\n")
    assert (first, last) == ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
    assert len(body) > 64
    assert raw.endswith(b"}\n")


def test_the_format_of_2021_can_be_written():
    platforms = [
        AcceptedPlatform("nitro", frozenset({b"\x33" * 48})),
        AcceptedPlatform(LINUX_SOFTWARE, frozenset({b"\x44" * 32})),
    ]
    policy = Policy.parse(render_policy(**OF_2021 | {"platforms": platforms}), at=NOW)
    assert policy.format is PolicyFormat.VERACRUZ_2021
    assert set(policy.platforms) == set(platforms)
    assert policy.identities == tuple(COMMON["identities"])
    assert policy.ciphersuite == TLS_1_2_SUITES[0]
    assert policy.expires_at == COMMON["expires_at"]


def test_times_are_in_utc_and_rounded_down():
    end = datetime(2026, 7, 1, 1, 30, 59, 999999, timezone(timedelta(hours=2)))
    current = Policy.parse(render_policy(**CURRENT | {"expires_at": end}), at=NOW)
    old = Policy.parse(render_policy(**OF_2021 | {"expires_at": end}), at=NOW)
    assert current.expires_at == datetime(2026, 6, 30, 23, 30, 59, tzinfo=UTC)
    assert old.expires_at == datetime(2026, 6, 30, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (CURRENT | {"identities": []}, "data-provider"),
        (CURRENT | {"data_provision_order": [0]}, "data-provider"),
        (CURRENT | {"expires_at": NOW}, "enclave-expired"),
        (CURRENT | {"tabasco_key": None}, "missing-field"),
        (CURRENT | {"ciphersuite": TLS_1_2_SUITES[0]}, "ciphersuite-unsupported"),
        (CURRENT | {"sinaloa": Address("a", 0)}, "url-invalid"),
        (OF_2021 | {"ciphersuite": TLS_1_3_SUITES[0]}, "ciphersuite-unsupported"),
        (OF_2021 | {"isolation": RUNTIME_LAYERS}, "invalid-value"),
        (OF_2021 | {"limits": Limits(fuel=1)}, "invalid-value"),
        (OF_2021 | {"tabasco_key": CURRENT["tabasco_key"]}, "invalid-value"),
        (
            OF_2021
            | {
                "platforms": [
                    AcceptedPlatform(
                        "nitro",
                        frozenset({b"a" * 48}),
                        (PinnedRegister("pcr0", frozenset({b"b" * 48})),),
                    )
                ]
            },
            "invalid-value",
        ),
        (
            OF_2021 | {"platforms": [AcceptedPlatform("sev-snp", frozenset({b"a" * 48}))]},
            "invalid-value",
        ),
        (
            OF_2021 | {"platforms": [AcceptedPlatform("sgx", frozenset({b"a" * 32, b"b" * 32}))]},
            "invalid-value",
        ),
    ],
)
def test_what_would_be_refused_is_not_rendered(words, code):
    with pytest.raises(PolicyError) as caught:
        render_policy(**words)
    assert caught.value.code is PolicyErrorCode(code)
