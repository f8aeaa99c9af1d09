"""Compilers that authors install: which one is taken, and what is said of one that will not do."""

import pytest

from sdk.errors import BuildError
from sdk.toolchains.found import FoundTool, WantedTool

TOOL = WantedTool(
    name="the compiler",
    command="tool",
    variable="VERACRUZ_TOOL",
    ask=("--version",),
    least=(1, 21),
    remedy="install tool 1.21",
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Writes a program `tool` in a folder; only the folder `path` is searched for it."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv("VERACRUZ_TOOL", raising=False)

    def write(folder, body):
        tool = tmp_path / folder / "tool"
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\n{body}\n")
        tool.chmod(0o755)
        return tool

    return write


def test_a_compiler_is_taken_from_the_programs_folder_before_the_path(place):
    mine, other = place("mine", "echo tool version go1.21.8 linux"), place("path", "echo 2.0")
    assert TOOL.find(mine) == FoundTool(str(mine), "1.21.8")
    assert TOOL.find(mine.parent / "absent") == FoundTool(str(other), "2.0")


def test_a_compiler_that_the_environment_names_is_taken_before_both(place, monkeypatch):
    mine, named = place("mine", "echo 1.30"), place("named", "echo 1.22")
    monkeypatch.setenv("VERACRUZ_TOOL", str(named))
    assert TOOL.find(mine) == FoundTool(str(named), "1.22")


def test_a_missing_compiler_is_named_with_the_remedy(monkeypatch, place):
    with pytest.raises(BuildError, match=r"^the compiler is missing: install tool 1\.21$"):
        TOOL.find()
    monkeypatch.setenv("VERACRUZ_TOOL", "/nowhere")
    with pytest.raises(BuildError, match="VERACRUZ_TOOL names /nowhere, which is no program: inst"):
        TOOL.find()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo v1.9.4", "is version 1.9.4, expected 1.21 or later: install tool 1.21"),
        ("echo new", "does not tell its version: 'new'"),
        ("echo broken >&2; exit 1", "does not tell its version: 'broken'"),
    ],
)
def test_a_compiler_that_will_not_do_is_refused_with_both_versions(place, body, said):
    tool = place("path", body)
    with pytest.raises(BuildError, match=said) as caught:
        TOOL.find()
    assert str(tool) in str(caught.value)


def test_a_file_that_cannot_be_run_is_told(place):
    tool = place("path", "")
    tool.write_bytes(b"\x7fELF")
    with pytest.raises(BuildError, match=r"cannot run .*tool: .*: install tool 1\.21"):
        TOOL.find()
