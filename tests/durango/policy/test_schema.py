"""The published JSON schema: valid itself, true of every policy, false of most that are none."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from durango.cli import main
from durango.identity import Identity
from durango.policy.building import text_of_source
from durango.policy.schema import policy_schema
from durango.policy.source import parse_source
from durango.releases import Releases
from sdk.examples import EXAMPLES
from sdk.examples.policy_template import parties, policy_template
from support.named_policies import document
from support.policies import current_document, key_of, pem, public_key_der, text
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Policy

jsonschema = pytest.importorskip("jsonschema", reason="the development tools are not installed")

PUBLISHED = Path(__file__).parents[3] / "docs/reference/policy.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(policy_schema()))
PRIVACY = {"mechanism": "gaussian", "epsilon": "0.5", "total_epsilon": "2", "sensitivity": "1.25",
           "delta": "1e-6", "total_delta": "0.00001"}  # fmt: skip
FULL = document(
    rounds=4, attempts=2, results_per_reader=3, next_round={"least": 1, "of": ["reader"]},
    consent=["north", 2], streaming_order=[1], deterministic=False,
    inputs=[{"name": "patients", "type": "Vec<u32>", "bytes": 40}, {}, {"type": "u8"}],
    streams=[{"name": "Süd & Co. (neu)"}],
    result={"type": "(i64,)", "bytes": 64, "contributors": 2, "privacy": PRIVACY},
    limits={"run_seconds": 7, "fuel": 5000}, isolation=["seccomp", "landlock"],
    platforms=[
        {"name": "nitro", "measurements": ["5a" * 48], "machine": {"pcr0": ["00" * 48]}},
        {"name": "tpm", "measurements": ["5a" * 32], "machine": {"pcr4": ["44" * 32, "AB" * 32]}},
    ],
)  # fmt: skip
SAID = {"full": FULL, "short": current_document()}


def fits(said: object) -> bool:
    return VALIDATOR.is_valid(said)


def is_read(said: object) -> bool:
    try:
        Policy.parse(text(said), at=None)
    except VeracruzError:
        return False
    return True


def test_the_schema_is_valid_and_the_published_one():
    jsonschema.Draft202012Validator.check_schema(json.loads(policy_schema()))
    assert PUBLISHED.read_text() == policy_schema() + "\n", "run make schema"
    assert CliRunner().invoke(main, ["policy", "schema"]).stdout == PUBLISHED.read_text()


@pytest.mark.parametrize("said", [FULL, document(), current_document()])
def test_policies_fit_it(said):
    assert is_read(said)
    assert list(VALIDATOR.iter_errors(said)) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_template_of_every_example_is_a_source_whose_policy_fits_it(name, tmp_path):
    now = datetime.now(UTC)
    example = EXAMPLES[name]
    for party in parties(example):
        identity = Identity.create(party.name, not_before=now, lifetime=timedelta(days=60))
        (tmp_path / party.certificate).write_bytes(identity.certificate_pem())
    key = pem(public_key_der(key_of("tabasco")), "PUBLIC KEY")
    (tmp_path / "tabasco.pem").write_text(key)
    (tmp_path / f"{name}.wasm").write_bytes(b"\0asm")
    source = policy_template(example).replace(
        'images = ["image"]', f'measurements = ["{"5a" * 32}"]'
    )
    raw = text_of_source(
        parse_source(source.encode(), folder=tmp_path),
        releases=Releases(tmp_path / "config", at=now),
        at=now,
    )
    policy = Policy.parse(raw, at=now)
    assert len(policy.inputs) == len(example.inputs)
    assert len(policy.streams) == len(example.streams)
    assert list(VALIDATOR.iter_errors(json.loads(raw))) == []


MACHINES = [
    ({"pcr4": ["44" * 32]}, "tpm", True),
    ({"measurement": ["44" * 48]}, "sev-snp", True),
    ({"mrtd": ["44" * 48], "rtmr3": ["44" * 48]}, "tdx", True),
    ({"pcr15": ["44" * 48]}, "nitro", True),
    ({}, "tpm", False),
    ([], "tpm", False),
    (None, "tpm", False),
    ({"pcr4": []}, "tpm", False),
    ({"pcr4": "44" * 32}, "tpm", False),
    ({"pcr4": ["44" * 48]}, "tpm", False),
    ({"pcr24": ["44" * 32]}, "tpm", False),
    ({"pcr16": ["44" * 48]}, "nitro", False),
    ({"mrtd": ["44" * 48]}, "sev-snp", False),
    ({"pcr4": ["44" * 32]}, "linux-software-root", False),
    ({"pcr4": ["44" * 32]}, "elsewhere", False),
]


@pytest.mark.parametrize(("machine", "name", "good"), MACHINES)
def test_registers_of_a_machine_fit_where_they_are_read(machine, name, good):
    platform = {"name": name, "measurements": ["5a" * 48], "machine": machine}
    said = document(platforms=[platform])
    assert (is_read(said), fits(said)) == (good, good)


NAMES = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("ab9 _.&'()-Süж病")), max_size=70
)


@given(NAMES)
def test_every_name_that_is_read_fits(name):
    said = changed(document(), ("identities", 4, "name"), name)
    if is_read(said):
        assert fits(said)
    elif name.endswith("\n"):  # before which Python's `$` holds, and that of ECMA-262 does not
        pass
    elif fits(
        said
    ):  # letters and signs beyond ASCII, and reserved words, are the reader's to judge
        reserved = ["nobody", "everybody", "all", "any", "none", "client"]
        assert any(ord(sign) > 0xA9 for sign in name) or name.lower().startswith(tuple(reserved))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 1 << 33) | st.floats(allow_nan=False)
    | st.text(max_size=5) | st.sampled_from(["all", "opaque", "seccomp", "JIT", "0.5", "5a" * 32]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)  # fmt: skip


def places(said: object, path: tuple = ()) -> list[tuple]:
    found = [path] if path else []
    if isinstance(said, dict | list):
        for key, value in said.items() if isinstance(said, dict) else enumerate(said):
            found += places(value, (*path, key))
    return found


def changed(said: dict, path: tuple, value: object) -> dict:
    other = copy.deepcopy(said)
    place = other
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return other


@given(st.sampled_from(sorted(SAID)), st.data())
def test_what_the_reader_takes_the_schema_takes(which, data):
    said = SAID[which]
    other = changed(said, data.draw(st.sampled_from(places(said))), data.draw(JSON))
    if is_read(other):
        assert fits(other)


@given(st.sampled_from(sorted(SAID)), st.data())
def test_another_kind_of_value_anywhere_is_refused_by_both(which, data):
    said = SAID[which]
    path = data.draw(st.sampled_from(places(said)))
    other = changed(said, path, data.draw(st.sampled_from([{"x": 1}, [[[]]], 0.5, -1])))
    assert not is_read(other)
    assert not fits(other)


OBJECTS = [(), ("identities", 0), ("platforms", 0), ("limits",), ("result",), ("inputs", 0),
           ("result", "privacy"), ("next_round",)]  # fmt: skip


@pytest.mark.parametrize("path", OBJECTS)
def test_an_unknown_field_and_a_missing_one_are_refused_by_both(path):
    more = changed(FULL, (*path, "unknown"), 1)
    assert not is_read(more)
    assert not fits(more)
    place = FULL
    for key in path:
        place = place[key]
    for name in place:
        less = copy.deepcopy(FULL)
        inner = less
        for key in path:
            inner = inner[key]
        del inner[name]
        if is_read(less):
            assert fits(less), (path, name)
        elif path != ("result", "privacy"):  # Gaussian noise takes a delta, and Laplace none
            assert not fits(less), (path, name)


WRONG = {
    ("policy_version",): 2,
    ("sinaloa_url",): "bridge.example",
    ("tabasco_url",): "http://tabasco.example:3010",
    ("tabasco_key",): "tabasco.pem",
    ("expires_at",): "2030-01-31",
    ("ciphersuite",): "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    ("platforms",): [],
    ("platforms", 0, "name"): "Nitro",
    ("platforms", 0, "measurements"): [],
    ("platforms", 0, "measurements", 0): "5a" * 31,
    ("program_digest",): "5A" * 32,
    ("execution_strategy",): "AOT",
    ("identities",): [],
    ("identities", 0, "roles"): [],
    ("identities", 0, "roles", 0): "Author",
    ("identities", 0, "certificate"): "author.cert.pem",
    ("identities", 0, "name"): "two\nlines",
    ("identities", 1, "roles"): ["PiProvider"],
    ("identities", 4, "roles"): ["DataProvider"],
    ("isolation",): ["seccomp", "seccomp"],
    ("rounds",): 0,
    ("attempts",): 1001,
    ("consent",): [],
    ("consent", 1): "north",
    ("next_round", "least"): 0,
    ("result", "contributors"): 4097,
    ("result", "type"): "opaque",
    ("result", "privacy", "epsilon"): "1/2",
    ("result", "privacy", "mechanism"): "exponential",
    ("limits", "run_seconds"): 0,
    ("limits", "fuel"): 0,
    ("inputs", 0, "bytes"): 4 << 30,
    ("debug",): True,
    ("deterministic",): True,
    ("data_provision_order", 0): 1 << 32,
}


@pytest.mark.parametrize("path", WRONG, ids=lambda path: ".".join(map(str, path)))
def test_what_is_wrong_in_itself_is_refused_by_both(path):
    other = changed(FULL, path, WRONG[path])
    assert not is_read(other)
    assert not fits(other)


LEFT_TO_THE_READER = {
    ("identities", 1, "id"): 0,
    ("identities", 1, "name"): "author",
    ("data_provision_order", 0): 9,
    ("inputs", 0, "type"): "Vec<",
    ("inputs",): [{}],
    ("consent", 0): "nobody-here",
    ("next_round", "least"): 2,
    ("result", "contributors"): 9,
    ("result", "privacy", "total_epsilon"): "0.1",
    ("expires_at",): "2030-02-31T00:00:00Z",
}


@pytest.mark.parametrize("path", LEFT_TO_THE_READER, ids=lambda path: ".".join(map(str, path)))
def test_what_no_schema_can_say_is_refused_by_the_reader(path):
    other = changed(FULL, path, LEFT_TO_THE_READER[path])
    assert fits(other)
    assert not is_read(other)
