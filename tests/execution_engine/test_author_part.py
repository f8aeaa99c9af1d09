"""Where a component ends and what its author wrote begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasmtime import wat2wasm

from execution_engine.author_part import NAME, Parts, parts_of
from execution_engine.code_cache import CodeCache
from execution_engine.compiled_program import CompiledProgram
from execution_engine.errors import EngineError
from execution_engine.limits import EngineLimits
from execution_engine.reader import BinaryError
from execution_engine.run import RunInputs
from sdk.toolchains.python_core import joined
from support.cores import CORE
from support.guests import CountingRandom
from veracruz_utils.policy import Strategy

EMPTY = bytes(wat2wasm("(component)"))


def load(code, cache=None):
    limits = EngineLimits(run_seconds=None)
    return CompiledProgram.load(code, strategy=Strategy.JIT, limits=limits, cache=cache)


def test_a_program_is_its_core_and_the_part_behind_it():
    program = joined(EMPTY, b"words")
    parts = parts_of(program)
    assert program[: parts.core_bytes] == EMPTY
    assert program[parts.author_at :] == b"words"


@pytest.mark.parametrize(
    "code",
    [
        EMPTY,
        joined(EMPTY, b"words") + b"\0\2\1x",  # not the last
        EMPTY + b"\0\x08\x07another",
        EMPTY + b"\0\0",
        EMPTY + b"\0\1\x7f",
        joined(EMPTY + b"\0\2\1x" * 20_000, b"words"),  # more than are looked at
    ],
)
def test_whatever_else_is_all_core(code):
    assert parts_of(code) == Parts(len(code), len(code))


@given(st.binary(max_size=40))
def test_arbitrary_bytes_have_parts_or_are_no_component(data):
    code = EMPTY + data
    try:
        parts = parts_of(code)
    except BinaryError:
        return
    assert 8 <= parts.core_bytes <= parts.author_at <= len(code)
    assert (parts.core_bytes == len(code)) or NAME in code


def test_programs_of_one_core_share_its_compiled_code_and_each_has_its_part():
    cache = CodeCache.in_memory()
    for part, compiled in ((b"", True), (b"one", False), (b"another", False)):
        program = joined(CORE, part) if part else CORE
        with load(program, cache) as loaded:
            assert loaded.compiled is compiled
            outcome = loaded.run(RunInputs(), random=CountingRandom())
        assert outcome.return_code == len(part)


def test_a_part_counts_towards_the_size_that_a_policy_allows():
    limits = EngineLimits(run_seconds=None, module_bytes=len(CORE) + 100)
    with pytest.raises(EngineError, match="program_bytes"):
        CompiledProgram.load(joined(CORE, bytes(200)), strategy=Strategy.JIT, limits=limits)
