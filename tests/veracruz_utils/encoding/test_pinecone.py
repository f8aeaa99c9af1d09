import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.typed_values import TYPES, typed_values
from veracruz_utils.encoding import pinecone
from veracruz_utils.encoding.pinecone import PineconeError, decode, encode, parse_type

PERSON = "{name: String, employee_id: String, age: u8, grade: u8}"

# The values that the original's encoding was checked with.
CHECK_VALUES = [
    ("u8", 5, "05"),
    ("u16", 0xA5C7, "c7a5"),
    ("u64", 0x1234567890ABCDEF, "efcdab9078563412"),
    ("Vec<u8>", [1, 2, 3, 4], "0401020304"),
    ("String", "helLO!", "0668656c4c4f21"),
    ("Vec<&str>", ["", "a", "bc"], "03000161026263"),
    (
        "Vec<(f64, f64)>",
        [(1.0, 2.0), (3.0, 6.0)],
        "02000000000000f03f000000000000004000000000000008400000000000001840",
    ),
    (
        f"HashSet<{PERSON}>",
        [{"name": "clare", "employee_id": "3", "age": 39, "grade": 54}],
        "0105636c6172650133" + "2736",
    ),
    ("(usize, u64)", (2, 300), "02000000000000002c01000000000000"),
    ("bool", True, "01"),
    ("i16", -2, "feff"),
    ("isize", -1, "ff" * 8),
    ("f32", 0.5, "0000003f"),
    ("char", "é", "e9000000"),
    ("Option<u8>", None, "00"),
    ("Option<u8>", 7, "0107"),
    ("()", (), ""),
    ("[u16; 2]", [1, 2], "01000200"),
    ("HashMap<String, u8>", {"a": 1, "b": 2}, "02016101016202"),
    ("HashMap<u8, bool>", [(3, True)], "010301"),
    ("enum {A, B(u8), C(u8, u8), D{x: u8}}", "A", "00"),
    ("enum {A, B(u8), C(u8, u8), D{x: u8}}", {"B": 9}, "0109"),
    ("enum {A, B(u8), C(u8, u8), D{x: u8}}", {"C": (1, 2)}, "020102"),
    ("enum {A, B(u8), C(u8, u8), D{x: u8}}", {"D": {"x": 4}}, "0304"),
]


@pytest.mark.parametrize(("expression", "value", "encoded"), CHECK_VALUES)
def test_a_check_value_encodes_and_decodes(expression, value, encoded):
    kind = parse_type(expression)
    assert encode(kind, value).hex() == encoded
    assert decode(kind, bytes.fromhex(encoded)) == value


@pytest.mark.parametrize(("length", "encoded"), [(127, "7f"), (128, "8001"), (65535, "ffff03")])
def test_a_length_is_a_varint(length, encoded):
    assert encode(parse_type("String"), "x" * length)[:-length].hex() == encoded


@given(typed_values())
def test_every_value_comes_back(typed):
    kind, value = typed
    assert decode(kind, encode(kind, value)) == value


@given(typed_values())
def test_every_value_comes_back_through_json(typed):
    kind, value = typed
    encoded = encode(kind, value)
    assert (
        pinecone.encode_from_json(kind, pinecone.decode_to_json(kind, encoded).encode()) == encoded
    )


@given(TYPES)
def test_a_type_prints_as_an_expression_of_itself(kind):
    assert parse_type(str(kind)) == kind


@given(TYPES, st.binary(max_size=64))
def test_arbitrary_bytes_are_refused_or_the_one_encoding_of_a_value(kind, data):
    try:
        value = decode(kind, data)
    except PineconeError:
        return
    assert encode(kind, value) == data or _has_nan(value)


def _has_nan(value):
    if isinstance(value, dict):
        return any(map(_has_nan, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_has_nan, value))
    return isinstance(value, float) and math.isnan(value)


@given(typed_values(), st.data())
def test_an_encoding_that_is_cut_off_is_refused(typed, data):
    kind, value = typed
    encoded = encode(kind, value)
    if encoded:
        kept = data.draw(st.integers(0, len(encoded) - 1))
        with pytest.raises(PineconeError):
            decode(kind, encoded[:kept])


@given(typed_values())
def test_bytes_that_are_left_over_are_refused(typed):
    kind, value = typed
    with pytest.raises(PineconeError, match="1 bytes are left over"):
        decode(kind, encode(kind, value) + b"\0")


@pytest.mark.parametrize("expression", ["Vec<u8>", "String", "HashSet<(u8, u8)>", "Vec<Vec<f64>>"])
def test_a_hostile_length_is_refused_before_anything_is_made(expression):
    for length in ("ffffffff0f", "ffffffffffffffffff01"):
        with pytest.raises(PineconeError, match="are announced"):
            decode(parse_type(expression), bytes.fromhex(length + "00"))


def test_a_large_array_is_refused_before_anything_is_made():
    with pytest.raises(PineconeError, match="8388608 bytes are needed, 8 are left"):
        decode(parse_type("[f64; 1048576]"), bytes(8))


@pytest.mark.parametrize(
    ("varint", "message"),
    [
        ("8000", "shortest form"),
        ("ff" * 9 + "02", "longer than 64 bits"),
        ("80" * 10 + "01", "longer than 64 bits"),
    ],
)
def test_a_varint_has_one_form_and_64_bits(varint, message):
    with pytest.raises(PineconeError, match=message):
        decode(parse_type("Vec<u8>"), bytes.fromhex(varint))


@pytest.mark.parametrize(
    ("expression", "encoded", "message"),
    [
        ("bool", "02", "a bool is 0 or 1, not 2"),
        ("Option<u8>", "0200", "an option begins with 0 or 1, not 2"),
        ("char", "00d80000", "0xd800 is not a character"),
        ("char", "00001100", "0x110000 is not a character"),
        ("String", "02c328", "not UTF-8 at its byte 0"),
        ("HashSet<u8>", "020505", r"\[1\]: repeats element 0"),
        ("HashMap<u8, u8>", "0205010502", r"\[1\]: repeats element 0"),
        ("enum {A, B}", "02", "variant 2 is not one of the 2"),
        ("Vec<{a: (u8, bool)}>", "01" + "0005", r"\[0\].a\[1\]: a bool is 0 or 1"),
        ("{a: enum {B(bool)}}", "0003", "a.B: a bool is 0 or 1"),
    ],
)
def test_bytes_that_do_not_fit_are_refused_with_their_place(expression, encoded, message):
    with pytest.raises(PineconeError, match=message):
        decode(parse_type(expression), bytes.fromhex(encoded))


@pytest.mark.parametrize(
    ("expression", "value", "message"),
    [
        ("u8", 256, r"expected 0 to 255 \(u8\), got 256"),
        ("i8", -129, r"expected -128 to 127 \(i8\), got -129"),
        ("u8", True, "expected a whole number, got True"),
        ("u8", 1.0, "expected a whole number, got 1.0"),
        ("u64", 2**5000, "got a int"),
        ("bool", 1, "expected true or false"),
        ("f64", "1.5", "expected a number, got '1.5'"),
        ("f64", 10**400, "outside the range of f64"),
        ("f32", 1e300, "outside the range of f32"),
        ("char", "ab", "expected one character"),
        ("char", "\ud800", "expected one character"),
        ("String", 5, "expected text, got 5"),
        ("String", "\ud800", "half a surrogate"),
        ("Vec<u8>", "abc", "expected a list"),
        ("HashSet<u8>", [1, 2, 1], r"\[2\]: repeats element 0"),
        ("HashMap<u8, u8>", [(1, 2, 3)], r"a list of pairs, \[key, value\]"),
        ("HashMap<String, u8>", [], "expected an object"),
        ("(u8, u8)", [1], "expected 2 elements, got 1"),
        ("[u8; 3]", [1], "expected 3 elements, got 1"),
        ("[u8; 2]", [1, None], r"\[1\]: expected a whole number, got a NoneType"),
        ("{a: u8}", {}, "field 'a' is missing"),
        ("{a: u8}", {"a": 1, "b": 2}, "unknown field 'b'; the fields are a"),
        ("{a: u8}", [1], "expected an object"),
        ("Vec<{a: u8}>", [{"a": 1}, {"a": -1}], r"\[1\].a: expected 0 to 255"),
        ("enum {A, B(u8)}", "B", "'B' is not a variant"),
        ("enum {A, B(u8)}", {"A": None}, "'A' is not a variant"),
        ("enum {A, B(u8)}", {"B": 1, "A": 1}, "not a variant"),
        ("enum {A, B(u8)}", {"B": 300}, "B: expected 0 to 255"),
        ("enum {A, B(u8)}", 3, "3 is not a variant"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(expression, value, message):
    with pytest.raises(PineconeError, match=message):
        encode(parse_type(expression), value)


def test_a_number_that_is_not_finite_is_written_as_its_name():
    kind = parse_type("Vec<f64>")
    encoded = b"\3" + struct.pack("<3d", math.nan, math.inf, -math.inf)
    assert json.loads(pinecone.decode_to_json(kind, encoded)) == ["NaN", "Infinity", "-Infinity"]
    assert pinecone.encode_from_json(kind, b'["NaN", "Infinity", "-Infinity"]') == encoded


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not JSON"),
        (b"[1", "is not JSON"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"1e999", "1e999 is beyond f64"),
        (b"NaN", "NaN is not a JSON number"),
        (b'{"a": 1, "a": 2}', "has 'a' twice"),
        (b"[" * 100_000, "is nested deeper than 200"),
        (b"1" * 10_000, "an integer has 10000 digits"),
    ],
)
def test_text_that_is_not_strict_json_is_refused(text, message):
    with pytest.raises(PineconeError, match=message):
        pinecone.encode_from_json(parse_type("f64"), text)


@given(st.binary(max_size=40))
def test_arbitrary_json_bytes_give_an_encoding_or_our_error(text):
    kind = parse_type("Vec<Option<f64>>")
    try:
        encoded = pinecone.encode_from_json(kind, text)
    except PineconeError:
        return
    assert isinstance(decode(kind, encoded), list)
