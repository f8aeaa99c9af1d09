"""What Durango knows of the programs that are shipped."""

import sys
from pathlib import Path

import pytest

from durango.policy.known_programs import known_program
from sdk.examples import EXAMPLES
from veracruz_utils.digest import Digest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    import known_programs  # noqa: PLC0415 - a tool, not a package

    return known_programs


def test_what_is_known_is_what_the_catalogue_and_the_readmes_say(tool):
    assert tool.FILE.read_text() == tool.rendered(), "run tools/known_programs.py"


def test_every_shipped_program_is_known_with_what_everybody_learns(tool):
    shipped = list(tool.PROGRAMS.glob("*.wasm"))
    assert shipped
    for module in shipped:
        known = known_program(Digest.of(module.read_bytes()))
        assert known.name == module.stem
        assert known.learns
        assert known.codes == EXAMPLES[known.name].codes


def test_another_program_is_not_known():
    assert known_program(Digest.of(b"another")) is None
