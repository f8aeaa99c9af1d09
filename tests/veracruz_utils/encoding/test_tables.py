import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk.examples.named_types import SCHEMAS
from veracruz_utils.encoding.errors import PineconeError, TableError
from veracruz_utils.encoding.pinecone import decode, encode, parse_type
from veracruz_utils.encoding.tables import decode_table, encode_table

PEOPLE = SCHEMAS["people"].kind
POINTS = SCHEMAS["points"].kind
MIXED = parse_type("Vec<{n: i16, x: f64, yes: bool, c: char, text: String, maybe: Option<u8>}>")


def test_a_header_names_the_columns_in_any_order():
    text = b"age,name,grade,employee_id\n39,clare,54,3\n"
    encoded = encode_table(PEOPLE, text, header=True)
    assert decode(PEOPLE, encoded) == [
        {"name": "clare", "employee_id": "3", "age": 39, "grade": 54}
    ]


def test_without_a_header_columns_are_in_the_order_of_the_type():
    assert encode_table(PEOPLE, b"clare,3,39,54\n", header=False).hex() == "0105636c61726501332736"


def test_the_header_of_a_tuples_table_is_skipped():
    assert decode(POINTS, encode_table(POINTS, b"x,y\n1,2.5\n", header=True)) == [(1.0, 2.5)]


def test_a_table_of_one_column_needs_no_tuple():
    kind = parse_type("Vec<String>")
    assert decode(kind, encode_table(kind, b'a\n""\n"b,c"\n', header=False)) == ["a", "", "b,c"]


def test_the_mark_a_spreadsheet_puts_in_front_and_empty_lines_are_ignored():
    kind = parse_type("Vec<u8>")
    assert decode(kind, encode_table(kind, b"\xef\xbb\xbf1\r\n\r\n2\r\n", header=False)) == [1, 2]


def test_an_empty_cell_is_no_value():
    kind = parse_type("Vec<(u8, Option<f64>)>")
    assert decode(kind, encode_table(kind, b"1,\n2,0.5\n", header=False)) == [(1, None), (2, 0.5)]


def test_any_white_space_around_a_number_is_no_part_of_it():
    kind = parse_type("Vec<(u8, f64)>")
    text = "\x1c1\u2003,\x1f2.5\x1c\n".encode()
    assert decode(kind, encode_table(kind, text, header=False)) == [(1, 2.5)]


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.integers(-(2**15), 2**15 - 1),
            "x": st.floats(allow_nan=False),
            "yes": st.booleans(),
            "c": st.characters(exclude_categories=["Cs"]),
            "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
            | st.text('",\r\n ', max_size=6),
            "maybe": st.none() | st.integers(0, 255),
        }
    ),
    max_size=5,
)


@given(ROWS, st.booleans())
def test_every_table_comes_back_from_csv(rows, header):
    encoded = encode(MIXED, rows)
    text = decode_table(MIXED, encoded, header=header)
    assert encode_table(MIXED, text.encode(), header=header) == encoded


def test_numbers_that_are_not_finite_have_names():
    kind = parse_type("Vec<f64>")
    encoded = encode(kind, [math.nan, math.inf, -math.inf])
    text = decode_table(kind, encoded, header=False)
    assert text == "NaN\nInfinity\n-Infinity\n"
    assert encode_table(kind, text.encode(), header=False) == encoded


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"clare,3,39\n", "line 1: 3 columns, .* has 4"),
        (b"clare,3,39,54,5\n", "line 1: 5 columns"),
        (b"a,1,2,3\nclare,3,39.5,54\n", r"line 2, column 3 \(age\): '39.5' is not a whole number"),
        (b"clare,3,1_0,54\n", "'1_0' is not a whole number"),
        (b"clare,3,256,54\n", r"line 1, column 3 \(age\): expected 0 to 255 \(u8\), got 256"),
        (b"clare,3,,54\n", r"line 1, column 3 \(age\): '' is not a whole number"),
        (b"a,1,2,3\nb,1,2,3\na,1,2,3\n", "line 3: repeats line 1, and HashSet<.*> is a set"),
        (b'"clare,3,39,54\n', "line 1: unexpected end of data"),
        (b'"cl"are,3,39,54\n', "line 1: "),
        (
            b"cl\xff,3,39,54\n",
            r"line 1, column 1 \(name\): byte 0xff is not utf-8: say the encoding",
        ),
        (b"x" * 20_000_000, "line 1: field larger than field limit"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_line(text, message):
    with pytest.raises(TableError, match=message):
        encode_table(PEOPLE, text, header=False)


def test_a_cell_is_named_by_its_column_in_the_file_whatever_the_order_of_the_type():
    text = b"grade,age,name,employee_id\n1,300,ann,E1\n"
    with pytest.raises(
        TableError, match=r"^line 2, column 2 \(age\): expected 0 to 255 \(u8\), got 300$"
    ):
        encode_table(PEOPLE, text, header=True)


@pytest.mark.parametrize("header", [b"", b"name,employee_id,age", b"name,employee_id,age,age"])
def test_a_header_that_is_not_the_columns_is_refused(header):
    with pytest.raises(TableError, match="expected the columns 'name, employee_id, age, grade'"):
        encode_table(PEOPLE, header + b"\n", header=True)


@pytest.mark.parametrize(
    ("expression", "cell"),
    [
        ("f64", b"1,5"),
        ("f64", b"0x10"),
        ("f64", b"nan"),
        ("f64", b"1e99999"),
        ("f64", b"1e999"),
        ("bool", b"True"),
        ("bool", b"1"),
        ("char", b"ab"),
        ("u8", b"-1"),
        ("u8", "٣".encode()),
        ("u64", b"9" * 5000),
    ],
)
def test_a_cell_that_is_not_of_its_type_is_refused(expression, cell):
    with pytest.raises(TableError, match=r"line 1[:,] "):
        encode_table(parse_type(f"Vec<{expression}>"), cell + b"\n", header=False)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("u8", "a table is a Vec or HashSet of rows, not u8"),
        ("{a: Vec<u8>}", "a table is a Vec"),
        ("Vec<(u8, Vec<u8>)>", "a CSV column cannot hold Vec<u8>"),
        ("Vec<Option<(u8, u8)>>", "a CSV column cannot hold"),
        ("Vec<enum {A, B}>", "a CSV column cannot hold"),
    ],
)
def test_a_type_that_is_not_a_table_is_refused(expression, message):
    with pytest.raises(TableError, match=message):
        encode_table(parse_type(expression), b"1\n", header=False)


def test_a_header_without_names_is_refused():
    with pytest.raises(TableError, match=r"the columns of .* have no names"):
        decode_table(POINTS, encode(POINTS, []), header=True)


def test_an_empty_text_that_could_be_no_text_is_refused():
    kind = parse_type("Vec<(u8, Option<String>)>")
    with pytest.raises(TableError, match="use JSON"):
        decode_table(kind, encode(kind, [(1, "")]), header=False)


@given(st.binary(max_size=60), st.booleans())
def test_arbitrary_text_gives_an_encoding_or_our_error(text, header):
    try:
        encoded = encode_table(MIXED, text, header=header)
    except TableError:
        return
    assert isinstance(decode(MIXED, encoded), list)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_give_a_table_or_our_error(data):
    try:
        text = decode_table(MIXED, data, header=True)
    except (PineconeError, TableError):
        return
    assert text.startswith("n,x,yes,c,text,maybe\n")
