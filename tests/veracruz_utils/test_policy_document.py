"""JSON is read strictly, and whatever comes in, only a policy or a PolicyError comes out."""

import json
from contextlib import suppress
from typing import Annotated

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.policies import NOW, current_document, document_2021, text
from veracruz_utils.policy import MAX_POLICY_BYTES, Policy, PolicyError, PolicyErrorCode


def refusal_of(raw: bytes) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(raw, at=NOW)
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()
    return caught.value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{} {}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 01}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1} // so',
        b'{"a": ' + b"9" * 21 + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\x01"}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'["\\ud800"]',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"[]",
        b"null",
        b'"policy"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_object_is_malformed(raw):
    assert refusal_of(raw).code is PolicyErrorCode.MALFORMED_JSON


@pytest.mark.parametrize("make", [current_document, document_2021])
@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (b'"debug": false', b'"debug": false, "debug": false', "debug"),
        (b'"id": 1,', b'"id": 1, "id": 1,', "id"),
        (b'"debug": false', b'"debug": false, "x": {"y": [0, {"z z": {"a": 1, "a": 2}}]}', "a"),
    ],
)
def test_a_name_twice_in_an_object_is_refused_at_every_level(make, old, new, name):
    error = refusal_of(text(make()).replace(old, new))
    assert error.code is PolicyErrorCode.DUPLICATE_FIELD
    assert error.detail == f"has {name!r} twice in one object"


def test_escapes_do_not_hide_a_name_given_twice():
    error = refusal_of(text(current_document()).replace(b'{"id": 1', b'{"\\u0069d": 0, "id": 1'))
    assert (error.code, error.detail) == ("duplicate-field", "has 'id' twice in one object")


def test_a_policy_of_the_greatest_size_is_read_and_a_larger_one_is_not():
    raw = text(current_document())
    raw += b" " * (MAX_POLICY_BYTES - len(raw))
    assert Policy.parse(raw, at=NOW).raw == raw
    assert refusal_of(raw + b" ").code is PolicyErrorCode.TOO_LARGE


def test_depth_has_a_limit_that_no_policy_comes_near():
    assert refusal_of(b'{"a":' * 16 + b"1" + b"}" * 16).code is PolicyErrorCode.MISSING_FIELD
    assert refusal_of(b'{"a":' * 17 + b"1" + b"}" * 17).code is PolicyErrorCode.MALFORMED_JSON


def test_long_names_from_outside_are_cut():
    error = refusal_of(text(current_document() | {"x\x1b[31m" * 10_000: 1}))
    assert error.code is PolicyErrorCode.UNKNOWN_FIELD


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(raw):
    refusal_of(raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(
    make=st.sampled_from([current_document, document_2021]),
    choose=st.data(),
    value=_JSON,
)
@settings(max_examples=300, deadline=None)
def test_any_value_in_any_place_gives_a_policy_or_a_policy_error(make, choose, value):
    document = make()
    place: dict | list = document
    while True:
        step = choose.draw(
            st.sampled_from(range(len(place)) if isinstance(place, list) else sorted(place))
        )
        deeper = place[step]
        if not (isinstance(deeper, dict | list) and deeper and choose.draw(st.booleans())):
            break
        place = deeper
    place[step] = value
    with suppress(PolicyError):
        assert Policy.parse(json.dumps(document).encode(), at=NOW).result_readers


@given(
    make=st.sampled_from([current_document, document_2021]),
    position=st.floats(0, 1, exclude_max=True),
    junk=st.binary(max_size=3),
    cut=st.integers(0, 3),
)
@settings(max_examples=300, deadline=None)
def test_any_damage_gives_a_policy_or_a_policy_error(make, position, junk, cut):
    raw = text(make())
    at = int(position * len(raw))
    damaged = raw[:at] + junk + raw[at + cut :]
    with suppress(PolicyError):
        assert Policy.parse(damaged, at=NOW).raw == damaged


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": 1, "b": 2, "c": 3}, "Object contains unknown field `c`"),
        ({"a": 1}, "Object missing required field `b`"),
        ({"a": "1", "b": 2}, "Expected `int`, got `str` - at `$.a`"),
        ({"a": 1, "b": -1}, "Expected `int` >= 0 - at `$.b`"),
        ([], "Expected `object`, got `array`"),
    ],
)
def test_the_schema_library_says_it_in_the_words_that_are_looked_for(value, words):
    """It has no codes: where the locked version says it otherwise, `policy._document` follows."""

    class Form(msgspec.Struct, forbid_unknown_fields=True):
        a: int
        b: Annotated[int, msgspec.Meta(ge=0)]

    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, Form)
    assert str(caught.value) == words
