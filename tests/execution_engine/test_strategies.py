"""One semantics: any program gives the same results, traps, fuel and bits under both strategies."""

from random import Random

from hypothesis import event, given, settings
from hypothesis import strategies as st

from execution_engine.errors import LimitError, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from support.guests import CountingRandom, main
from support.wasm_programs import Writer
from veracruz_utils.policy import Strategy

LIMITS = EngineLimits(fuel=2_000_000, memory_bytes=8 * 65536)


def seen(code, strategy):
    """All that a run shows."""
    with Program.load(code, strategy=strategy, limits=LIMITS, canonical_nans=True) as program:
        try:
            outcome = program.run(RunInputs(), random=CountingRandom())
        except TrapError as error:
            # Not the offsets: compiled code folds a load into the instruction that uses it.
            return error.code, [frame.function for frame in error.frames]
        except LimitError as error:
            return error.code
        return outcome.return_code, outcome.output, outcome.fuel, outcome.memory_peak


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_programs_show_the_same_under_both_strategies(seed):
    instructions, fields = Writer(Random(seed)).program()
    result = "(call $write_output (i32.const 0) (i32.const 65536))"
    code = main(f"{instructions} {result}", fields=fields)
    compiled, interpreted = (seen(code, strategy) for strategy in Strategy)
    event(str(compiled[0] if isinstance(compiled, tuple) else compiled))
    assert compiled == interpreted
