"""CSV to rows of cells and back, by a schema."""

import math
import struct
from contextlib import suppress
from functools import partial

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sdk.cli import main
from sdk.encoding.csv_cells import NUMBERS, Schema, decode_csv, encode_csv, parse_schema
from sdk.errors import SchemaError
from veracruz_utils.encoding.csv_codec import Dialect
from veracruz_utils.encoding.errors import PineconeError, TableError
from veracruz_utils.encoding.pinecone import decode, encode, parse_type

CELLS = parse_type("Vec<Vec<Vec<u8>>>")


def cells_of(schema, text):
    """The cells of every row, as bytes."""
    rows = decode(CELLS, encode_csv(schema, text).data)
    return [[bytes(cell) for cell in row] for row in rows]


def test_numbers_are_little_endian_and_texts_their_bytes():
    schema = Schema(("f64", "f32", "i64", "i32", "u64", "u32", "string"))
    (row,) = cells_of(schema, b"0.5,-2,-3,4,5,4294967295,\xc3\xa9\n")
    assert row == [
        *(struct.pack(f"<{layout}", value) for layout, value in zip(
            "dfqiQI", (0.5, -2, -3, 4, 5, 2**32 - 1), strict=True)),
        "é".encode(),
    ]  # fmt: skip


def test_the_bytes_are_those_of_a_vec_of_rows():
    assert encode_csv(Schema(("u32", "string")), b"1,a\n2,\n").data.hex() == (
        "02020401000000016102040200000000"
    )


def test_discarded_columns_are_not_there_and_need_not_make_sense():
    schema = Schema(("discard", "u32", "discard"), has_headers=True)
    assert cells_of(schema, b"a,b,c\nx,7,y\n") == [[b"\7\0\0\0"]]


def test_delimiter_quote_and_space_are_as_the_schema_says():
    schema = parse_schema(
        b'columns = ["String", "F64"]\ndelimiter = 59\nquote = 39\ntrim-whitespace = true'
    )
    assert cells_of(schema, b"'a;b'; 1 \n") == [[b"a;b", struct.pack("<d", 1)]]


def test_flexible_rows_may_be_shorter_or_are_cut():
    schema = Schema(("string", "discard", "string"), flexible=True)
    assert cells_of(schema, b"a\na,b\na,b,c\na,b,c,d\n") == [[b"a"], [b"a"], *2 * [[b"a", b"c"]]]


def test_rows_that_do_not_fit_are_skipped_with_their_reasons():
    schema = Schema(("u32", "string"), skip_faulty=True)
    encoded = encode_csv(schema, b"1,a\n-1,b\n2\n3,c\n")
    assert len(decode(CELLS, encoded.data)) == 2
    assert encoded.skipped[0].startswith("line 2, column 1: ")
    assert encoded.skipped[1] == "line 3: 1 columns, the schema has 2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"name,age\nann,x\n", "line 2, column 2 (age): 'x' is not a whole number (u32)"),
        (b"name,age\n\nann,4294967296\n", "line 3, column 2 (age): "),
        (b"name,age\nann\n", "line 2: 1 columns, the schema has 2"),
        (b'name,age\n"a\nb",-\n', "line 3, column 2 (age): "),
        (b"name,age\n\xff,1\n", "not UTF-8 at byte 9"),
        (b'name,age\n"ann"b,1\n', "line 2: "),
        (b"name\nann,x\n", "line 2, column 2: 'x'"),
    ],
)
def test_what_does_not_fit_is_told_by_line_and_column(text, said):
    with pytest.raises(TableError) as caught:
        encode_csv(Schema(("string", "u32"), has_headers=True), text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([[b"a"]], "row 1: 1 cells, the schema keeps 2"),
        ([[b"a", b"\1\0\0\0"], [b"a", b"\1\0\0\0", b""]], "row 2: 3 cells"),
        ([[b"a", b"\1\0\0"]], "row 1, cell 2: not a u32"),
        ([[b"\xff", b"\1\0\0\0"]], "row 1, cell 1: not a string"),
    ],
)
def test_data_that_do_not_fit_the_schema_are_told_by_row_and_cell(cells, said):
    data = encode(CELLS, [[list(cell) for cell in row] for row in cells])
    with pytest.raises(TableError) as caught:
        decode_csv(Schema(("string", "discard", "u32")), data)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "columns must be an array"),
        ("columns = []", "columns must be an array"),
        ('columns = "u32"', "columns must be an array"),
        ('columns = ["u32", "u8"]', "column 2 is 'u8', not one of discard, string, f64"),
        ('columns = ["Discard"]', "column 1 is 'Discard'"),
        ("columns = [1]", "column 1 is '1'"),
        ('columns = ["discard"]', "every column is discarded"),
        ('columns = ["u32"]\nquotes = 1', "unknown key 'quotes' in the schema"),
        ('columns = ["u32"]\ndelimiter = ";"', "delimiter is ';'"),
        ('columns = ["u32"]\ndelimiter = 10', "delimiter is '10'"),
        ('columns = ["u32"]\nquote = 200', "quote is '200'"),
        ('columns = ["u32"]\nquote = true', "quote is 'True'"),
        ('columns = ["u32"]\nquote = 44', "delimiter and quote are both 44"),
        ('columns = ["u32"]\nflexible = 1', "flexible is '1', neither true nor false"),
        ("columns = ", "the schema is not TOML"),
        ("columns = " + "[" * 10_000, "too many arrays or tables inside one another"),
    ],
)
def test_a_schema_that_is_none_is_told(text, said):
    with pytest.raises(SchemaError) as caught:
        parse_schema(text.encode())
    assert said in str(caught.value)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text("\",;'\r\n \0")
VALUES = {  # a cell has no room for what distinguishes one NaN from another
    "f64": st.floats(allow_nan=False) | st.just(math.nan),
    "f32": st.floats(width=32, allow_nan=False) | st.just(math.nan),
    **{
        f"{sign}{bits}": st.integers(least, least + 2**bits - 1)
        for bits in (32, 64)
        for sign, least in (("i", -(2 ** (bits - 1))), ("u", 0))
    },
}


@st.composite
def tables(draw):
    """A schema without discarded columns, and encoded rows of it."""
    columns = tuple(draw(st.lists(st.sampled_from(["string", *NUMBERS]), min_size=1, max_size=4)))
    delimiter, quote = draw(st.sampled_from([(",", '"'), (";", "'"), ("\t", '"'), ("|", "%")]))
    cell = {
        "string": TEXTS.map(str.encode),
        **{name: values.map(partial(encode, parse_type(name))) for name, values in VALUES.items()},
    }
    rows = draw(st.lists(st.tuples(*(cell[column] for column in columns)), max_size=5))
    data = encode(CELLS, [[list(content) for content in row] for row in rows])
    return Schema(columns, Dialect(delimiter, quote)), data


@given(tables())
def test_every_table_comes_back_from_its_csv(table):
    schema, data = table
    assert encode_csv(schema, decode_csv(schema, data).encode()).data == data


@given(st.binary(max_size=40) | st.text('1,"\n\r;a.', max_size=20).map(str.encode))
def test_any_bytes_are_a_table_or_an_error_of_ours(data):
    for schema in (Schema(("u32", "string")), Schema(("string",), flexible=True, has_headers=True)):
        for act in (encode_csv, decode_csv):
            with suppress(TableError, PineconeError):
                act(schema, data)


@pytest.fixture
def sdk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("s.toml").write_text(
        'columns = ["string", "discard", "u32"]\nhas-headers = true\n'
        "skip-rows-on-decoding-error = true\n"
    )
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)))


def test_the_commands_encode_and_decode(sdk, tmp_path):
    tmp_path.joinpath("in.csv").write_text("name,note,age\nann,-,39\nbob,-,x\n")
    done = sdk("csv-encode", "--schema", "s.toml", "in.csv", "out.dat")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "skipped line 3, column 3 (age): 'x' is not a whole number (u32)\n"
    assert tmp_path.joinpath("out.dat").read_bytes() == b"\1\2\3ann\4\x27\0\0\0"
    assert sdk("csv-decode", "--schema", "s.toml", "out.dat").stdout == "ann,39\n"


def test_the_command_tells_some_of_many_skipped_rows_and_how_many(sdk, tmp_path):
    tmp_path.joinpath("in.csv").write_text("name,note,age\n" + "a,b,c\n" * 30)
    lines = sdk("csv-encode", "--schema", "s.toml", "in.csv", "out.dat").stderr.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "skipped 30 rows in all"


def test_a_schema_that_is_none_ends_the_command(sdk, tmp_path):
    tmp_path.joinpath("s.toml").write_text("columns = 1")
    done = sdk("csv-encode", "--schema", "s.toml", "s.toml", "out.dat")
    assert done.exit_code == 1
    assert "columns must be an array" in done.stderr
    assert not tmp_path.joinpath("out.dat").exists()
