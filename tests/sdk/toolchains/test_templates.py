"""Templates whose compilers authors install: from nothing to a result in an isolate.

What a template's README has its reader do is done; a compiler that is absent here is skipped by
name. These tests run with `make toolchains`.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

import tlaxcala
from sdk import projects
from sdk.errors import BuildError
from sdk.toolchains.assemblyscript import NODE
from sdk.toolchains.go import GO
from sdk.toolchains.rust_found import WASI_TARGET, RustChoice, find_rust
from sdk.toolchains.zig import require_compiler
from sonora.image.local import local_image
from support.stack import DATA, PI, RESULT, SCRIPTS, Stack

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif("VERACRUZ_TOOLCHAINS" not in os.environ, reason="see `make toolchains`"),
]
BAD_INPUT = -4
NORTH = b"name,amount\nann,12.50\nben,3.25\n"
SOUTH = b"amount,name\r\n-1.75,cleo\r\n0.8,dan\r\n"
BOTH = b"rows,sum,mean\n4,14.80,3.70\n"
SOURCES = {
    "assemblyscript": "main.ts",
    "go": "main.go",
    "c-wasi": "main.c",
    "rust-wasi": "src/main.rs",
}
FOUND = {
    "assemblyscript": NODE.find,
    "go": GO.find,
    "c-wasi": require_compiler,
    "rust-wasi": lambda: find_rust(Path(), RustChoice(target=WASI_TARGET)),
}
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")


@dataclass(frozen=True)
class Built:
    """A program that was made from a template, and built as its README says."""

    language: str
    folder: Path
    said: str

    @property
    def module(self) -> bytes:
        return projects.open_project(self.folder).module.read_bytes()


def commands(readme: Path) -> list[str]:
    """The commands that a README shows, in order."""
    lines = readme.read_text().splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]


def do(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def follow(language: str, parent: Path, name: str) -> Built:
    """Make a program and do what its README says; skip what cannot be had here."""
    try:
        FOUND[language]()
    except BuildError as error:
        pytest.skip(str(error))
    said = do(f"veracruz-sdk new {name} --language {language}", parent).stdout
    folder = parent / name
    for command in commands(folder / "README.md"):
        done = do(command, folder)
        words = done.stdout + done.stderr
        if command == "npm ci" and any(each in words for each in UNREACHABLE):
            pytest.skip(f"the registry of npm cannot be reached: {words[:200]}")
        assert done.returncode == 0, f"{command}\n{words}"
        said += words
    return Built(language, folder, said)


def copy(folder: Path, other: Path) -> None:
    shutil.copytree(folder, other, symlinks=True, ignore=shutil.ignore_patterns("target"))


@pytest.fixture(scope="module", params=FOUND)
def built(request, tmp_path_factory):
    return follow(request.param, tmp_path_factory.mktemp("templates"), "amounts")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    os.environ["SONORA_IMAGE"] = str(local_image().folder)
    stack = Stack(tmp_path_factory.mktemp("veracruz"))
    yield stack
    stack.close()
    del os.environ["SONORA_IMAGE"]


def test_what_the_readme_says_makes_a_program_that_passes_its_tests(built):
    assert "certified amounts.wasm" in built.said
    cases = {path.stem for path in built.folder.joinpath("tests").glob("*.toml")}
    assert {line.removeprefix("passed    ") for line in built.said.splitlines()} >= cases


def test_a_program_imports_nothing_but_host_calls(built):
    assert tlaxcala.check(built.module).findings == ()


def test_a_program_computes_the_same_under_both_strategies(run_module, built):
    outcome = run_module(built.module, NORTH, SOUTH)
    assert (outcome.return_code, outcome.output) == (0, BOTH)
    outcome = run_module(built.module, NORTH, b"amount\nnone\n")
    assert (outcome.return_code, outcome.output) == (BAD_INPUT, None)


def test_a_large_input_is_read_to_its_end(run_module, built):
    rows = 20_000
    table = b"amount\n" + b"0.25\n" * rows
    outcome = run_module(built.module, table, NORTH)
    assert outcome.output.splitlines()[1].split(b",")[:2] == [b"20002", b"5015.75"]


def test_the_same_folder_builds_the_same_module_elsewhere(built, tmp_path):
    other = tmp_path / "another" / built.folder.name
    copy(built.folder, other)
    assert projects.open_project(other).build().code == built.module


def test_a_program_for_its_author_says_what_it_writes_to_standard_error(run_module, built):
    module = projects.open_project(built.folder).build(debug=True).code
    assert tlaxcala.check(module).certified
    assert str(built.folder).encode() not in module
    outcome = run_module(module, NORTH, SOUTH)
    assert (outcome.output, "hello from" in outcome.message) == (BOTH, True)


def test_a_source_that_is_wrong_is_refused_with_the_compilers_words(built, tmp_path):
    other = tmp_path / built.folder.name
    copy(built.folder, other)
    source = other / SOURCES[built.language]
    source.write_text(source.read_text() + "undeclared(;\n")
    with pytest.raises(BuildError, match=source.name):
        projects.open_project(other).build()


def test_a_program_computes_in_an_isolate_for_people_who_do_not_trust_each_other(stack, built):
    with stack.computation(
        [PI], [DATA], [DATA], [RESULT], program=built.module, data=(1, 2)
    ) as computation:
        computation.send_program(0)
        computation.send_data(1, NORTH, 0)
        computation.send_data(2, SOUTH, 0)
        assert computation.result(3) == BOTH
        assert computation.shut_down(3) == 0
