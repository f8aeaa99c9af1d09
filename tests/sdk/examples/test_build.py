from pathlib import Path

import pytest

from sdk.errors import BuildError, StaleModuleError
from sdk.examples import build, programs
from sdk.toolchains import zig
from sdk.toolchains.made import Tool, with_producers
from sdk.toolchains.record import json_of
from sdk.toolchains.sources import source_folder

IN_C = [name for name in programs.NAMES if build.language_of(name) == "c"]
pytestmark = pytest.mark.timeout(600)  # the compiler's first run fills its cache


def test_every_example_is_shipped_and_explained():
    examples = source_folder("examples")
    folders = {folder.name for folder in examples.iterdir()}
    in_python = {name for name in folders if examples.joinpath(name, "main.py").is_file()}
    assert sorted(folders - in_python) == sorted(programs.NAMES)
    assert all(examples.joinpath(name, "README.md").is_file() for name in folders)


def test_the_modules_do_not_depend_on_where_or_when_they_are_built(tmp_path, monkeypatch):
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(tmp_path / "another cache"))
    elsewhere = tmp_path / "a b"
    library = source_folder("c")
    for file in ("veracruz.c", "include/veracruz.h"):
        _copy(library / file, elsewhere / file)
    example = source_folder("examples") / "forest-inference"
    source = _copy(example / "main.c", elsewhere / "x.c")
    module = zig.compile_c([elsewhere / "veracruz.c", source], include=elsewhere / "include")
    assert with_producers(zig.made_by_zig(module, "c")).code == programs.load("forest-inference")


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return target


def test_the_examples_are_written_where_they_are_wanted(tmp_path):
    build.write_examples(tmp_path, language="c")
    assert {file.stem: file.read_bytes() for file in tmp_path.glob("*.wasm")} == {
        name: programs.load(name) for name in IN_C
    }


def test_a_module_that_differs_is_named(tmp_path):
    build.write_examples(tmp_path, language="c")
    module = tmp_path / "forest-inference.wasm"
    module.write_bytes(module.read_bytes() + b"\0")
    with pytest.raises(StaleModuleError, match=r"forest-inference: .* its source builds"):
        build.check_examples(tmp_path, language="c")


def test_a_module_that_another_compiler_built_is_told_as_that(tmp_path):
    build.write_examples(tmp_path, language="c")
    tmp_path.joinpath("forest-inference.wasm").write_bytes(programs.load("nop"))
    with pytest.raises(StaleModuleError, match=r"by the same compiler \(zig 0\.17\.1\) its source"):
        build.check_examples(tmp_path, language="c")
    other = {"forest-inference": (Tool("zig", "0.9.0", {}),)}
    tmp_path.joinpath(build.COMPILERS).write_bytes(json_of(other))
    said = r"another compiler \(found zig 0\.17\.1, the record says zig 0\.9\.0\)"
    with pytest.raises(StaleModuleError, match=said):
        build.check_examples(tmp_path, language="c")


def test_a_module_that_is_missing_is_named(tmp_path):
    with pytest.raises(StaleModuleError, match=r"forest-inference\.wasm: No such file"):
        build.check_examples(tmp_path, language="c")


def test_a_source_that_does_not_compile_is_an_error_with_the_compilers_words(tmp_path):
    source = tmp_path / "broken.c"
    source.write_text("#include <veracruz.h>\nVC_ENTRY int32_t program(void) { return x; }\n")
    with pytest.raises(
        BuildError, match=r"cannot build .*broken.c:(?s:.*)undeclared identifier 'x'"
    ):
        zig.compile_c([source], include=source_folder("c") / "include")


def test_a_source_that_loses_bits_is_refused(tmp_path):
    source = tmp_path / "careless.c"
    source.write_text(
        "#include <veracruz.h>\n"
        "VC_ENTRY int32_t program(void) { uint64_t n = vc_input_count(); return n; }\n"
    )
    with pytest.raises(BuildError, match="implicit conversion"):
        zig.compile_c([source], include=source_folder("c") / "include")


def test_a_missing_compiler_is_named_with_its_remedy(monkeypatch, tmp_path):
    def missing(name):
        raise zig.PackageNotFoundError(name)

    monkeypatch.setattr(zig, "version", missing)
    with pytest.raises(BuildError, match=r"compiler is missing: pip install ziglang==0\.17\.1"):
        zig.compile_c([], include=tmp_path)


def test_another_version_of_the_compiler_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(zig, "version", lambda name: "0.13.0")
    with pytest.raises(BuildError, match=r"ziglang is version 0\.13\.0, expected 0\.17\.1"):
        zig.compile_c([], include=tmp_path)
