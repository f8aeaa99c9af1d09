"""Tables in the documentation say what the code does."""

import itertools
import re
from dataclasses import fields
from pathlib import Path

import tabasco.verify
from colima.runtime import State
from execution_engine import HOST_CALLS, LimitCode, Refusal, Status, TrapCode
from execution_engine.strategy import OFF, ON
from mexico_city import NEXT, Event
from tabasco.verify import Fault
from tabasco.verify.kinds import Kind
from veracruz_utils.policy import Limits, Role

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str) -> list[list[str]]:
    """The cells of every table row of a page."""
    lines = (DOCS / page).read_text().splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|") and not line.startswith("|---")
    ]


def test_the_lifecycle_page_draws_the_lifecycle_table():
    states = {f"{state.value} `{state.name}`": state for state in State}
    events = {event.value: event for event in Event}
    drawn = {
        (states[before], events[event]): states[after]
        for before, event, after in rows("explanation/lifecycle.md")[1:]
    }
    assert drawn == NEXT


def test_the_abi_page_lists_the_host_calls_with_their_parameters():
    drawn = {
        cells[0].strip("`"): tuple(cells[1].split(", "))
        for cells in rows("reference/guest-abi.md")[1:]
    }
    assert drawn == {call.name: call.params for call in HOST_CALLS}


def test_the_policy_page_lists_every_limit_with_its_default():
    units = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    drawn = {}
    for name, _, default in (cells for cells in rows("reference/policy.md") if len(cells) == 3):
        found = re.fullmatch(r"(\d+) ?(\w*)", default)
        drawn[name.strip("`")] = int(found[1]) * units[found[2]] if found else None
    for field in fields(Limits):
        assert drawn[field.name] == field.default, field.name


def test_the_policy_page_names_every_role():
    page = (DOCS / "reference/policy.md").read_text()
    assert all(f"`{role.value}`" in page for role in Role)


def test_the_engine_page_lists_every_code():
    codes = {cells[0].strip("`") for cells in rows("reference/engine.md")}
    for code in (*Refusal, *LimitCode, *TrapCode):
        assert code in codes, code


def test_the_engine_page_names_limits_that_policies_have():
    limits = {field.name for field in fields(Limits)}
    named = {
        cells[2].strip("`") for cells in rows("reference/engine.md") if len(cells) == 3 and cells[2]
    }
    assert named - {"Limit of the policy"} <= limits
    assert limits - named == {"total_input_bytes", "stack_bytes"}


def test_the_engine_page_lists_every_feature_that_is_switched():
    drawn = list(itertools.takewhile(lambda cells: len(cells) == 2, rows("reference/engine.md")))
    on, off = (
        {found[1] for cells in drawn if (found := re.match(r"`([a-z_0-9]+)`", cells[column]))}
        for column in (0, 1)
    )
    assert set(ON) <= on
    assert set(OFF) == off


def test_the_abi_page_lists_statuses_that_there_are():
    for cells in rows("reference/guest-abi.md")[1:]:
        for number in re.findall(r"-\d+", cells[3]):
            assert int(number) in set(Status)


def test_the_evidence_page_lists_every_kind_and_every_reason():
    cells = [row[0].strip("`") for row in rows("reference/evidence.md")]
    assert [each for each in cells if each in {*Kind}] == [*Kind]
    assert sorted(cells[cells.index("Reason") + 1 :]) == sorted(Fault)


def test_the_evidence_page_lists_every_concern():
    page = {row[0].strip("`") for row in rows("reference/evidence.md")}
    named = {re.split(r"[=…N]", each)[0] for each in page}
    name = re.compile(r'"((?:tdx|snp|cca|tpm|psa|confidential-space)\.[a-z-]+)')
    sources = Path(tabasco.verify.__file__).parent.glob("*.py")
    found = {each for file in sources for each in name.findall(file.read_text())}
    assert len(found) > 10
    assert found <= named
