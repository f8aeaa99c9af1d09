"""The two ways to run a program, and the one set of features both have.

JIT compiles to machine code with Cranelift. Interpretation compiles, with Cranelift too, to the
byte code of Pulley, which is interpreted: no executable page holds anything of the guest's, but
the compiler stays in the trusted base. Results, traps and fuel are the same; so are the bits of
NaNs where they are made canonical, which costs floating-point code up to twice its time.

The features are WebAssembly 1.0 with sign extension, saturating conversion, bulk memory, multiple
values, tables and values of `funcref` (not of `externref`), fixed-width SIMD, tail calls and
extended constant expressions. Everything else is switched off, so that an engine that comes with
more by default changes nothing.
"""

import os
from importlib.metadata import version
from typing import Final

from wasmtime import Config, Engine

from execution_engine import _capi
from execution_engine.errors import EngineError
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Strategy

ON: Final = ("bulk_memory", "multi_value", "reference_types", "simd", "tail_call")
# Of the engine for components alone: core modules never meet it.
COMPONENT: Final = "component_model"
# Whatever else the library can switch: what a later one has besides is off until it is asked for.
OFF: Final = tuple(sorted(_capi.FEATURES - {*ON, COMPONENT}))

# What the thread that runs a guest has besides the guest's stack: room for host calls.
HOST_STACK_BYTES: Final = 8 * 1024 * 1024

# With less the engine aborts the process where it should report an overflow.
_LEAST_STACK_BYTES: Final = 64 * 1024
_MOST_STACK_BYTES: Final = 64 * 1024 * 1024

# Reserved, not touched: a 32-bit memory never moves, so that a view of it stays valid.
_RESERVATION_BYTES: Final = 4 * 1024 * 1024 * 1024

COMPILE_THREADS: Final = 2
"""Of a compiler that may use them: a machine has other things to do."""

# Of one run at a time: one for each of the host's functions, and the library's own.
_CALLBACKS: Final = 100

# Read once, at import: an isolate has no file to read it from.
_VERSION: Final = f"wasmtime {version('wasmtime')}"


def warm_up() -> None:
    """Take what runs need of a process and may not get later: executable memory for callbacks.

    And say how many threads may compile, which the compiler reads when it first makes them.
    """
    os.environ["RAYON_NUM_THREADS"] = str(COMPILE_THREADS)
    _capi.reserve_callbacks(_CALLBACKS)


def engine_version() -> str:
    """The compiler and its version, for receipts and cache keys: "wasmtime 50.0.1"."""
    return _VERSION


@frozen
class EngineSettings:
    """All that may differ between engines.

    Attributes:
        strategy: machine code, or byte code for an interpreter.
        metered: fuel is counted, at a price in speed.
        interruptible: a run can be ended from outside by the engine's epoch, at a price in speed.
        stack_bytes: the guest's stack. The default is that of the original interpreter, 1 048 576
            values of 8 bytes: 65 536 nested calls fit. From 64 KiB to 64 MiB.
        component: it runs components, and no core modules.
        canonical_nans: every NaN that an instruction makes has the same bits, on every processor
            and by either strategy, at a price in speed for floating-point code.
    """

    strategy: Strategy
    metered: bool = False
    interruptible: bool = False
    stack_bytes: int = 8 * 1024 * 1024
    component: bool = False
    canonical_nans: bool = False

    def __post_init__(self) -> None:
        if not _LEAST_STACK_BYTES <= self.stack_bytes <= _MOST_STACK_BYTES:
            raise EngineError(
                f"stack_bytes is {self.stack_bytes}, "
                f"it must be {_LEAST_STACK_BYTES} to {_MOST_STACK_BYTES}"
            )


def make_engine(settings: EngineSettings, *, threads: bool = False) -> Engine:
    """An engine of these settings; with `threads` it compiles by as many as `warm_up` said.

    Not in a process that forks afterwards, or whose parent has compiled so: their threads do not
    survive a fork, and a compile would wait for them for ever.

    Nothing in the configuration comes from a guest or from the text of a policy: what the engine
    does not like about it would abort the process.
    """
    config = Config()
    if settings.strategy is Strategy.INTERPRETATION:
        config.target = "pulley64"
    features = dict.fromkeys(ON, True) | dict.fromkeys(OFF, False)
    for feature, on in (features | {COMPONENT: settings.component}).items():
        _capi.set_feature(config, feature, on=on)
    config.gc_support = False
    config.shared_memory = False
    config.parallel_compilation = threads
    # Processors differ in the bits of their NaNs, and in nothing else that a program can see.
    config.cranelift_nan_canonicalization = settings.canonical_nans
    _capi.set_wasm_stack(config, settings.stack_bytes)
    # Data is copied into memory, where the engine would map an anonymous file that it makes for it:
    # a guest process can make none. For a program with 12 MiB of data it is 10 ms a run.
    config.memory_init_cow = False
    config.memory_reservation = _RESERVATION_BYTES
    config.memory_may_move = False
    config.epoch_interruption = settings.interruptible
    config.consume_fuel = settings.metered
    engine = Engine(config)
    if engine.is_pulley() != (settings.strategy is Strategy.INTERPRETATION):
        engine.close()
        raise EngineError(f"the engine is not the one for strategy {settings.strategy.value}")
    return engine
