from functools import cache, lru_cache

import pytest
from click.testing import CliRunner

from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from platform_services import LinuxRandomSource
from sdk.examples import programs
from sdk.freestanding.cli import main
from support.isolate_rig import RigMaker
from support.python_arrays import load_arrays
from support.shared_work import shared_folder
from veracruz_utils.policy import Strategy

DEFAULT_LIMITS = EngineLimits()


@lru_cache(maxsize=64)  # more than there are examples: a strategy compiles each once
def _loaded(module, strategy, limits):
    return Program.load(module, strategy=strategy, limits=limits)


@cache
def _code_of(name):
    """Of an example; the same object each time, whose hash is known."""
    return programs.load(name)


@pytest.fixture(scope="session", autouse=True)
def _programs_are_closed():
    yield
    _loaded.cache_clear()


@pytest.fixture(scope="session", params=Strategy, ids=lambda strategy: strategy.name.lower())
def strategy(request):
    return request.param


@pytest.fixture(scope="session")
def run_module(strategy):
    """Runs a module on inputs, under each strategy in turn; gives the outcome."""

    def run(module, *inputs, limits=DEFAULT_LIMITS, random=None, **more):
        program = _loaded(module, strategy, limits)
        return program.run(RunInputs(inputs=inputs, **more), random=random or LinuxRandomSource())

    return run


@pytest.fixture(scope="session")
def run_program(run_module):
    """Runs an example program, likewise."""

    def run(name, *inputs, **more):
        return run_module(_code_of(name), *inputs, **more)

    return run


@pytest.fixture(scope="session")
def isolates():
    maker = RigMaker()
    yield maker
    maker.close()


@pytest.fixture(scope="session")
def arrays(tmp_path_factory):
    """`libveracruz.arrays`, as it is in a guest, in this interpreter."""
    pytest.importorskip("ziglang")
    with shared_folder(tmp_path_factory, "python-arrays") as folder:
        return load_arrays(folder)


@pytest.fixture
def freestanding(tmp_path, monkeypatch):
    """Runs a command line of the freestanding engine, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(main, list(map(str, arguments)), input=stdin)

    return invoke


@pytest.fixture
def run(freestanding):
    """Runs its command `run`."""
    return lambda *arguments: freestanding("run", *arguments)


@pytest.fixture
def file(tmp_path):
    """Writes a file and gives its name."""

    def write(content, name="program.wasm"):
        tmp_path.joinpath(name).write_bytes(content)
        return name

    return write
