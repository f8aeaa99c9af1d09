"""What certification must mean, whatever the bytes: asked of Tlaxcala, the engine and another."""

from contextlib import suppress
from functools import cache

import wasmtime

from execution_engine.errors import LimitError, ModuleRefusedError, RefusalCode, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from execution_engine.static_limits import is_component
from execution_engine.trace import traced
from support.guests import CountingRandom
from tlaxcala import CertificationReport, check
from tlaxcala.rules import RULES_OF_THE_ENGINE
from veracruz_utils.policy import Strategy

LIMITS = EngineLimits(fuel=20_000, run_seconds=20.0)
"""Short for the run; those that show in a module are the usual ones."""


def assert_certified_exactly_if_it_runs(code: bytes) -> CertificationReport:
    """Tlaxcala's report; it says of `code` what the engine does with it, under each strategy.

    What is certified loads, can be called, and can be set up by an engine that is not ours; what is
    refused by a rule of the engine, the engine refuses for the same. What it calls of the host when
    it runs is among what its profile says it may. Of a component only its outline is known: whether
    setting it up traps, nobody says beforehand, and what it may call is what it imports.
    """
    report = check(code)
    for strategy in Strategy:
        refusal, runs, called = _try(code, strategy)
        assert report.certified is runs, f"{strategy.value}: {refusal or report.findings}"
        if refusal is None:
            known = report.host_calls
            if not is_component(code):
                assert report.profile is not None
                known = report.profile.calls.host_calls
            assert called <= set(known)
        else:
            assert report.findings[0].code == RULES_OF_THE_ENGINE[refusal].code
    return report


def _try(code: bytes, strategy: Strategy) -> tuple[RefusalCode | None, bool, set[str]]:
    """Why the engine refuses it, if it does; whether it can run; the host calls that it makes."""
    called: set[str] = set()
    try:
        program = Program.load(code, strategy=strategy, limits=LIMITS)
    except ModuleRefusedError as error:
        return error.code, False, called
    with program:
        runs = program.summary.runnable and (is_component(code) or _can_be_set_up(code))
        with suppress(TrapError, LimitError):
            program.run(
                RunInputs(inputs=(b"one", b"two")),
                random=CountingRandom(),
                wrap_call=traced(lambda event: called.add(event.name)),
            )
    return None, runs, called


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
