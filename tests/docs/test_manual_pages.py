"""Manual pages: what `--help` says, in a form that `man` reads without a complaint."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def manual():
    spec = importlib.util.spec_from_file_location("manual", ROOT / "tools/manual.py")
    tool = importlib.util.module_from_spec(spec)
    sys.modules["manual"] = tool
    spec.loader.exec_module(tool)
    return tool


def test_every_command_has_its_page_and_no_other_has(manual):
    kept = {path: path.read_text() for path in ROOT.glob("*/man/*.1")}
    assert kept == manual.pages(), "run: make commands"
    assert {"durango.1", "durango-policy-check.1", "sonora.1"} <= {path.name for path in kept}


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff")
def test_no_page_has_a_fault_for_groff():
    pages = sorted(ROOT.glob("*/man/*.1"))
    # Of several files, page after page: a fault names its file.
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-z", *pages], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("man") is None, reason="there is no man")
def test_man_shows_words_of_a_command_as_they_are_typed():
    done = subprocess.run(
        ["man", "-l", str(ROOT / "durango/man/durango-policy-check.1")],
        check=True, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80"},
    )  # fmt: skip
    assert "durango policy check [OPTIONS] POLICY" in done.stdout
    assert "--tabasco-key FILE" in done.stdout
    assert "DURANGO_CONFIG" in done.stdout
    assert "refused by attestation or policy" in done.stdout


def test_a_wheel_brings_its_pages_where_man_looks_in_an_environment(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT / "sinaloa", check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "veracruz_sinaloa-0.1.0.data/data/share/man/man1/sinaloa-serve.1" in names


def test_what_could_be_a_request_is_text(manual):
    assert manual._text(".TH is no request\n'nor this") == "\\&.TH is no request\n\\&'nor this"
    assert manual._text("`a-b` \\ é") == "\\fBa\\-b\\fR \\e \\[u00E9]"
