"""What command lines say of own data, and the bar for files that take long."""

import sys

import click
import pytest

from support.terminals import on_terminal
from veracruz_shells.own_data import OwnData


def test_the_delimiter_follows_from_the_name_and_from_the_decimal_comma():
    assert OwnData().reading("csv", "a.csv").delimiter == ","
    assert OwnData().reading("csv", "A.TSV").delimiter == "\t"
    assert OwnData(decimal_comma=True).reading("csv", "a.csv").delimiter == ";"
    assert OwnData(delimiter="tab").reading("csv", "a.csv").delimiter == "\t"


def test_options_of_csv_say_that_a_file_is_it_and_a_name_does_otherwise():
    assert OwnData(header=True).form_for("-") == "csv"
    assert OwnData(form="jsonl", header=True).form_for("a.csv") == "jsonl"
    assert OwnData().form_for("a.parquet") == "parquet"
    assert OwnData().form_for("a.dat") is None


@pytest.mark.parametrize(
    ("said", "form", "message"),
    [
        (OwnData(encoding="cp1252"), "jsonl", "--encoding is not for jsonl"),
        (OwnData(queries=("SELECT 1",)), "parquet", "--query is not for parquet"),
        (OwnData(decimal_comma=True), "arrow", "--decimal-comma is not for arrow"),
        (OwnData(trim=True), "json", "--trim is not for json"),
        (OwnData(columns='a,"b'), "csv", "is no list of names"),
    ],
)
def test_options_that_are_not_for_a_form_are_wrong_usage(said, form, message):
    with pytest.raises(click.UsageError, match=message):
        said.reading(form, "file")


def test_a_column_may_have_a_comma_in_its_name():
    assert OwnData(columns='a,"b, c"').reading("csv", "a.csv").columns == ("a", "b, c")


ENCODE = """
import io
from veracruz_shells import progress
from veracruz_shells.own_data import encoding_progress
source = io.BytesIO(bytes(100))
source.seek(20)
with encoding_progress(source) as on_rows:
    source.read(60)
    on_rows(1)
    print(progress._shown[-1]._progress.line(79, seconds=0))
"""


def test_how_much_was_encoded_is_by_the_bytes_that_were_read():
    assert "encoding: 75%" in on_terminal([sys.executable, "-c", ENCODE])[1]
