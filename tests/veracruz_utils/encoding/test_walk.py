import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.typed_values import TYPES, typed_values
from veracruz_utils.encoding import passing, walk
from veracruz_utils.encoding.errors import PineconeError
from veracruz_utils.encoding.pinecone import decode, encode, parse_type
from veracruz_utils.encoding.walk import Walk, check
from veracruz_utils.encoding.wire import WireReader


@given(typed_values())
def test_what_encodes_a_value_is_of_its_type(typed):
    kind, value = typed
    check(kind, encode(kind, value))


def _accepts(of, kind, data):
    try:
        of(kind, data)
    except PineconeError:
        return False
    return True


@given(TYPES, st.binary(max_size=64))
@example(parse_type("Vec<(bool, String)>"), b"\x02\x01\x01a\x02\x01b")
@example(parse_type("HashSet<[u32; 6]>"), b"\x02" + b"\x01" * 48)
@example(parse_type("HashMap<u8, enum {A, B(char)}>"), b"\x01\x07\x01\x00\xd8\x00\x00")
def test_a_walk_accepts_what_the_decoder_accepts(kind, data):
    assert _accepts(check, kind, data) == _accepts(decode, kind, data)


@given(typed_values(), st.data())
def test_a_walk_accepts_what_the_decoder_accepts_of_a_value_with_one_byte_changed(typed, data):
    kind, value = typed
    changed = bytearray(encode(kind, value))
    if changed:
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert _accepts(check, kind, bytes(changed)) == _accepts(decode, kind, bytes(changed))


@given(typed_values(), st.integers(1, 5))
def test_a_walk_tells_of_every_integer_once_and_in_order(typed, most):
    kind, value = typed
    found = []
    data = encode(kind, value)
    way = Walk(kind, data, on_integer=lambda at, integer: found.append((at, integer)))
    while not way.step(most):
        pass
    assert _integers_of(kind, value, data, found)


def _integers_of(kind, value, data, found):
    """Whether `found` are integers, apart from one another, and as many as the value has."""
    ends = [at + integer.layout.size for at, integer in found]
    apart = all(end <= at for end, (at, _) in zip(ends, found[1:], strict=False))
    text = str(kind)
    alone = text in {"u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize"}
    if alone:
        ((at, integer),) = found
        return at == 0 and integer.layout.unpack(data)[0] == value
    return apart and all(end <= len(data) for end in ends)


@pytest.mark.parametrize("expression", ["HashSet<bool>", "BTreeMap<bool, ()>"])
def test_repeats_are_looked_for_only_where_that_is_asked_for(expression):
    kind, twice = parse_type(expression), b"\x02\x01\x01"
    assert Walk(kind, twice).step(100)
    with pytest.raises(PineconeError, match="repeats element 0"):
        Walk(kind, twice, distinct=True).step(100)


def test_integers_are_found_where_they_are():
    kind = parse_type("{name: String, counts: Vec<(u16, bool)>, least: i8}")
    data = encode(kind, {"name": "ab", "counts": [(1, True), (2, False)], "least": -3})
    found = []
    Walk(kind, data, on_integer=lambda at, integer: found.append((at, str(integer)))).step(1000)
    assert found == [(4, "u16"), (7, "u16"), (10, "i8")]


@pytest.mark.parametrize(
    ("expression", "data", "message", "offset"),
    [
        ("Vec<{a: u8, b: bool}>", b"\x02\x01\x01\x01\x07", r"^\[1\].b: a bool is 0 or 1", 4),
        ("Vec<u64>", b"\x02" + bytes(8), "2 elements of at least 8 bytes are announced", 0),
        ("Vec<u64>", b"\x01" + bytes(9), "^1 bytes are left over", 9),
        ("HashSet<u8>", b"\x02\x05\x05", r"^\[1\]: repeats element 0", 2),
        ("HashMap<u8, bool>", b"\x02\x05\x00\x05\x01", r"^\[1\]: repeats element 0", 3),
        ("HashMap<u32, u8>", b"\x02" + bytes(6), "2 elements of at least 5 bytes are announ", 0),
        ("(u8, HashSet<u8>)", b"\x09\x02\x05\x05", r"^\[1\]\[1\]: repeats element 0", 3),
        ("HashSet<[u8; 16]>", b"\x02" + b"e" * 32, r"^\[1\]: repeats element 0", 17),
        ("HashSet<[u8; 17]>", b"\x02" + b"e" * 34, r"^\[1\]: repeats element 0", 18),
        ("String", b"\x05ab", "5 elements of at least 1 bytes are announced, 2 bytes are left", 0),
        ("enum {A, B}", b"\x02", "variant 2 is not one of the 2", 0),
        ("String", b"\x03a\xffb", "text is not UTF-8 at its byte 1", 1),
    ],
)
def test_bytes_that_are_not_of_the_type_are_refused_with_their_place(
    expression, data, message, offset
):
    with pytest.raises(PineconeError, match=message) as caught:
        check(parse_type(expression), data)
    assert caught.value.offset == offset


def test_text_in_pieces_may_cut_characters(monkeypatch):
    monkeypatch.setattr(walk, "_PIECE_BYTES", 3)
    monkeypatch.setattr(passing, "_MOST_TEXT_BYTES", 0)
    text = "aé" * 10
    check(parse_type("String"), encode(parse_type("String"), text))
    broken = text.encode()[:-1]  # ends within a character
    with pytest.raises(PineconeError, match="not UTF-8 at its byte 28"):
        check(parse_type("String"), bytes([len(broken)]) + broken)
    monkeypatch.setattr(walk, "_PIECE_BYTES", 2)
    with pytest.raises(PineconeError, match="not UTF-8 at its byte 1"):
        check(parse_type("String"), b"\x03a\xc3a")  # what is wrong ends the piece before


@pytest.mark.parametrize("expression", ["Vec<bool>", "Vec<Vec<bool>>", "HashMap<u32, bool>"])
def test_a_step_goes_no_further_than_it_may(expression):
    kind, count = parse_type(expression), 10_000
    content = [] if expression == "Vec<Vec<bool>>" else True
    value = [(key, content) for key in range(count)] if "Map" in expression else [content] * count
    way = Walk(kind, encode(kind, value))
    steps = 1
    while not way.step(10):
        steps += 1
    assert steps >= count / 2560


@pytest.mark.parametrize(
    ("expression", "at_once"),
    [
        ("{name: String, grade: Option<enum {A, B(u8), C{x: char}}>, sure: bool}", True),
        ("[bool; 256]", True),
        ("[bool; 257]", False),
        ("[[u64; 4096]; 4096]", True),
        ("[[bool; 16]; 16]", True),
        ("[[bool; 256]; 256]", False),
        ("[(bool, bool); 128]", False),
        ("[String; 33]", False),
        ("(u8, Vec<u8>)", False),
        ("enum {A, B(Vec<u8>)}", False),
        ("Option<HashMap<u8, u8>>", False),
        ("HashSet<u8>", False),
    ],
)
def test_what_cannot_take_long_is_passed_at_once(expression, at_once):
    assert (passing.pass_of(parse_type(expression)) is not None) == at_once


@pytest.mark.parametrize("data", [b"\x00", b"\x01\x07", b"\x02A\0\0\0", b"\x03", b"\x01", b"\x02A"])
def test_what_is_passed_at_once_is_what_a_walk_accepts(data):
    kind = parse_type("enum {A, B(u8), C{x: char}}")
    go_past = passing.pass_of(kind)

    def passed(kind, data):
        reader = WireReader(data)
        go_past(reader)
        assert reader.remaining == 0

    assert _accepts(passed, kind, data) == _accepts(decode, kind, data)


def test_a_value_that_is_too_long_to_pass_at_once_is_walked_along(monkeypatch):
    monkeypatch.setattr(passing, "_MOST_TEXT_BYTES", 2)
    kind = parse_type("Vec<(String, bool)>")
    check(kind, encode(kind, [("a", True), ("abc", False)]))
    with pytest.raises(PineconeError, match=r"^\[1\]\[1\]: a bool is") as caught:
        check(kind, b"\x02\x01a\x01\x03abc\x02")
    assert caught.value.offset == 8


@pytest.mark.parametrize("expression", ["Vec<[[bool; 256]; 256]>", "[[[bool; 16]; 16]; 512]"])
def test_a_part_of_nested_arrays_is_no_longer_than_another(expression):
    kind = parse_type(expression)
    data = (b"\2" if expression.startswith("Vec") else b"") + bytes(131072)
    way, before = Walk(kind, data), 0
    while not way.step(1):
        assert way.position - before <= 257
        before = way.position
    assert before == len(data)


def test_numbers_of_a_fixed_size_are_passed_at_once():
    way = Walk(parse_type("Vec<(f64, [i16; 4])>"), b"\xc0\x84\x3d" + bytes(1_000_000 * 16))
    assert way.step(10)
