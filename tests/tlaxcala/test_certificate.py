import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_engine import abi
from execution_engine.limits import EngineLimits
from execution_engine.strategy import engine_version
from sdk.examples import programs
from support.guests import calling, module
from tlaxcala import CertificateError, certify, check, differences
from tlaxcala.certificate import MAX_CERTIFICATE_BYTES, STATIC_LIMITS, abi_digest

LIMITS = EngineLimits()
GOOD = calling(("write_output", 0, 0))
REPORT = check(GOOD)
CERTIFICATE = certify(REPORT, limits=LIMITS)


def altered(**changes):
    """The certificate with these fields of its own instead."""
    return json.dumps(json.loads(CERTIFICATE) | changes).encode()


def found(certificate, report=REPORT, limits=LIMITS):
    return differences(certificate, report, limits=limits)


def holds(certificate):
    """Whether nothing in it that matters is otherwise; what is no certificate does not hold."""
    try:
        return not any(one.matters for one in found(certificate))
    except CertificateError:
        return False


def paths(certificate, **others):
    return [one.path for one in found(certificate, **others)]


@pytest.mark.parametrize("code", [GOOD, *map(programs.load, programs.NAMES)])
def test_a_certificate_holds_for_its_module(code):
    certificate = certify(check(code), limits=LIMITS)
    assert found(certificate, check(code)) == ()


def test_it_says_what_was_checked_by_what_and_with_which_result():
    value = json.loads(CERTIFICATE)
    assert value["verdict"] == "certified"
    assert value["module"] == {"digest": str(REPORT.digest), "size": len(GOOD)}
    assert value["abi"] == {"version": abi.VERSION, "digest": abi_digest()}
    assert value["engine"] == engine_version()
    assert value["tool"]["name"] == "tlaxcala"
    assert value["limits"] == {name: getattr(LIMITS, name) for name in STATIC_LIMITS}
    assert value["profile"]["calls"]["host_calls"] == ["write_output"]
    assert value["entry"] == "() -> (i32)"


def test_its_bytes_are_the_same_each_time_and_are_text():
    assert certify(check(GOOD), limits=LIMITS) == CERTIFICATE
    assert CERTIFICATE.isascii()
    assert CERTIFICATE.endswith(b"}\n")


def test_limits_of_the_run_do_not_show_in_it():
    other = replace(LIMITS, fuel=5, run_seconds=1.0, output_bytes=1)
    assert certify(check(GOOD, limits=other), limits=other) == CERTIFICATE


def test_there_is_none_for_a_module_that_is_refused():
    with pytest.raises(CertificateError, match="TLX040"):
        certify(check(module("")), limits=LIMITS)


def test_it_does_not_hold_for_another_module():
    other = check(programs.load(programs.NAMES[0]))
    assert "module.digest" in paths(CERTIFICATE, report=other)
    assert all(one.matters for one in found(CERTIFICATE, other))


def test_it_does_not_hold_for_a_module_that_is_refused():
    assert "verdict" in paths(CERTIFICATE, report=check(module("")))


def test_it_does_not_hold_under_other_limits():
    [difference] = found(CERTIFICATE, limits=replace(LIMITS, locals=5))
    assert difference.path == "limits.locals"
    assert (difference.certificate, difference.found) == ("4000", "5")
    assert difference.matters


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"verdict": "refused"}, "verdict"),
        ({"verdict": None}, "verdict"),
        ({"host_calls": []}, "host_calls"),
        ({"entry": "() -> ()"}, "entry"),
        ({"module": {"digest": str(REPORT.digest), "size": len(GOOD) + 1}}, "module.size"),
        ({"module": {"digest": str(REPORT.digest), "size": float(len(GOOD))}}, "module.size"),
        ({"module": {"digest": str(REPORT.digest), "size": True}}, "module.size"),
        ({"module": 7}, "module"),
        ({"abi": {"version": 2, "digest": abi_digest()}}, "abi.version"),
        ({"abi": {"version": 1, "digest": "0" * 64}}, "abi.digest"),
        ({"profile": None}, "profile"),
        ({"approved": True}, "approved"),
        ({"tool.x": 1}, "tool.x"),
    ],
)
def test_a_certificate_that_was_altered_does_not_hold(changes, path):
    [difference] = found(altered(**changes))
    assert difference.path == path
    assert difference.matters


def test_what_is_left_out_is_a_difference():
    value = json.loads(CERTIFICATE)
    for name in set(value) - {"format", "format_version"}:
        shorter = {key: value[key] for key in value if key != name}
        [difference] = found(json.dumps(shorter).encode())
        assert (difference.path, difference.certificate) == (name, None)


def test_other_versions_of_tool_and_engine_are_told_and_do_not_matter():
    other = altered(tool={"name": "tlaxcala", "version": "9"}, engine="wasmtime 99")
    assert [(one.path, one.matters) for one in found(other)] == [
        ("tool.version", False),
        ("engine", False),
    ]


def test_white_space_and_order_do_not_matter():
    value = json.loads(CERTIFICATE)
    reversed_ = {key: value[key] for key in reversed(value)}
    assert found(json.dumps(reversed_).encode()) == ()


def test_a_difference_says_both_sides_cut_to_a_bearable_length():
    [difference] = found(altered(entry="x" * 1000))
    assert str(difference).startswith('entry: the certificate says "xxx')
    assert str(difference).endswith('found "() -> (i32)"')
    assert len(str(difference)) < 200


@pytest.mark.parametrize(
    "certificate",
    [
        b"",
        b"{}",
        b"[]",
        b"1",
        b"\xff",
        CERTIFICATE[:-3],
        CERTIFICATE.replace(b'"verdict"', b'"format"'),
        CERTIFICATE.replace(b"4000", b"NaN"),
        CERTIFICATE.replace(b"4000", b"9" * 5000),
        altered(format="other"),
        altered(format_version=2),
        CERTIFICATE + b" " * MAX_CERTIFICATE_BYTES,
        b"[" * 100_000,
        *(
            altered(entry=0).replace(b": 0,", b": " + b"[" * n + b"]" * n + b",")
            for n in (900, 50_000)
        ),
    ],
)
def test_what_is_no_certificate_is_refused_or_does_not_hold(certificate):
    assert not holds(certificate)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_certificate(content):
    with pytest.raises(CertificateError):
        found(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=9,
)


@given(st.sampled_from(sorted(set(json.loads(CERTIFICATE)) - {"tool", "engine"})), JSON)
def test_no_other_value_of_any_field_holds(name, value):
    original = json.loads(CERTIFICATE)[name]
    certificate = altered(**{name: value})
    same = json.dumps(value, sort_keys=True) == json.dumps(original, sort_keys=True)
    assert holds(certificate) is same


def test_whatever_changes_the_abi_gives_it_another_version():
    digests = {1: "34d9f7a1a09e0ade61d1ec61843a11faa98fb0d838e5397f6207cf233a11e2b6"}
    assert digests[abi.VERSION] == abi_digest()
