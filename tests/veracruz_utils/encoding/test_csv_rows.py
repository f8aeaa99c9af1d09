"""CSV as its owners have it: what is said of a file, what is wrong in it, and how much it takes."""

import csv
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veracruz_utils.encoding.csv_codec import write_rows, writer_of
from veracruz_utils.encoding.errors import TableError
from veracruz_utils.encoding.files import encode_file
from veracruz_utils.encoding.pinecone import decode, encode, parse_type
from veracruz_utils.encoding.rows.faults import MOST_FAULTS, FaultyRowsError
from veracruz_utils.encoding.rows.reading import Reading

PEOPLE = parse_type("Vec<{name: String, age: u8}>")
PAIRS = parse_type("Vec<(f64, Option<f32>)>")
SET = parse_type("HashSet<(String, u8)>")
ALL = parse_type("Vec<(u8, i64, f32, f64, bool, char, String, Option<u32>, Option<String>)>")


def encoded(kind, text, **reading):
    out = io.BytesIO()
    encode_file(kind, io.BytesIO(text), out, "csv", reading=Reading(**reading))
    return out.read()


def rows(kind, text, **reading):
    return decode(kind, encoded(kind, text, **reading))


def faults(kind, text, **reading):
    with pytest.raises(FaultyRowsError) as refusal:
        encoded(kind, text, **reading)
    return refusal.value


def test_numbers_may_have_a_decimal_comma():
    assert rows(PAIRS, b"1,5;-0,25\n2;\n1e3;,5\n", delimiter=";", decimal_comma=True) == [
        (1.5, -0.25), (2.0, None), (1000.0, 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize(("data", "byte"), [("Größe", "0xf6"), ("\ufeffname", "0xff")])
def test_a_header_in_another_encoding_is_told_as_that(data, byte):
    raw = data.encode("latin-1") if byte == "0xf6" else data.encode("utf-16-le")
    with pytest.raises(TableError, match=f"the byte {byte}, which is not utf-8: say the encoding"):
        encoded(PEOPLE, raw + b",age\n", header=True)


def test_a_cell_may_be_long():
    before = csv.field_size_limit()
    assert rows(parse_type("Vec<String>"), b"x" * 1_000_000) == ["x" * 1_000_000]
    assert csv.field_size_limit() == before


def test_with_a_decimal_comma_a_point_is_no_part_of_a_number():
    found = faults(PAIRS, b"1.234,5;1\n1.5;2\n", delimiter=";", decimal_comma=True)
    assert [(each.line, each.column) for each in found.faults] == [(1, 1), (2, 1)]
    assert "'1.5' has a point, expected a number with a decimal comma" in str(found)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8", "utf-8-sig"])
def test_a_file_may_be_of_any_encoding(encoding):
    text = "Müller,39\nÅsa,40\n".encode(encoding)
    assert rows(PEOPLE, text, encoding=encoding) == [
        {"name": "Müller", "age": 39}, {"name": "Åsa", "age": 40},
    ]  # fmt: skip


def test_columns_are_chosen_by_name_in_the_order_of_the_type():
    text = b'id,alter,"name, full",sex\n1,39,clare,f\n2,40,bob,m\n'
    assert rows(PEOPLE, text, columns=("name, full", "alter")) == [
        {"name": "clare", "age": 39}, {"name": "bob", "age": 40},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("name",), "1 columns are chosen, .* has 2"),
        (("name", "sex"), "column 'sex' is missing; the header is 'name, age, age'"),
        (("name", "age"), "column 'age' is there twice"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(columns, message):
    with pytest.raises(TableError, match=message):
        encoded(PEOPLE, b"name,age,age\nclare,39,40\n", columns=columns)


def test_equal_letters_are_equal_bytes_in_nfc():
    composed, combined = "Zoë,1\n".encode(), "Zoe\u0308,1\n".encode()
    assert encoded(PEOPLE, composed) != encoded(PEOPLE, combined)
    assert encoded(PEOPLE, composed) == encoded(PEOPLE, combined, nfc=True)
    assert "repeats line 1" in str(faults(SET, composed + combined, nfc=True))


def test_space_around_cells_and_names_is_taken_off_where_it_is_to_be():
    kind = parse_type("Vec<{yes: bool, text: Option<String>}>")
    text = b" yes , text\n true ,\xc2\xa0a b \nfalse,  \n"
    assert rows(kind, text, header=True, trim=True) == [
        {"yes": True, "text": "a b"}, {"yes": False, "text": None},
    ]  # fmt: skip
    assert len(faults(kind, b"true,a\n true ,b\n").faults) == 1


def test_all_that_is_wrong_is_in_one_report():
    text = b"age,name\n39,clare\n300,bob\nx,\xff\n1\n40,ann\n"
    told = faults(PEOPLE, text, header=True).in_file("people.csv")
    unread = "byte 0xff is not utf-8: say the encoding, such as cp1252 or latin-1"
    assert told.splitlines() == [
        "4 errors:",
        "  people.csv:3:1 (age): expected 0 to 255 (u8), got 300",
        "  people.csv:4:1 (age): 'x' is not a whole number (u8)",
        f"  people.csv:4:2 (name): {unread}",
        "  people.csv:5: 1 columns, {name: String, age: u8} has 2",
    ]


def test_a_report_ends_somewhere():
    found = faults(PEOPLE, b"clare,x\n" * 1000)
    assert len(found.faults) == MOST_FAULTS
    assert str(found).startswith("100 errors; what follows was not read:\n  line 1, column 2 (age)")


def test_a_line_is_that_of_the_file_whatever_cells_and_empty_lines_it_has():
    found = faults(PEOPLE, b'\n"a\nb",1\n\nc,x\n')
    assert [each.line for each in found.faults] == [5]


def test_all_repeats_of_a_set_are_found_with_where_they_were_first():
    told = str(faults(SET, b"a,1\nb,1\na,1\nx,y\nb,1\na,1\n"))
    assert "line 3: repeats line 1, and HashSet<(String, u8)> is a set" in told
    assert "line 5: repeats line 2" in told
    assert "line 6: repeats line 1" in told
    assert "line 4, column 2: 'y' is not a whole number" in told


def test_repeats_are_found_however_far_apart(monkeypatch):
    monkeypatch.setattr("veracruz_utils.encoding.rows.spool._AT_ONCE", 100)
    text = "".join(f"n{number},1\n" for number in range(9000)) + "n3,1\nn3,2\n"
    assert str(faults(SET, text.encode())) == (
        "line 9001: repeats line 4, and HashSet<(String, u8)> is a set"
    )
    assert len(rows(SET, text.encode().replace(b"n3,1\nn3,2\n", b"n3,2\n"))) == 9001


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        ({"delimiter": ";;"}, "a delimiter is one character"),
        ({"delimiter": '"'}, "a delimiter is one character"),
        ({"decimal_comma": True}, "say the delimiter"),
        ({"encoding": "klingon"}, "'klingon' is no encoding of text"),
        ({"encoding": "hex"}, "'hex' is no encoding of text"),
    ],
)
def test_what_cannot_be_read_so_is_refused(reading, message):
    with pytest.raises(TableError, match=message):
        Reading(**reading)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
_ROW = st.tuples(
    st.integers(0, 255), st.integers(-(2**63), 2**63 - 1), st.floats(width=32, allow_nan=False),
    st.floats(allow_nan=False), st.booleans(), st.characters(exclude_categories=["Cs"]), _TEXT,
    st.none() | st.integers(0, 2**32 - 1), st.none() | _TEXT.filter(bool),
)  # fmt: skip


@given(st.lists(_ROW, max_size=6))
def test_columns_at_once_are_what_values_one_by_one_are(values):
    table = [[writer_of(part)(each) for part, each in zip(ALL.element.parts, row, strict=True)]
             for row in values]  # fmt: skip
    text = write_rows(table).encode()
    assert encoded(ALL, text) == encode(ALL, values)


@given(st.lists(st.sampled_from([
    "1", "+2", "-3", "00", " 4 ", "5\t", "1_0", "٣", "", "256", "1e2", ".5", "5.", ".", "1e999",
    "NaN", "Infinity", "nan", "inf", "0x1", "\n6", "7\n", "8\n9", "\x1c1",
]), min_size=1, max_size=3), st.sampled_from(["u8", "i64", "f64", "f32"]))  # fmt: skip
def test_cells_of_one_file_are_accepted_each_as_if_it_were_alone(cells, name):
    kind = parse_type(f"Vec<({name}, u8)>")
    texts = [write_rows([[cell, "1"]]).encode() for cell in cells]
    alone = []
    for text in texts:
        try:
            alone.append(encoded(kind, text)[1:])
        except FaultyRowsError:
            alone.append(None)
    if None in alone:
        assert len(faults(kind, b"".join(texts)).faults) == alone.count(None)
    else:
        assert encoded(kind, b"".join(texts))[1:] == b"".join(alone)


class _Discarding(io.RawIOBase):
    """A file whose content is of no interest."""

    def write(self, data):
        return len(data)

    def seek(self, offset, whence=0):
        return offset


def _peak(count):
    text = io.BytesIO(b"".join(b"%d,%d\n" % (number, number * 7) for number in range(count)))
    tracemalloc.start()
    try:
        encode_file(parse_type("Vec<(f64, u64)>"), text, _Discarding(), "csv")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_rows():
    assert _peak(100_000) < 1.5 * _peak(20_000)
