import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veracruz_utils.errors import VeracruzError
from veracruz_utils.strict_json import JsonError, read_json


def read(data, **limits):
    return read_json(data, **({"max_bytes": 1000} | limits))


def refusal_of(data, **limits):
    with pytest.raises(JsonError) as caught:
        read(data, **limits)
    assert isinstance(caught.value, VeracruzError)
    assert str(caught.value) == caught.value.detail
    return caught.value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b' {"a": [1, 1.0, true, null, "\\u00e9"]} ', {"a": [1, 1.0, True, None, "é"]}),
        (b"18446744073709551616", 2**64),
        (b"-18446744073709551616", -(2**64)),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'{"a": {"a": {"a": 1}}}', {"a": {"a": {"a": 1}}}),
        (b'"' + b"[" * 100 + b'"', "[" * 100),
    ],
)
def test_json_is_read(data, value):
    assert read(data) == value


def test_what_is_no_integer_stays_none():
    assert isinstance(read(b"1.0"), float)
    assert isinstance(read(b"1e2"), float)


@pytest.mark.parametrize(
    ("data", "code", "detail"),
    [
        (b" " * 1001, "too-large", "has 1001 bytes, at most 1000 are read"),
        (b"[" * 17 + b"]" * 17, "too-deep", "is nested deeper than 16"),
        (b"[" * 1000, "too-deep", "is nested deeper than 16"),
        (b'"\xff"', "not-unicode", "is not UTF-8 at byte 1"),
        (b'{"a": ["\\ud800"]}', "not-unicode", "has text that is not Unicode"),
        (b'{"\\udc00": 1}', "not-unicode", "has text that is not Unicode"),
        (b'{"a": 1, "b": 2, "a": 1}', "repeated-name", "has 'a' twice in one object"),
        (b'[{"x": {"a": 1, "\\u0061": 2}}]', "repeated-name", "has 'a' twice in one object"),
        (b"NaN", "malformed", "is not JSON: NaN is not a JSON number"),
        (b"[-Infinity]", "malformed", "is not JSON: -Infinity is not a JSON number"),
        (b"1e999", "malformed", "is not JSON: 1e999 is beyond f64"),
        (b"9" * 21, "malformed", "is not JSON: an integer has 21 digits"),
        (b"{} {}", "malformed", "is not JSON: Extra data: line 1 column 4 (char 3)"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(data, code, detail):
    error = refusal_of(data)
    assert (error.code, error.detail) == (code, detail)


def test_limits_are_the_readers_own():
    assert read(b"[" * 30 + b"]" * 30, max_depth=30) == json.loads("[" * 30 + "]" * 30)
    assert read(b"9" * 40, max_digits=40) == 10**40 - 1
    assert refusal_of(b"1.5", floats=False).detail == "is not JSON: 1.5 is not a whole number"


def test_a_long_name_is_cut():
    name = "n" * 400
    assert len(refusal_of(f'{{"{name}": 1, "{name}": 2}}'.encode()).detail) < 120


@given(st.binary(max_size=80) | st.text('{}[]",:\\u0deE.-1 ', max_size=40).map(str.encode))
def test_arbitrary_bytes_give_what_the_library_reads_or_our_error(data):
    try:
        value = read(data)
    except JsonError:
        return
    assert value == json.loads(data)
