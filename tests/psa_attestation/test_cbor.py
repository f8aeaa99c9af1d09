import contextlib
import math
import struct
from collections import OrderedDict
from enum import IntEnum, StrEnum
from types import MappingProxyType

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from psa_attestation.cbor.decoding import ANY_TAG, DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import Tag, WritingError
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from support.psa_tokens import refused

WITH_TAGS = DecodeLimits(tags=ANY_TAG)
INDEFINITE = DecodeLimits(allow_indefinite=True)

# From RFC 8949, appendix A: diagnostic value and its one deterministic form.
EXAMPLES = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    (2**64 - 1, "1bffffffffffffffff"),
    (-1, "20"),
    (-100, "3863"),
    (-(2**64), "3bffffffffffffffff"),
    (0.0, "f90000"),
    (-0.0, "f98000"),
    (1.1, "fb3ff199999999999a"),
    (1.5, "f93e00"),
    (65504.0, "f97bff"),
    (100000.0, "fa47c35000"),
    (3.4028234663852886e38, "fa7f7fffff"),
    (1.0e300, "fb7e37e43c8800759c"),
    (5.960464477539063e-8, "f90001"),
    (-4.1, "fbc010666666666666"),
    (math.inf, "f97c00"),
    (-math.inf, "f9fc00"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("", "60"),
    ("IETF", "6449455446"),
    ("ü", "62c3bc"),
    ("𐅑", "64f0908591"),
    ([], "80"),
    ([1, [2, 3], [4, 5]], "8301820203820405"),
    (list(range(1, 26)), "98190102030405060708090a0b0c0d0e0f101112131415161718181819"),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
    (["a", {"b": "c"}], "826161a161626163"),
]


@pytest.mark.parametrize(("value", "form"), EXAMPLES)
def test_the_examples_of_the_standard_are_read_and_written(value, form):
    decoded = decode(bytes.fromhex(form))
    assert decoded == value
    assert type(decoded) is type(value)
    assert encode(value) == bytes.fromhex(form)


def test_not_a_number_has_one_form():
    assert encode(math.nan) == bytes.fromhex("f97e00")
    decoded = decode(bytes.fromhex("fb7ff8000000000001"))
    assert isinstance(decoded, float)
    assert math.isnan(decoded)


def test_a_tag_is_read_without_being_interpreted():
    assert decode(bytes.fromhex("c11a514b67b0"), WITH_TAGS) == Tag(1, 1363896240)
    assert encode(Tag(1, 1363896240)) == bytes.fromhex("c11a514b67b0")


def test_map_keys_are_written_in_bytewise_order():
    unordered = {"aa": 1, b"z": 2, -1: 3, 100: 4, 10: 5, "b": 6}
    assert list(decode(encode(unordered))) == [10, 100, -1, b"z", "b", "aa"]


def test_integers_wider_than_needed_are_read():
    for form in ("01", "1801", "190001", "1a00000001", "1b0000000000000001"):
        assert decode(bytes.fromhex(form)) == 1
    assert decode(bytes.fromhex("5b0000000000000001ff")) == b"\xff"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ("", ErrorCode.MALFORMED),
        ("18", ErrorCode.MALFORMED),
        ("1c", ErrorCode.MALFORMED),
        ("1c" + "00" * 16, ErrorCode.MALFORMED),
        ("5e" + "00" * 64, ErrorCode.MALFORMED),
        ("1f", ErrorCode.MALFORMED),
        ("3e", ErrorCode.MALFORMED),
        ("df00", ErrorCode.MALFORMED),
        ("ff", ErrorCode.MALFORMED),
        ("42ff", ErrorCode.MALFORMED),
        ("820102ff", ErrorCode.TRAILING_BYTES),
        ("0000", ErrorCode.TRAILING_BYTES),
        ("8201", ErrorCode.MALFORMED),
        ("a101", ErrorCode.MALFORMED),
        ("a1", ErrorCode.MALFORMED),
        ("f97e", ErrorCode.MALFORMED),
        ("f7", ErrorCode.SIMPLE_VALUE),
        ("e0", ErrorCode.SIMPLE_VALUE),
        ("f820", ErrorCode.SIMPLE_VALUE),
        ("fc", ErrorCode.MALFORMED),
        ("61ff", ErrorCode.UTF8),
        ("63eda080", ErrorCode.UTF8),
        ("62c080", ErrorCode.UTF8),
        ("c100", ErrorCode.UNEXPECTED_TAG),
        ("5f4101ff", ErrorCode.INDEFINITE_LENGTH),
        ("7f6161ff", ErrorCode.INDEFINITE_LENGTH),
        ("9f01ff", ErrorCode.INDEFINITE_LENGTH),
        ("bf0102ff", ErrorCode.INDEFINITE_LENGTH),
        ("a201020103", ErrorCode.DUPLICATE_KEY),
        ("a20102180103", ErrorCode.DUPLICATE_KEY),
        ("a2616100616101", ErrorCode.DUPLICATE_KEY),
        ("a201a24100014100020300", ErrorCode.DUPLICATE_KEY),
        ("a1f500", ErrorCode.MAP_KEY),
        ("a1f600", ErrorCode.MAP_KEY),
        ("a1f93c0000", ErrorCode.MAP_KEY),
        ("a18000", ErrorCode.MAP_KEY),
        ("a1a000", ErrorCode.MAP_KEY),
    ],
)
def test_bytes_that_are_not_one_plain_item_are_refused(form, code):
    with refused(code, Stage.ENCODING):
        decode(bytes.fromhex(form))


def test_keys_that_python_takes_for_equal_are_not_merged():
    with refused(ErrorCode.MAP_KEY):
        decode(bytes.fromhex("a20161" + "61" + "f56162"))
    assert decode(bytes.fromhex("a301006131004131" + "00")) == {1: 0, "1": 0, b"1": 0}


class TestLimits:
    def test_a_string_longer_than_the_limit_is_refused_before_it_is_read(self):
        for form in ("5bffffffffffffffff", "7b7fffffffffffffff"):
            with refused(ErrorCode.LENGTH_LIMIT):
                decode(bytes.fromhex(form))

    def test_a_container_with_more_entries_than_the_limit_is_refused_before_they_are_read(self):
        for form in ("9bffffffffffffffff", "bb7fffffffffffffff", "9a00001001"):
            with refused(ErrorCode.LENGTH_LIMIT):
                decode(bytes.fromhex(form))

    def test_a_container_with_more_entries_than_bytes_is_refused(self):
        with refused(ErrorCode.MALFORMED):
            decode(bytes.fromhex("990fff") + b"\x00" * 100)

    def test_items_are_counted_over_all_containers(self):
        limits = DecodeLimits(max_items=6)
        assert decode(bytes.fromhex("8283000000" + "00"), limits) == [[0, 0, 0], 0]
        with refused(ErrorCode.LENGTH_LIMIT):
            decode(bytes.fromhex("8283000000" + "8200" + "00"), limits)

    def test_an_input_longer_than_the_limit_is_refused(self):
        assert decode(b"\x43abc", DecodeLimits(max_bytes=4)) == b"abc"
        with refused(ErrorCode.SIZE_LIMIT):
            decode(b"\x44abcd", DecodeLimits(max_bytes=4))

    @pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x00", b"\xc1"])
    def test_nesting_stops_at_the_limit(self, opening):
        limits = DecodeLimits(max_depth=5, tags=ANY_TAG)
        decode(opening * 5 + b"\x00", limits)
        with refused(ErrorCode.NESTING_LIMIT):
            decode(opening * 6 + b"\x00", limits)

    @pytest.mark.parametrize("opening", [b"\x81", b"\x9f", b"\xa1\x00", b"\xbf\x00", b"\xc1"])
    def test_deep_nesting_costs_no_stack(self, opening):
        limits = DecodeLimits(allow_indefinite=True, tags=ANY_TAG)
        with refused(ErrorCode.NESTING_LIMIT):
            decode(opening * 30_000, limits)

    def test_only_the_tags_asked_for_are_let_through(self):
        limits = DecodeLimits(tags=frozenset({18}))
        assert decode(b"\xd2\x00", limits) == Tag(18, 0)
        with refused(ErrorCode.UNEXPECTED_TAG):
            decode(b"\xd1\x00", limits)


class TestIndefiniteLengths:
    @pytest.mark.parametrize(
        ("form", "value"),
        [
            ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
            ("5fff", b""),
            ("7f657374726561646d696e67ff", "streaming"),
            ("9fff", []),
            ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
            ("bf6346756ef563416d7421ff", {"Fun": True, "Amt": -2}),
        ],
    )
    def test_they_are_read_where_they_are_switched_on(self, form, value):
        assert decode(bytes.fromhex(form), INDEFINITE) == value

    @pytest.mark.parametrize(
        ("form", "code"),
        [
            ("9f01", ErrorCode.MALFORMED),
            ("5f01ff", ErrorCode.MALFORMED),
            ("5f6161ff", ErrorCode.MALFORMED),
            ("5f5f4101ffff", ErrorCode.MALFORMED),
            ("5f", ErrorCode.MALFORMED),
            ("bf01ff", ErrorCode.MALFORMED),
            ("bf01020103ff", ErrorCode.DUPLICATE_KEY),
            ("bff500ff", ErrorCode.MAP_KEY),
            ("7f61c361bcff", ErrorCode.UTF8),
            ("1fff", ErrorCode.MALFORMED),
        ],
    )
    def test_everything_else_stays_as_strict(self, form, code):
        with refused(code):
            decode(bytes.fromhex(form), INDEFINITE)

    @pytest.mark.parametrize("opening", [b"\x9f", b"\xbf"])
    def test_their_entries_are_counted(self, opening):
        with refused(ErrorCode.LENGTH_LIMIT):
            entries = b"".join(bytes((0x18, n, 0)) for n in range(24, 60))
            decode(opening + entries + b"\xff", DecodeLimits(allow_indefinite=True, max_items=20))


class Seven(IntEnum):
    SEVEN = 7


class Word(StrEnum):
    WORD = "word"


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (Seven.SEVEN, 7),
        (Word.WORD, "word"),
        (MappingProxyType({1: 2}), {1: 2}),
        (OrderedDict({2: 1, 1: 2}), {1: 2, 2: 1}),
    ],
)
def test_a_value_of_a_derived_type_has_the_form_of_its_base(value, base):
    assert encode([value]) == encode([base])


class TestWhatHasNoForm:
    @pytest.mark.parametrize("value", [2**64, -(2**64) - 1])
    def test_an_integer_beyond_64_bits(self, value):
        with pytest.raises(WritingError):
            encode(value)

    def test_a_lone_surrogate(self):
        with pytest.raises(WritingError):
            encode("\ud800")

    def test_another_type(self):
        with pytest.raises(WritingError):
            encode([{1: object()}])


keys = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=20) | st.binary(max_size=20)
scalars = keys | st.booleans() | st.none() | st.floats(allow_nan=False)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(keys, inner, max_size=6)
        | st.builds(Tag, st.integers(0, 2**64 - 1), inner)
    ),
    max_leaves=25,
)
untagged = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=25,
)


def same(left, right):
    """Equal, and of equal types all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return struct.pack(">d", left) == struct.pack(">d", right)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        pairs = zip(sorted(left.items(), key=repr), sorted(right.items(), key=repr), strict=False)
        return len(left) == len(right) and all(same(list(a), list(b)) for a, b in pairs)
    return left == right


@given(values)
def test_what_is_written_is_read_back(value):
    assert decode(encode(value), WITH_TAGS) == value


@given(untagged)
def test_another_encoders_output_means_the_same_to_us(value):
    assert same(decode(cbor2.dumps(value)), value)


@given(untagged)
def test_our_output_means_the_same_to_another_decoder(value):
    assert same(cbor2.loads(encode(value)), value)


@given(untagged)
def test_the_written_form_does_not_depend_on_the_order_of_a_map(value):
    def reversed_maps(item):
        if isinstance(item, dict):
            return {key: reversed_maps(item[key]) for key in reversed(item)}
        return [reversed_maps(member) for member in item] if isinstance(item, list) else item

    assert encode(reversed_maps(value)) == encode(value)


@given(st.binary(max_size=64))
@example(bytes.fromhex("a2f50001"))
@example(bytes.fromhex("9f"))
def test_arbitrary_bytes_give_a_value_or_our_error(data):
    for limits in (DecodeLimits(), DecodeLimits(allow_indefinite=True, tags=ANY_TAG)):
        with contextlib.suppress(AttestationError):
            decode(data, limits)


STRICT = {"allow_duplicate_keys": False, "allow_indefinite": False}


@pytest.mark.parametrize(
    "data",
    [
        "c11a514b67b0",  # a date, built from its tag
        "d81c81d81d00",  # a list that holds itself
        "d901008263616263d81900",  # text that stands elsewhere
        "c4821a05f5e10001",  # ten to the hundred-millionth
        "a1f93c0001",  # a float as a key
        "a1810101",  # a list as a key
        "a1f501",  # true as a key
        "f7",  # undefined
        "f863",  # a simple value that nobody assigned
        "0102",  # two items
        "9900ff" + "f6" * 255,  # as many items as there are bytes: see the limits below
    ],
)
def test_what_another_strict_decoder_reads_and_we_refuse(data):
    """Why the reader is our own (ADR 14): when one of these is refused there, decide anew."""
    cbor2.loads(bytes.fromhex(data), **STRICT)
    with pytest.raises(AttestationError):
        decode(bytes.fromhex(data), DecodeLimits(max_items=100))


@given(st.binary(max_size=24) | untagged.map(cbor2.dumps))
@example(bytes.fromhex("a10000"))
def test_whatever_we_read_another_decoder_reads_as_the_same_value(data):
    try:
        value = decode(data)
    except AttestationError:
        return
    other = cbor2.loads(data, **STRICT)
    if isinstance(value, float) and math.isnan(value):
        assert math.isnan(other)
    elif "nan" not in repr(value):
        assert same(value, other)


@given(untagged, st.data())
def test_no_prefix_of_an_item_is_an_item(value, data):
    form = encode(value)
    cut = data.draw(st.integers(0, len(form) - 1))
    with pytest.raises(AttestationError):
        decode(form[:cut])
