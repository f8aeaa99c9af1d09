"""The description of the target wasm32-arm-veracruz, and what a current Rust builds for it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import tlaxcala
from execution_engine.reader import BinaryError
from execution_engine.wasm import instructions
from execution_engine.wasm.binary import parse
from sdk import projects
from sdk.examples import EXAMPLES, programs
from sdk.toolchains.sources import source_folder
from support import guests

LIBRARIES = source_folder("c").parent
DESCRIPTOR = LIBRARIES / "targets" / "wasm32-arm-veracruz.json"
MODERN = Path(os.environ.get("VERACRUZ_MODERN_RUST", "/usr"))
LIBRARY_FOLDERS = [*MODERN.glob("lib/*-linux-gnu"), *MODERN.glob("lib/llvm-*/lib")]
SEEN = {
    "LD_LIBRARY_PATH": ":".join(map(str, LIBRARY_FOLDERS)),
    "PATH": os.environ["PATH"],
    "RUSTC": str(MODERN / "bin" / "rustc"),
    "RUSTC_BOOTSTRAP": "1",
}
LEAST_MINOR = 96
"""Of the version of Rust that the description is for."""


def why_not():
    """What is missing of a toolchain that builds for the target; None if nothing is."""
    source = MODERN / "lib" / "rustlib" / "src" / "rust" / "library"
    for path in (MODERN / "bin" / "rustc", MODERN / "bin" / "cargo", source / "Cargo.lock"):
        if not path.exists():
            return f"there is no current Rust with its source: no {path} (VERACRUZ_MODERN_RUST)"
    version = ask("--version")
    minor = re.match(r"rustc 1\.(\d+)\.", version)
    if minor is None or int(minor[1]) < LEAST_MINOR:
        return f"{version.strip()!r} is older than 1.{LEAST_MINOR}"
    return None


def ask(*arguments):
    command = [SEEN["RUSTC"], *arguments]
    return subprocess.run(command, env=SEEN, capture_output=True, check=True, text=True).stdout


REASON = why_not()
needs_modern_rust = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture
def descriptor():
    return json.loads(DESCRIPTOR.read_bytes())


def test_the_target_is_what_the_host_runs(descriptor):
    assert (descriptor["arch"], descriptor["vendor"]) == ("wasm32", "arm")
    assert descriptor["os"] == "unknown"  # what the standard library has an answer for
    assert descriptor["cpu"] == "mvp"
    assert "features" not in descriptor
    assert descriptor["panic-strategy"] == "abort"
    assert descriptor["singlethread"]
    assert descriptor["target-pointer-width"] == 32
    assert "metadata" not in descriptor  # what speaks of the compiler's own targets


def test_the_linker_is_told_what_the_host_expects(descriptor):
    (arguments,) = descriptor["pre-link-args"].values()
    assert {"--no-entry", "--allow-undefined"} <= set(arguments)
    assert "--stack-first" in arguments  # an overflow traps, and overwrites nothing
    assert arguments[arguments.index("-z") + 1] == "stack-size=1048576"


def test_the_description_is_in_the_order_of_its_keys():
    text = DESCRIPTOR.read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


@needs_modern_rust
def test_it_differs_from_the_compilers_own_only_where_it_is_meant_to(descriptor):
    printed = ask("-Zunstable-options", "--print", "target-spec-json",
                  "--target", "wasm32-unknown-unknown")  # fmt: skip
    own = json.loads(printed)
    differ = {key for key in own.keys() | descriptor if own.get(key) != descriptor.get(key)}
    assert differ == {"cpu", "metadata", "pre-link-args", "vendor"}
    added = set(descriptor["pre-link-args"]["wasm-lld"]) - set(own["pre-link-args"]["wasm-lld"])
    assert added == {"--allow-undefined"}


# What came after WebAssembly 1.0: typed select, sign extension, references, bulk memory, vectors.
LATER = {0x1C, *range(0xC0, 0x100)}


@pytest.fixture
def extended(monkeypatch):
    """Says of a module whether it has instructions that WebAssembly 1.0 did not have."""
    steps = [
        instructions._unknown if opcode in LATER else step
        for opcode, step in enumerate(instructions.STEPS)
    ]
    monkeypatch.setattr(instructions, "STEPS", tuple(steps))

    def says(module):
        try:
            return any(
                not instructions.function_shape(module, body) for body in parse(module).bodies
            )
        except BinaryError:
            return True
        return False

    return says


def test_an_extension_is_seen(extended):
    sign_extended = guests.main("(i32.extend8_s (i32.const 0))")
    assert extended(sign_extended)
    assert not extended(programs.load("forest-inference"))  # Zig's compiler is told mvp as well


@pytest.fixture(scope="session")
def modules(tmp_path_factory):
    """Two programs for the target, with `std` and without: it builds the library of both once."""
    folder = tmp_path_factory.mktemp("target")
    projects.new_project(folder / "with", language="rust", std=True)
    shutil.copytree(LIBRARIES / "veracruz_rt", folder / "with" / "veracruz_rt")
    without = folder / "with" / "without"
    without.mkdir()
    shutil.copy(source_folder("examples") / "secret-ballot" / "main.rs", without)
    manifest = folder / "with" / "Cargo.toml"
    said = manifest.read_text().replace('exclude = ["', 'exclude = ["veracruz_rt", "')
    said = said.replace("[dependencies]", '[dependencies]\nveracruz_rt = { path = "veracruz_rt" }')
    said += '[[bin]]\nname = "program"\npath = "src/main.rs"\n'
    said += '[[bin]]\nname = "without"\npath = "without/main.rs"\n'
    manifest.write_text(said)
    vendored = MODERN / "lib" / "rustlib" / "src" / "rust" / "library" / "vendor"
    replaced = 'source.crates-io.replace-with="vendored"'
    done = subprocess.run(
        [MODERN / "bin" / "cargo", "build", "--offline", "--release", "-Zjson-target-spec",
         "-Zbuild-std=std,panic_abort", "--target", DESCRIPTOR,
         "--config", replaced, "--config", f'source.vendored.directory="{vendored}"'],
        cwd=folder / "with",
        env={**SEEN, "CARGO_HOME": str(folder / "home")},
        capture_output=True,
        check=False,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    built = folder / "with" / "target" / "wasm32-arm-veracruz" / "release"
    return {path.stem: path.read_bytes() for path in built.glob("*.wasm")}


@needs_modern_rust
@pytest.mark.timeout(900)
def test_what_is_built_needs_no_extension(extended, modules):
    assert [name for name, module in modules.items() if extended(module)] == []


@needs_modern_rust
@pytest.mark.timeout(900)
def test_a_program_with_std_runs(run_module, modules):
    assert tlaxcala.check(modules["program"]).certified
    numbers = b"\2" + (40).to_bytes(8, "little") + (2).to_bytes(8, "little")
    assert run_module(modules["program"], numbers, b"\0").output == (42).to_bytes(8, "little")
    assert run_module(modules["program"], b"\1").return_code == -4


@needs_modern_rust
@pytest.mark.timeout(900)
def test_a_program_without_std_runs(run_module, modules):
    assert tlaxcala.check(modules["without"]).certified
    example = EXAMPLES["secret-ballot"]
    case = example.generate(1, 40)
    outcome = run_module(modules["without"], *case.inputs)
    assert outcome.return_code == 0
    assert example.fault(case, [outcome.output]) is None
