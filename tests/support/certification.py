"""What certification must mean, whatever the bytes: asked of Tlaxcala, the engine and another."""

from functools import cache

import wasmtime

from execution_engine import EngineLimits, ModuleRefusedError, Program, Refusal
from tlaxcala import Report, check
from tlaxcala.rules import RULES_OF_THE_ENGINE
from veracruz_utils.policy import Strategy


def assert_certified_exactly_if_it_runs(code: bytes) -> Report:
    """Tlaxcala's report; it says of `code` what the engine does with it, under each strategy.

    What is certified loads, can be called, and can be set up by an engine that is not ours; what is
    refused by a rule of the engine, the engine refuses for the same.
    """
    report = check(code)
    for strategy in Strategy:
        refusal, runs = _load(code, strategy)
        assert report.certified is runs, f"{strategy.value}: {refusal or report.findings}"
        if refusal is None:
            assert report.profile is not None
        else:
            assert report.findings[0].code == RULES_OF_THE_ENGINE[refusal].code
    return report


def _load(code: bytes, strategy: Strategy) -> tuple[Refusal | None, bool]:
    """Why the engine refuses it, if it does; and whether it can run."""
    try:
        program = Program.load(code, strategy=strategy, limits=EngineLimits())
    except ModuleRefusedError as error:
        return error.code, False
    with program:
        return None, program.summary.runnable and _can_be_set_up(code)


@cache
def _other_engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.parallel_compilation = False
    return wasmtime.Engine(config)


def _can_be_set_up(code: bytes) -> bool:
    with (
        wasmtime.Module(_other_engine(), code) as module,
        wasmtime.Linker(_other_engine()) as linker,
        wasmtime.Store(_other_engine()) as store,
    ):
        linker.define_unknown_imports_as_traps(module)
        try:
            linker.instantiate(store, module)
        except wasmtime.Trap:
            return False
        return True
