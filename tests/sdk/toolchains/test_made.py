"""What a module says of its tools, in its section `producers`."""

import pytest

import tlaxcala
from execution_engine.limits import EngineLimits
from execution_engine.wasm.examination import check_module
from sdk.errors import BuildError
from sdk.toolchains.made import Made, Tool, file_digest, producers, with_producers
from support import guests
from support.components import component
from veracruz_utils.digest import Digest

NOP = guests.main("(i32.const 0)")
RUSTC = Tool("rustc", "1.63.0", {"rustc": Digest.of(b"rustc")})
LINKER = Tool("rust-lld", "14.0.6", {})


def named(code, *tools, language="Rust"):
    made = Made(code, language, tools, target="wasm32-unknown-unknown", flags=())
    return with_producers(made).code


def test_a_module_names_its_language_and_its_tools():
    code = named(NOP, RUSTC, LINKER)
    assert producers(code) == {
        "language": {"Rust": ""},
        "processed-by": {"rustc": "1.63.0", "rust-lld": "14.0.6"},
    }
    assert tlaxcala.check(code).certified


def test_what_a_compiler_has_said_stays_and_is_said_once():
    clang = Tool("clang", "14", {})
    once = named(NOP, clang, language="C17")
    twice = named(once, Tool("clang", "15", {}), RUSTC)
    assert producers(twice) == {
        "language": {"C17": "", "Rust": ""},
        "processed-by": {"clang": "14", "rustc": "1.63.0"},
    }
    assert twice.count(b"producers") == 1
    assert named(twice, RUSTC) == twice


def test_a_long_text_is_one_as_well():
    tool = Tool("x", "v" * 300, {})
    assert producers(named(NOP, tool))["processed-by"] == {"x": "v" * 300}


def test_a_component_says_it_as_a_module_does():
    code = named(component("(i32.const 0)"), RUSTC, language="Python")
    check_module(code, limits=EngineLimits())
    assert producers(code)["processed-by"] == {"rustc": "1.63.0"}


def test_what_is_no_module_is_refused():
    with pytest.raises(BuildError, match=r"rustc 1\.63\.0 gives no module"):
        named(b"other", RUSTC)


@pytest.mark.parametrize("code", [b"", NOP, NOP[:-1], b"\0asm\1\0\0\0\0\x0b\x09producers\x01"])
def test_a_module_that_says_nothing_has_no_producers(code):
    assert producers(code) == {}


def test_a_file_that_is_changed_has_another_digest(tmp_path):
    path = tmp_path / "compiler"
    path.write_bytes(b"one")
    assert file_digest(path) == Digest.of(b"one")
    path.write_bytes(b"another")
    assert file_digest(path) == Digest.of(b"another")


def test_a_compiler_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(BuildError, match=r"cannot read .*absent: no such file"):
        Tool.of("absent", "1", tmp_path / "absent")
