"""Compiled code that is kept: found again, and never believed when it is not what was kept."""

import os

import pytest
import wasmtime

from execution_engine import code_tag
from execution_engine.code_cache import CodeCache
from execution_engine.compiled_program import settings_of
from execution_engine.errors import EngineError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from execution_engine.strategy import EngineSettings
from support.guests import CountingRandom, main
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Strategy
from veracruz_utils.secret import Secret

CODE = main("(i32.const 7)")
LIMITS = EngineLimits()
PROGRAM = Digest.of(b"program")
SETTINGS = EngineSettings(Strategy.JIT)


class Shelf:
    """A store that the test reads and writes too."""

    def __init__(self):
        self.entries = {}

    def read(self, name):
        return self.entries.get(name)

    def write(self, name, entry):
        self.entries[name] = entry


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def cache(shelf):
    return CodeCache(shelf, Secret(bytes(32)))


def load(cache, strategy=Strategy.JIT, limits=LIMITS, code=CODE, **how):
    """Whether loading compiled; what was loaded runs as it should."""
    with Program.load(code, strategy=strategy, limits=limits, cache=cache, **how) as program:
        assert program.run(RunInputs(), random=CountingRandom()).return_code == 7
        return program.compiled


def test_a_program_is_compiled_once_for_each_strategy(cache, strategy):
    assert load(cache, strategy)
    assert not load(cache, strategy)


def test_without_a_cache_every_load_compiles():
    assert load(None)
    assert load(None)


def test_a_found_program_is_not_compiled(cache, monkeypatch):
    load(cache)
    monkeypatch.setattr(wasmtime.Module, "__init__", lambda *_: pytest.fail("it was compiled"))
    assert not load(cache)


@pytest.mark.parametrize(
    "other",
    [
        {"strategy": Strategy.INTERPRETATION},
        {"limits": EngineLimits(fuel=10**6)},
        {"limits": EngineLimits(run_seconds=None)},
        {"limits": EngineLimits(stack_bytes=2**20)},
        {"canonical_nans": True},
        {"code": main("(i32.const 3) (i32.add (i32.const 4))")},
    ],
)
def test_another_program_or_other_settings_are_compiled_anew(cache, other):
    load(cache)
    assert load(cache, **other)
    assert not load(cache)
    assert not load(cache, **other)


def test_limits_that_are_no_settings_share_the_code_and_are_checked(cache):
    load(cache)
    assert not load(cache, limits=EngineLimits(output_bytes=1))
    with pytest.raises(EngineError, match="module-too-large"):
        load(cache, limits=EngineLimits(module_bytes=1))


def test_any_change_of_an_entry_makes_it_none(cache, shelf):
    cache.keep(PROGRAM, SETTINGS, b"compiled code")
    ((name, entry),) = shelf.entries.items()
    for place in range(len(entry)):
        for bit in range(8):
            changed = bytearray(entry)
            changed[place] ^= 1 << bit
            shelf.entries[name] = bytes(changed)
            assert cache.find(PROGRAM, SETTINGS) is None
    for size in range(len(entry)):
        shelf.entries[name] = entry[:size]
        assert cache.find(PROGRAM, SETTINGS) is None
    shelf.entries[name] = entry + b"\0"
    assert cache.find(PROGRAM, SETTINGS) is None
    shelf.entries[name] = entry
    assert cache.find(PROGRAM, SETTINGS) == b"compiled code"


def test_what_is_not_authentic_never_reaches_the_engine_and_is_replaced(
    cache, shelf, monkeypatch, strategy
):
    load(cache, strategy)
    ((name, entry),) = shelf.entries.items()
    monkeypatch.setattr(wasmtime.Module, "deserialize", lambda *_: pytest.fail("it was believed"))
    for place in range(0, len(entry), max(1, len(entry) // 50)):
        changed = bytearray(entry)
        changed[place] ^= 0x10
        shelf.entries[name] = bytes(changed)
        assert load(cache, strategy)
        assert shelf.entries[name] != bytes(changed)
    monkeypatch.undo()
    assert not load(cache, strategy)


def test_an_entry_under_another_key_is_none(cache, shelf):
    CodeCache(shelf, Secret(b"\1" * 32)).keep(PROGRAM, SETTINGS, b"compiled code")
    assert len(shelf.entries) == 1
    assert cache.find(PROGRAM, SETTINGS) is None


def test_an_entry_in_the_place_of_another_is_none(cache, shelf):
    others = [(Digest.of(b"other"), SETTINGS), (PROGRAM, EngineSettings(Strategy.INTERPRETATION))]
    for program, settings in [(PROGRAM, SETTINGS), *others]:
        cache.keep(program, settings, b"compiled code")
    name, *names = shelf.entries
    for other in names:
        shelf.entries[name] = shelf.entries[other]
        assert cache.find(PROGRAM, SETTINGS) is None


def test_code_of_another_version_of_the_engine_is_none(cache, shelf, monkeypatch):
    cache.keep(PROGRAM, SETTINGS, b"compiled code")
    (entry,) = shelf.entries.values()
    monkeypatch.setattr(code_tag, "engine_version", lambda: "wasmtime 51.0.0")
    assert cache.find(PROGRAM, SETTINGS) is None
    cache.keep(PROGRAM, SETTINGS, b"newer code")
    *_, name = shelf.entries
    shelf.entries[name] = entry
    assert cache.find(PROGRAM, SETTINGS) is None


def test_authentic_code_that_the_engine_does_not_take_is_compiled_anew(cache):
    for code in (b"", b"\x7fELF", b"compiled for another processor"):
        cache.keep(Digest.of(CODE), settings_of(Strategy.JIT, LIMITS), code)
        assert load(cache)
    assert not load(cache)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_has_32_bytes(shelf, size):
    with pytest.raises(ValueError, match="32"):
        CodeCache(shelf, Secret(bytes(size)))


@pytest.fixture(params=["memory", "directory"])
def bounded(request, tmp_path):
    """A cache with room for two entries of 900 bytes."""
    if request.param == "memory":
        return CodeCache.in_memory(max_bytes=2000)
    return CodeCache.in_directory(tmp_path / "cache", max_bytes=2000)


def test_room_is_made_by_the_entry_that_was_not_used_for_longest(bounded, tmp_path):
    one, two, three = (Digest.of(bytes([number])) for number in range(3))
    for number, program in enumerate((one, two)):
        bounded.keep(program, SETTINGS, bytes(900))
        for file in tmp_path.glob("cache/*.code"):
            os.utime(file, ns=(number, min(number, file.stat().st_mtime_ns)))
    assert bounded.find(one, SETTINGS) == bytes(900)
    bounded.keep(three, SETTINGS, bytes(900))
    assert [bounded.find(each, SETTINGS) is None for each in (one, two, three)] == [
        False, True, False,
    ]  # fmt: skip
    bounded.keep(two, SETTINGS, bytes(2001))
    assert bounded.find(two, SETTINGS) is None
    assert bounded.find(three, SETTINGS) is not None


class TestInADirectory:
    def test_a_program_is_found_by_the_next_process(self, tmp_path):
        assert load(CodeCache.in_directory(tmp_path / "a" / "b"))
        assert not load(CodeCache.in_directory(tmp_path / "a" / "b"))

    def test_only_the_user_may_read_what_is_in_it(self, tmp_path):
        folder = tmp_path / "cache"
        load(CodeCache.in_directory(folder))
        assert folder.stat().st_mode & 0o777 == 0o700
        files = list(folder.iterdir())
        assert len(files) == 2
        assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)

    @pytest.mark.parametrize("garbage", [b"", b"\0" * 31, b"\x7fELF" * 1000])
    def test_garbage_in_it_is_compiled_anew(self, tmp_path, garbage):
        cache = CodeCache.in_directory(tmp_path)
        load(cache)
        (file,) = tmp_path.glob("*.code")
        file.write_bytes(garbage)
        assert load(cache)
        assert not load(cache)

    def test_a_link_or_a_folder_in_the_place_of_an_entry_is_none(self, tmp_path):
        cache = CodeCache.in_directory(tmp_path)
        load(cache)
        (file,) = tmp_path.glob("*.code")
        file.rename(tmp_path / "elsewhere")
        file.symlink_to("elsewhere")
        assert load(cache)
        file.unlink()
        file.mkdir()
        assert load(cache)

    def test_a_key_that_others_may_read_is_refused(self, tmp_path):
        CodeCache.in_directory(tmp_path)
        (tmp_path / "key").chmod(0o640)
        with pytest.raises(EngineError, match="open to others"):
            CodeCache.in_directory(tmp_path)

    def test_a_key_of_another_size_is_refused(self, tmp_path):
        CodeCache.in_directory(tmp_path)
        (tmp_path / "key").write_bytes(bytes(31))
        with pytest.raises(EngineError, match="damaged"):
            CodeCache.in_directory(tmp_path)

    def test_a_linked_key_is_refused(self, tmp_path):
        other = tmp_path / "other"
        CodeCache.in_directory(other)
        (tmp_path / "key").symlink_to(other / "key")
        with pytest.raises(EngineError, match="open to others"):
            CodeCache.in_directory(tmp_path)

    def test_a_folder_that_others_may_write_is_refused(self, tmp_path):
        tmp_path.chmod(0o770)
        with pytest.raises(EngineError, match="open to others"):
            CodeCache.in_directory(tmp_path)

    def test_a_folder_that_cannot_be_made_is_an_error(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(EngineError, match="cannot use the code cache"):
            CodeCache.in_directory(tmp_path / "file" / "cache")

    def test_a_folder_that_went_away_only_costs_the_next_compile(self, tmp_path):
        cache = CodeCache.in_directory(tmp_path / "cache")
        for file in (tmp_path / "cache").iterdir():
            file.unlink()
        (tmp_path / "cache").rmdir()
        assert load(cache)
        assert load(cache)
