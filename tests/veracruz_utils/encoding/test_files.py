"""Files of own data in every form, there and back."""

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veracruz_utils.encoding.errors import PineconeError, TableError
from veracruz_utils.encoding.files import decode_file, encode_file, form_of
from veracruz_utils.encoding.pinecone import decode, encode, parse_type
from veracruz_utils.encoding.rows.arrow import pyarrow
from veracruz_utils.encoding.rows.faults import FaultyRowsError
from veracruz_utils.encoding.rows.json_lines import value_of_line
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.strict_json import JsonError, read_json

PEOPLE = parse_type("Vec<{name: String, age: u8, income: Option<f64>}>")
SOME = [{"name": "Zoë", "age": 39, "income": None}, {"name": "", "age": 0, "income": 0.5}]
NUMBERS = parse_type("Vec<(u8, i32, f64)>")


def encoded(kind, data, form, **reading):
    out = io.BytesIO()
    encode_file(kind, io.BytesIO(data), out, form, reading=Reading(**reading))
    return out.read()


def decoded(kind, data, form, **reading):
    out = io.BytesIO()
    decode_file(kind, data, out, form, reading=Reading(**reading))
    return out.getvalue()


def parquet(table):
    out = io.BytesIO()
    pyarrow().parquet.write_table(table, out)
    return out.getvalue()


def test_the_name_of_a_file_says_what_it_is():
    names = ["a.csv", "a.b.JSONL", "a.ndjson", "a.parquet", "a.feather", "a.json", "a.dat", "csv"]
    assert [form_of(name) for name in names] == [
        "csv", "jsonl", "jsonl", "parquet", "arrow", "json", None, None,
    ]  # fmt: skip


_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
            "age": st.integers(0, 255),
            "income": st.none() | st.floats(allow_nan=False),
        }
    ),
    max_size=5,
)


@pytest.mark.parametrize("form", ["json", "csv", "jsonl", "parquet", "arrow"])
@given(_ROWS)
def test_every_table_comes_back(form, rows):
    data = encode(PEOPLE, rows)
    assert encoded(PEOPLE, decoded(PEOPLE, data, form), form) == data


@pytest.mark.parametrize("form", ["jsonl", "parquet", "arrow"])
@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("Vec<(u8, String)>", [(1, "a"), (2, "b")]),
        ("Vec<f32>", [0.5, 1.0]),
        ("Vec<(bool, char, usize)>", [(True, "ä", 2**64 - 1)]),
        ("Vec<{tags: Vec<String>, at: [i16; 2]}>", [{"tags": ["a", ""], "at": [1, -1]}]),
        ("HashSet<Option<i64>>", [None, -1]),
    ],
)
def test_rows_need_not_be_structs_of_scalars(form, expression, values):
    kind = parse_type(expression)
    data = encode(kind, values)
    assert encoded(kind, decoded(kind, data, form), form) == data


def test_csv_comes_back_with_its_comma_semicolon_and_encoding():
    kind = parse_type("Vec<{name: String, share: f64}>")
    data = encode(kind, [{"name": "Zoë; a", "share": 0.25}])
    how = {"delimiter": ";", "decimal_comma": True, "encoding": "utf-16", "header": True}
    text = decoded(kind, data, "csv", **how)
    assert text.decode("utf-16") == 'name;share\n"Zoë; a";0,25\n'
    assert encoded(kind, text, "csv", **how) == data


def test_text_that_an_encoding_has_not_is_refused():
    kind = parse_type("Vec<String>")
    with pytest.raises(TableError, match="'→' is not in latin-1"):
        decoded(kind, encode(kind, ["a", "→"]), "csv", encoding="latin-1")


def test_all_that_is_wrong_in_json_lines_is_in_one_report():
    lines = [{"name": "a", "age": 1, "income": 1}, {"name": "b", "age": 300}, {"name": 1}]
    text = "\n".join(map(json.dumps, lines)) + '\n\n{"name": }\n{"age": 1, "age": 2}\n'
    with pytest.raises(FaultyRowsError) as refusal:
        encoded(PEOPLE, text.encode(), "jsonl")
    told = refusal.value.in_file("people.jsonl").splitlines()
    assert told[1:3] == [
        "  people.jsonl:2 (age): expected 0 to 255 (u8), got 300",
        "  people.jsonl:3 (name): expected text, got 1",
    ]
    assert told[3].startswith("  people.jsonl:5:10: the text is not JSON: Expecting value")
    assert told[4:] == ["  people.jsonl:6: the text has 'age' twice in one object"]


_LINES = st.one_of(
    st.binary(max_size=30),
    st.dictionaries(st.text(max_size=4), st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
        st.lists(st.integers(), max_size=2),
        st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    ), max_size=3).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([
        b'{"a": 1, "a": 2}', b'{"a:": 1, "a:": 2}', b'{"a": {"b": 1, "b": 2}}', b'{"a":"b:c"}',
        b'{"a": 1e999}', b'{"a": 123456789012345678901}', b'{"a": -0}', b'{"a": 01}',
        b'{"a": 1,}', b'{"a": "\xff"}', b'{"a": "\x01"}', b'{"a": NaN}', b'{"\\u0061":1,"a":2}',
        b'{"a": 0.1234567890123456789}', b'{"a": 1} x', b'\xef\xbb\xbf{"a": 1}', b'{"a": -1.0}',
    ]),
)  # fmt: skip


@given(_LINES)
def test_a_line_of_json_is_what_strict_json_is(text):
    def read(reader):
        try:
            return repr(reader(text))
        except JsonError as error:
            return str(error)

    assert read(value_of_line) == read(
        lambda line: read_json(line, max_bytes=1 << 24, max_depth=200)
    )


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_mark_in_front_of_json_is_no_part_of_it(form):
    text = json.dumps(SOME[0]).encode() + b"\n"
    text = text if form == "jsonl" else b"[" + text + b"]"
    assert decode(PEOPLE, encoded(PEOPLE, b"\xef\xbb\xbf" + text, form)) == SOME[:1]


def test_members_of_json_lines_are_chosen_by_name():
    kind = parse_type("Vec<(String, u8)>")
    text = b'{"n": " a ", "x": [], "age": 1}\n'
    assert decode(kind, encoded(kind, text, "jsonl", columns=("n", "age"), trim=True)) == [("a", 1)]
    with pytest.raises(TableError, match="line 1: column 'm' is missing"):
        encoded(kind, text, "jsonl", columns=("m", "age"))


def test_columns_of_parquet_are_found_by_name_and_chosen():
    table = pyarrow().table(
        {"age": [39, 40], "income": [1.5, None], "name": ["a", "b"], "x": [0, 0]}
    )
    with pytest.raises(TableError, match="the header is 'age, income, name, x', expected"):
        encoded(PEOPLE, parquet(table), "parquet")
    rows = [{"name": "a", "age": 39, "income": 1.5}, {"name": "b", "age": 40, "income": None}]
    assert encoded(PEOPLE, parquet(table.drop(["x"])), "parquet") == encode(PEOPLE, rows)
    chosen = encoded(NUMBERS, parquet(table.slice(0, 1)), "parquet", columns=("age", "x", "income"))
    assert decode(NUMBERS, chosen) == [(39, 0, 1.5)]


def test_a_stream_of_arrow_is_read_as_a_file_of_it_is():
    table = pyarrow().table({"1": [1], "2": [2], "3": [0.5]})
    out = io.BytesIO()
    with pyarrow().ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    assert decode(NUMBERS, encoded(NUMBERS, out.getvalue(), "arrow")) == [(1, 2, 0.5)]


def test_what_does_not_fit_in_parquet_is_reported_by_row():
    table = pyarrow().table({"a": [1, 300, None], "b": [1, 2, 3], "c": [1.0, 2.0, 3.0]})
    with pytest.raises(FaultyRowsError) as refusal:
        encoded(NUMBERS, parquet(table), "parquet")
    assert [(each.line, each.name) for each in refusal.value.faults] == [(2, "[0]"), (3, "[0]")]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@given(data=st.binary(max_size=80))
def test_arbitrary_bytes_are_no_file_of_columns(form, data):
    with pytest.raises(TableError, match=f"the file is not {form.title()}"):
        encoded(NUMBERS, data, form)


def test_without_pyarrow_the_refusal_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TableError, match=r"need pyarrow: pip install 'veracruz-utils\[arrow\]'"):
        encoded(NUMBERS, b"", "parquet")


@pytest.mark.parametrize("form", ["jsonl", "parquet", "arrow", "csv"])
def test_a_value_that_is_no_table_has_no_rows(form):
    with pytest.raises(TableError, match="a table is a Vec or HashSet of rows, not u8"):
        encoded(parse_type("u8"), b"1", form)
    with pytest.raises(TableError, match="a table is a Vec or HashSet of rows, not u8"):
        decoded(parse_type("u8"), b"\1", form)


def test_bytes_that_are_left_over_are_refused_in_every_form():
    for form in ("json", "csv", "jsonl", "parquet", "arrow"):
        with pytest.raises(PineconeError, match="1 bytes are left over"):
            decoded(NUMBERS, b"\0\0", form)


def test_an_enum_has_no_column_of_arrow():
    kind = parse_type("Vec<enum {A, B}>")
    with pytest.raises(TableError, match="a column of Arrow cannot hold enum"):
        decoded(kind, encode(kind, ["A"]), "parquet")
