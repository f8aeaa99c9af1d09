"""The record of a build: what it says, how it is read, and how another compiler is told."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from sdk.cli import main
from sdk.errors import ProjectError
from sdk.toolchains.made import Made, Tool, producers
from sdk.toolchains.record import (
    BuildRecord,
    differences,
    read_record,
    source_digests,
    tool_differences,
)
from veracruz_utils.digest import Digest

pytestmark = pytest.mark.timeout(600)  # the compiler's first run fills its cache
ONE, OTHER = Digest.of(b"one"), Digest.of(b"other")
RUSTC = Tool("rustc", "1.63.0", {"rustc": ONE})


@pytest.fixture
def record(tmp_path):
    folder = tmp_path / "program"
    folder.mkdir()
    folder.joinpath("main.rs").write_text("fn main() {}")
    folder.joinpath("Cargo.lock").write_text("version = 3")
    made = Made(b"\0asm", "Rust", (RUSTC,), "wasm32-unknown-unknown", ("-O", "-g"), debug=True)
    return BuildRecord.of(made, language="rust", folder=folder, libraries=[folder])


def test_a_record_is_read_as_it_was_written(record):
    assert BuildRecord.from_json(record.to_json()) == record
    assert record.module == Digest.of(b"\0asm")
    assert record.lock == Digest.of(b"version = 3") == record.sources["Cargo.lock"]
    assert differences(record, record) == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", 2, "its format is 2, expected 1"),
        ("module", "ab", "'ab' is not 64 lowercase hexadecimal digits"),
        ("module", None, "module is 'None', expected text"),
        ("tools", [{"name": "rustc"}], "a tool has the keys name, version and files"),
        ("tools", {}, "expected a list"),
        ("sources", [], "expected an object"),
        ("debug", 1, "expected true or false"),
        ("flags", [1], "expected text"),
        ("more", 1, "'more' is missing or unknown"),
    ],
)
def test_a_record_that_is_malformed_is_refused(record, key, value, said):
    raw = json.dumps(json.loads(record.to_json()) | {key: value}).encode()
    with pytest.raises(ProjectError, match="the record of the build is malformed") as caught:
        BuildRecord.from_json(raw)
    assert said in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"\xff", b'{"format": 1, "format": 1}'])
def test_what_is_no_record_is_refused(tmp_path, raw):
    path = tmp_path / "a.build.json"
    path.write_bytes(raw)
    with pytest.raises(ProjectError, match="malformed"):
        read_record(path)


def test_another_compiler_is_told_with_both_versions():
    (said,) = tool_differences((RUSTC,), (replace(RUSTC, version="1.99.1"),))
    assert said == "another compiler (found rustc 1.99.1, the record says rustc 1.63.0)"
    (said,) = tool_differences((RUSTC,), (replace(RUSTC, files={"rustc": OTHER}),))
    assert said.startswith("another compiler of the same version (found a rustc 1.63.0 whose rustc")
    assert ONE.short in said
    assert OTHER.short in said
    assert tool_differences((RUSTC,), (RUSTC,)) == []


def test_every_other_difference_is_told_by_name(record):
    sources = {"main.rs": OTHER, "more.rs": ONE}
    other = replace(
        record, sources=sources, guest_library=OTHER, target="wasm64", flags=(), machine="x"
    )
    library = (
        f"another guest library: found {OTHER.short} (SDK {other.sdk}), "
        f"the record says {record.guest_library.short} (SDK {record.sdk})"
    )
    assert differences(record, other) == [
        "Cargo.lock is not there",
        "main.rs is not what the record says",
        "more.rs is not in the record",
        library,
        f"another machine: found x, the record says {record.machine}",
        "another target: found wasm64, the record says wasm32-unknown-unknown",
        "another flags: found none, the record says -O -g",
    ]


def test_the_sources_are_the_files_that_a_program_is_built_from(tmp_path):
    for name in ("src/main.rs", "data.csv", "tests/a.toml", "target/a", ".git/a", "a.wasm",
                 "a.build.json", ".hidden", "b/target/c"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert source_digests(tmp_path) == {
        "data.csv": Digest.of(b"data.csv"), "src/main.rs": Digest.of(b"src/main.rs"),
    }  # fmt: skip


def test_a_build_is_recorded_and_repeated_and_a_change_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def sdk(*arguments):
        return CliRunner().invoke(main, arguments)

    sdk("new", "mine")
    built = json.loads(sdk("build", "mine", "--json").stdout)
    kept = tmp_path.joinpath("mine", "mine.build.json").read_bytes()
    record = BuildRecord.from_json(kept)
    module = tmp_path / "mine" / "mine.wasm"
    code = module.read_bytes()
    assert str(record.module) == built["digest"]
    assert producers(code)["processed-by"] == {"zig": record.tools[0].version}
    assert sdk("check-build", "mine").exit_code == 0
    assert sdk("build", "mine").exit_code == 0
    assert tmp_path.joinpath("mine", "mine.build.json").read_bytes() == kept

    module.write_bytes(code + b"\0\1\0")
    done = sdk("check-build", "mine")
    assert (done.exit_code, f"the record says {record.module.short}" in done.stdout) == (1, True)
    module.write_bytes(code)

    source = tmp_path / "mine" / "main.c"
    source.write_text(source.read_text().replace("sum = 0", "sum = 1"))
    done = sdk("check-build", "mine")
    assert (done.exit_code, "main.c is not what the record says" in done.stdout) == (1, True)
    assert module.read_bytes() == code


def test_names_that_are_not_utf_8_are_told(tmp_path):
    tmp_path.joinpath(b"n\xff.c".decode(errors="surrogateescape")).touch()
    with pytest.raises(ProjectError, match="is not UTF-8: rename it"):
        source_digests(tmp_path)


def test_what_has_no_end_is_not_read(tmp_path):
    tmp_path.joinpath("endless.txt").symlink_to("/dev/zero")
    with pytest.raises(ProjectError, match=r"endless\.txt is no file"):
        source_digests(tmp_path)
