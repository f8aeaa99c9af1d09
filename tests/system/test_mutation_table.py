"""The table of `make mutants` is true of the tree; what the mutants do, it says itself."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = tomllib.loads((ROOT / "tools/mutants.toml").read_text())


@pytest.mark.parametrize("row", TABLE["module"], ids=lambda row: row["path"])
def test_every_module_and_its_nearest_tests_exist(row):
    assert row["tests"]
    for path in (row["path"], *row["tests"]):
        file, _, test = path.partition("::")
        assert (ROOT / file).is_file(), path
        assert f"def {test}(" in (ROOT / file).read_text() or not test, path


def test_what_is_listed_as_equivalent_is_of_a_module_of_the_table_and_has_a_reason():
    modules = {row["path"] for row in TABLE["module"]}
    for each in TABLE.get("equivalent", []):
        assert set(each) == {"path", "within", "before", "after", "reason"}
        assert each["path"] in modules
        assert isinstance(each["after"], list)
        assert each["reason"].strip()
