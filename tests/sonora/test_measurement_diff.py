"""Which file changed: `sonora measure --diff`."""

import json

import pytest
from click.testing import CliRunner

from sonora.cli import main
from sonora.errors import SonoraError
from sonora.measurement_diff import changes_since

ONE, TWO = "1" * 64, "2" * 64


def listing(tmp_path, files):
    path = tmp_path / "before.json"
    path.write_text(json.dumps({"platform": "p", "measurement": ONE, "files": files}))
    return path


def test_files_are_added_removed_and_changed_by_name(tmp_path):
    before = listing(tmp_path, {"a": ONE, "b": ONE, "c": ONE})
    changes = changes_since(before, {"a": ONE, "b": TWO, "d": ONE})
    assert (changes.added, changes.removed, changes.changed) == (("d",), ("c",), ("b",))
    assert changes.as_text() == "+ d\n- c\n~ b"
    same = changes_since(before, {"a": ONE, "b": ONE, "c": ONE})
    assert not same
    assert same.as_text() == "the same files, the same measurement"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"measurement": "1", "files": {}}', "x"])
def test_a_file_that_is_no_measurement_is_named(tmp_path, text):
    path = tmp_path / "other"
    path.write_text(text)
    with pytest.raises(SonoraError, match=f"{path} is not the output of sonora measure"):
        changes_since(path, {})


def test_the_command_says_what_differs_from_this_installation(tmp_path):
    printed = CliRunner().invoke(main, ["measure", "--files", "--json"]).stdout
    path = tmp_path / "before.json"
    path.write_text(printed)
    same = CliRunner().invoke(main, ["measure", "--diff", str(path)])
    assert (same.exit_code, same.stdout) == (0, "the same files, the same measurement\n")
    files = json.loads(printed)["files"]
    name = "module:mexico_city.front"
    path.write_text(json.dumps(json.loads(printed) | {"files": files | {name: ONE, "gone": ONE}}))
    other = CliRunner().invoke(main, ["measure", "--diff", str(path), "--json"])
    assert other.exit_code == 1
    assert json.loads(other.stdout) == {"added": [], "removed": ["gone"], "changed": [name]}
