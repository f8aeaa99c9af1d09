"""The reference page says what the command does."""

import json
import re
from pathlib import Path

import pytest

from sdk.freestanding.cli import main
from sdk.freestanding.config import KEYS
from sdk.freestanding.report import RunEnding
from support.runtime_guests import HELLO

PAGE = Path(__file__).parents[3] / "docs/reference/freestanding-execution-engine.md"


@pytest.fixture(scope="module")
def tables():
    """The rows of every table by the heading of its first column."""
    found = {}
    for table in re.findall(r"(?:^\|.*\n)+", PAGE.read_text(), flags=re.MULTILINE):
        lines = [line.strip("|").split("|") for line in table.splitlines()]
        rows = [[cell.strip() for cell in line] for line in lines]
        found[rows[0][0]] = rows[2:]
    return found


def test_every_option_is_listed(tables):
    options = [each for each in main.commands["run"].params if each.param_type_name == "option"]
    assert [row[0].strip("`") for row in tables["Option"]] == [each.opts[0] for each in options]


def test_every_ending_has_its_exit_code_in_the_page_and_in_the_help(tables):
    listed = {row[1].strip("`"): int(row[0]) for row in tables["Status"] if row[1]}
    assert listed == {ending.text: ending.exit_code for ending in RunEnding}
    help_text = main.commands["run"].epilog
    for status in {row[0] for row in tables["Status"]} - {"130"}:
        assert re.search(rf"^ +{status}  \w", help_text, flags=re.MULTILINE)


def test_every_field_of_the_report_is_listed(tables, run, file):
    report = json.loads(run(file(HELLO), "--json").stdout)
    of_rounds = [row[0].strip("`") for row in tables["Field"] if row[1] == "round"]
    assert [row[0].strip("`") for row in tables["Field"]] == list(report)
    assert of_rounds == list(report["rounds"][0])


def test_every_key_of_a_configuration_is_listed(tables):
    options = [row[0].strip("`-") for row in tables["Option"]]
    of_2021 = [row[0].strip("`") for row in tables["Key"]]
    assert set(KEYS) == {"program", *options, *of_2021} - {"config"}
