"""Tables of `sql-query` from CSV and to it: what is a number, a text or nothing stays so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veracruz_utils.encoding.errors import TableError
from veracruz_utils.encoding.pinecone import decode, encode, parse_type
from veracruz_utils.encoding.rows.faults import FaultyRowsError
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.sql_tables import ROWS, TABLE, encode_sql_table, sql_csv


def table(text, **reading):
    data = encode_sql_table(text, Reading(**{"table": "people", **reading}))
    return decode(parse_type(TABLE), data)


def csv_of(text, **reading):
    return table(text, **reading)["content"]["Csv"]


def test_a_table_keeps_its_csv_its_name_and_its_queries():
    text = 'id,city\n1,"Oaxaca, ""de"" Juárez"\n"2",\n\n3,""\n'
    assert table(text.encode(), queries=("SELECT 1",)) == {
        "name": "people", "queries": ["SELECT 1"], "content": {"Csv": text.replace("\n\n", "\n")},
    }  # fmt: skip
    assert table(b"id\n1\n")["queries"] is None


def test_a_table_is_brought_into_the_form_that_the_program_reads():
    text = "id;größe;Name, kurz\r\n1;1,5; Zoe\u0308 \r\n2;a,5;x\r\n".encode("utf-16")
    assert csv_of(
        text, delimiter=";", decimal_comma=True, encoding="utf-16", trim=True, nfc=True,
        columns=("Name, kurz", "größe"),
    ) == '"Name, kurz",größe\nZoë,1.5\nx,"a,5"\n'  # fmt: skip


def test_all_rows_of_another_width_are_reported():
    with pytest.raises(FaultyRowsError) as refusal:
        table(b'a,b\n1\n"x\ny",2\n1,2,3\n')
    assert [(each.line, each.reason) for each in refusal.value.faults] == [
        (2, "1 columns, the header has 2"), (5, "3 columns, the header has 2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reading", "message"),
    [
        (b"a\n1\n", {"table": ""}, "an SQL table needs a name: say it by --table"),
        (b"", {}, "the CSV is empty"),
        (b'a\n"1\n', {}, "line 2: it is not CSV: a quote is not closed"),
        (b'a\n1"2\n', {}, "line 2: it is not CSV"),
        (b"a\n\xff\n", {}, "byte 2 is not utf-8"),
        (b"a,a\n1,2\n", {"columns": ("a",)}, "column 'a' is there twice"),
    ],
)
def test_what_is_no_table_is_refused(text, reading, message):
    with pytest.raises(TableError, match=message):
        table(text, **reading)


_CELLS = (
    st.just("Null")
    | st.builds(lambda number: {"Integer": number}, st.integers(-(2**63), 2**63 - 1))
    | st.builds(lambda text: {"Text": text}, st.text('a1.,+-" \n\r', max_size=5))
)


@given(st.lists(st.tuples(_CELLS, _CELLS), max_size=4))
def test_a_result_comes_back_as_a_table_of_the_same_cells(rows):
    kind = parse_type(ROWS)
    text = sql_csv(kind, encode(kind, {"columns": ["a", "b c"], "rows": rows}))
    again = csv_of(text.encode())
    assert again.replace("\r", "") == text.replace("\r", "")
    assert sql_csv(parse_type(TABLE), encode_sql_table(text.encode(), Reading(table="t"))) == again


def test_text_that_reads_as_a_number_or_nothing_has_quotes():
    kind = parse_type(ROWS)
    row = ["Null", {"Integer": -1}, {"Real": 2.5}, {"Text": "1"}, {"Text": ""}, {"Text": "a b"}]
    data = encode(kind, {"columns": list("abcdef"), "rows": [row]})
    assert sql_csv(kind, data) == 'a,b,c,d,e,f\n,-1,2.5,"1","",a b\n'
