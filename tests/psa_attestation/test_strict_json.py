import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.jose.strict_json import MAX_JSON_BYTES, decode_json, encode_json
from support.psa_tokens import refused


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (b' {"a": [1, 1.0, true, null, "\\u00e9"]} ', {"a": [1, 1.0, True, None, "é"]}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b"[" * 16 + b"]" * 16, json.loads("[" * 16 + "]" * 16)),
        (b'"' + b"[" * 100 + b'"', "[" * 100),
        (b'["\\"[[[[[[[[[[[[[[[[[[", "\\\\"]', ['"[[[[[[[[[[[[[[[[[[', "\\"]),
    ],
)
def test_json_is_read(data, value):
    assert decode_json(data) == value


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ErrorCode.MALFORMED),
        (b"{", ErrorCode.MALFORMED),
        (b"{} {}", ErrorCode.MALFORMED),
        (b"{'a': 1}", ErrorCode.MALFORMED),
        (b"[1,]", ErrorCode.MALFORMED),
        (b"NaN", ErrorCode.MALFORMED),
        (b"[-Infinity]", ErrorCode.MALFORMED),
        (b"1e999", ErrorCode.MALFORMED),
        (b"9" * 5000, ErrorCode.MALFORMED),
        (b'{"a": 1, "a": 1}', ErrorCode.DUPLICATE_KEY),
        (b'{"a": 1, "\\u0061": 2}', ErrorCode.DUPLICATE_KEY),
        (b'[{"x": {"a": 1, "b": 2, "a": 3}}]', ErrorCode.DUPLICATE_KEY),
        (b'"\\ud800"', ErrorCode.UTF8),
        (b'{"\\udc00": 1}', ErrorCode.UTF8),
        (b'"\xff"', ErrorCode.UTF8),
        (b"\xef\xbb\xbf{}", ErrorCode.MALFORMED),
        (b"[" * 17 + b"]" * 17, ErrorCode.NESTING_LIMIT),
        (b'{"a":' * 17 + b"1" + b"}" * 17, ErrorCode.NESTING_LIMIT),
        (b"[" * MAX_JSON_BYTES, ErrorCode.NESTING_LIMIT),
        (b'"' * MAX_JSON_BYTES, ErrorCode.MALFORMED),
        (b'\\"' * (MAX_JSON_BYTES // 2), ErrorCode.MALFORMED),
        (b" " * (MAX_JSON_BYTES + 1), ErrorCode.SIZE_LIMIT),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(data, code):
    with refused(code, Stage.ENCODING):
        decode_json(data)


@given(st.binary(max_size=80) | st.text('{}[]",:\\u0deE.-1 ', max_size=40).map(str.encode))
def test_arbitrary_bytes_give_a_value_or_our_error(data):
    try:
        value = decode_json(data)
    except AttestationError:
        return
    assert value == json.loads(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=12,
    )
)
def test_what_is_written_is_read_back(value):
    assert decode_json(encode_json(value)) == value
