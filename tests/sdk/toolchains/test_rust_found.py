"""Which Rust is found, and what is said of one that does not do. No compiler compiles here."""

from dataclasses import replace
from pathlib import Path

import pytest

from sdk.errors import BuildError, ProjectError
from sdk.projects import new_project
from sdk.toolchains.rust_found import (
    FOUND,
    REMEDY,
    WASI_TARGET,
    RustChoice,
    find_cargo,
    find_rust,
)
from sdk.toolchains.rust_target import VERACRUZ_TARGET, for_target
from support.rust_toolchain import script_of_rustc


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No compiler but those that a test makes."""
    for name in ("VERACRUZ_RUSTC", "VERACRUZ_CARGO", "RUSTC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sdk.toolchains.rust_found.DEBIANS", str(tmp_path / "debian" / "rustc"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


@pytest.fixture
def rustc(tmp_path):
    """Makes a compiler in a folder, of a version."""

    def make(where, version="1.99.1 (58cf8f9c3 2026-10-13)", **more):
        tmp_path.joinpath(where).mkdir()
        return script_of_rustc(tmp_path / where, version, **more)

    return make


def test_a_compiler_is_found_in_the_path_then_by_rustup_then_as_debians(rustc):
    debians = rustc("debian", "1.63.0")
    assert find_rust(Path(), FOUND).path == debians
    Path(debians.parent.parent, "home").mkdir()
    own = rustc("home/bin")
    assert find_rust(Path(), FOUND).path == own
    first = rustc("path", "1.85.0")
    found = find_rust(Path(), FOUND)
    assert (found.path, found.version, found.minor, found.note) == (first, "1.85.0", 85, "")
    assert find_rust(Path(), FOUND, examples=True).path == debians


def test_a_compiler_that_is_named_is_the_one(rustc, monkeypatch):
    rustc("path")
    other, third = rustc("other", "1.80.0"), rustc("third", "1.70.0")
    monkeypatch.setenv("RUSTC", str(other))
    assert find_rust(Path(), FOUND).path == other
    assert find_rust(Path(), RustChoice(rustc=str(third))).path == third


@pytest.mark.parametrize("named", [None, "/absent/rustc"])
def test_a_compiler_that_is_missing_is_told_with_the_remedy(named, monkeypatch):
    monkeypatch.setenv("PATH", "/absent")
    with pytest.raises(BuildError, match="is missing: install a stable Rust") as caught:
        find_rust(Path(), RustChoice(rustc=named))
    assert "apt install rustc" in str(caught.value)


def test_a_compiler_that_is_too_old_is_told_with_both_versions(rustc):
    old = rustc("path", "1.56.1")
    with pytest.raises(BuildError, match=r"is version 1\.56\.1, expected 1\.63 or later") as caught:
        find_rust(Path(), RustChoice(rustc=str(old)))
    assert REMEDY in str(caught.value)


@pytest.mark.parametrize(
    ("rustup", "said"),
    [
        (True, "`rustup target add wasm32-unknown-unknown --toolchain stable`"),
        (False, "or on Debian `apt install libstd-rust-dev-wasm32`"),
    ],
)
def test_a_compiler_without_the_target_is_told_with_the_command_that_adds_it(rustc, rustup, said):
    rustc("path", target=False, rustup=rustup)
    with pytest.raises(BuildError, match="lacks the target wasm32-unknown-unknown") as caught:
        find_rust(Path(), FOUND)
    assert said in str(caught.value)


def test_debians_compiler_builds_where_the_other_lacks_the_target_and_that_is_said(rustc):
    rustc("path", target=False, rustup=True)
    debians = rustc("debian", "1.63.0")
    found = find_rust(Path(), FOUND)
    assert found.path == debians
    assert "rustup target add" in found.note
    assert f"until then {debians} (1.63.0) builds the program" in found.note


def test_what_is_no_compiler_is_told(rustc, tmp_path):
    path = rustc("path")
    path.write_text("#!/bin/sh\necho something else\n")
    with pytest.raises(BuildError, match="does not say its version: 'something else"):
        find_rust(Path(), FOUND)
    path.write_text("#!/bin/sh\necho broken >&2; exit 1\n")
    with pytest.raises(BuildError, match="does not answer: broken"):
        find_rust(Path(), FOUND)


def test_the_cargo_is_that_of_the_compiler(rustc, monkeypatch):
    found = find_rust(Path(), RustChoice(rustc=str(rustc("other"))))
    with pytest.raises(BuildError, match="cargo is missing: install a stable Rust"):
        find_cargo(found, FOUND)
    beside = found.path.with_name("cargo")
    beside.touch()
    assert find_cargo(found, FOUND) == beside
    monkeypatch.setenv("VERACRUZ_CARGO", "/absent/cargo")
    with pytest.raises(BuildError, match="/absent/cargo does not exist"):
        find_cargo(found, FOUND)


def test_the_originals_target_wants_a_current_rust_and_the_source_of_its_library(rustc):
    for where, version, said in (
        ("old", "1.63.0", "wants 1.95 or later"),
        ("new", "1.99.1", "`rustup component add rust-src`"),
    ):
        choice = RustChoice(str(rustc(where, version, target=False)), target=VERACRUZ_TARGET)
        found = find_rust(Path(), choice)
        with pytest.raises(BuildError, match=said), for_target(VERACRUZ_TARGET, found):
            pass


def test_a_choice_of_rust_is_for_programs_in_rust(tmp_path):
    project = new_project(tmp_path / "mine", language="c")
    with pytest.raises(ProjectError, match="rustc, cargo and target are for rust; this is c"):
        project.build(choice=RustChoice(target=VERACRUZ_TARGET))


@pytest.mark.parametrize(("version", "called"), [("1.63.0", "wasi"), ("1.96.0", "wasip1")])
def test_the_record_has_the_library_of_the_target_that_was_built_for(
    tmp_path, rustc, version, called
):
    tmp_path.joinpath("rust").mkdir()
    rustc("path", version)
    ours = tmp_path / "rust" / "wasm32-unknown-unknown" / "lib"
    theirs = tmp_path / "rust" / f"wasm32-{called}" / "lib"
    for folder, name in ((ours, "libstd-1.rlib"), (theirs, "libstd-2.rlib")):
        folder.mkdir(parents=True)
        folder.joinpath(name).write_bytes(b"")
    found = replace(find_rust(Path(), FOUND), target_libdir=ours)
    assert "libstd-1.rlib" in found.tool().files
    assert "libstd-2.rlib" in found.tool(WASI_TARGET).files
