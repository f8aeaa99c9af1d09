import pytest

from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from support.guests import CountingRandom
from veracruz_utils.policy import Strategy


@pytest.fixture(params=list(Strategy), ids=lambda strategy: strategy.value)
def strategy(request):
    return request.param


@pytest.fixture
def run(strategy):
    """Load and run a module once; keywords are limits, or go to `Program.run`."""

    def run(code, inputs=(), streams=(), previous=None, *, random=None, output_sink=None, **limits):
        with Program.load(code, strategy=strategy, limits=EngineLimits(**limits)) as program:
            return program.run(
                RunInputs(inputs, streams, previous),
                random=random or CountingRandom(),
                output_sink=output_sink,
            )

    return run
