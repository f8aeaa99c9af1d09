"""From what wasmtime reports to our errors."""

import re
from collections.abc import Iterable
from typing import Final, NoReturn

from wasmtime import Trap, WasmtimeError
from wasmtime import TrapCode as Cause

from execution_engine import _capi
from execution_engine.errors import EngineError, Frame, LimitCode, LimitError, TrapCode, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.text import printable, sanitised
from veracruz_utils.errors import VeracruzError

_CODES: Final = {
    Cause.STACK_OVERFLOW: TrapCode.STACK_OVERFLOW,
    Cause.MEMORY_OUT_OF_BOUNDS: TrapCode.OUT_OF_BOUNDS_MEMORY,
    Cause.TABLE_OUT_OF_BOUNDS: TrapCode.OUT_OF_BOUNDS_TABLE,
    Cause.INDIRECT_CALL_TO_NULL: TrapCode.INDIRECT_CALL_TO_NULL,
    Cause.BAD_SIGNATURE: TrapCode.INDIRECT_CALL_TYPE,
    Cause.INTEGER_OVERFLOW: TrapCode.INTEGER_OVERFLOW,
    Cause.INTEGER_DIVISION_BY_ZERO: TrapCode.INTEGER_DIVIDE_BY_ZERO,
    Cause.BAD_CONVERSION_TO_INTEGER: TrapCode.INVALID_CONVERSION,
    Cause.UNREACHABLE: TrapCode.UNREACHABLE,
}
# The same, in the words of the engine.
_TRAPPED: Final = re.compile(r"(?:[0-9]+: )?wasm trap: (.*)")
_INTERRUPT: Final = "interrupt"
_OUT_OF_FUEL: Final = "all fuel consumed by WebAssembly"
_TOO_MUCH: Final = "fuel allocated for hostcalls has been exhausted"
_CAUSES: Final = {
    "call stack exhausted": TrapCode.STACK_OVERFLOW,
    "out of bounds memory access": TrapCode.OUT_OF_BOUNDS_MEMORY,
    "undefined element: out of bounds table access": TrapCode.OUT_OF_BOUNDS_TABLE,
    "uninitialized element": TrapCode.INDIRECT_CALL_TO_NULL,
    "indirect call type mismatch": TrapCode.INDIRECT_CALL_TYPE,
    "integer overflow": TrapCode.INTEGER_OVERFLOW,
    "integer divide by zero": TrapCode.INTEGER_DIVIDE_BY_ZERO,
    "invalid conversion to integer": TrapCode.INVALID_CONVERSION,
    "wasm `unreachable` instruction executed": TrapCode.UNREACHABLE,
}


def engine_error(error: Trap | WasmtimeError, limits: EngineLimits) -> EngineError:
    """Our error for what a guest, its time or its fuel brought about, or a store did not allow."""
    if isinstance(error, Trap):
        return _trap_error(error, limits)
    if "limit" in str(error):
        return LimitError(LimitCode.MEMORY, "memory or tables exceed it at the start")
    return TrapError(
        TrapCode.HOST_FAILURE,
        "the engine has no room for the program: give its process more address space",
        debug=sanitised(error),
    )


def component_error(error: WasmtimeError, limits: EngineLimits) -> EngineError:
    """`engine_error` of a component, for which the engine tells a trap's cause in words alone.

    The cause is the last line of what it says; nothing of the guest's comes after it.
    """
    last = str(error).rstrip().rpartition("\n")[2].strip()
    if _TOO_MUCH in last:
        return TrapError(
            TrapCode.OUT_OF_BOUNDS_HOST_CALL, "a list is larger than one host call can carry"
        )
    trapped = _TRAPPED.fullmatch(last)
    if trapped is None:
        return engine_error(error, limits)
    cause = trapped[1]
    if cause == _INTERRUPT:
        return _time_error(limits)
    if cause == _OUT_OF_FUEL:
        return _fuel_error(limits)
    code = _CAUSES.get(cause, TrapCode.OTHER)
    return TrapError(code, frames=_named(_capi.error_frames(error)))


def _time_error(limits: EngineLimits) -> LimitError:
    return LimitError(LimitCode.TIME, f"the limit is {limits.run_seconds:g} s")


def _fuel_error(limits: EngineLimits) -> LimitError:
    return LimitError(LimitCode.FUEL, f"the limit is {limits.fuel} units")


def _trap_error(trap: Trap, limits: EngineLimits) -> EngineError:
    cause = _capi.trap_code(trap)
    if cause is Cause.INTERRUPT:
        return _time_error(limits)
    if cause is Cause.OUT_OF_FUEL:
        return _fuel_error(limits)
    code = TrapCode.OTHER if cause is None else _CODES.get(cause, TrapCode.OTHER)
    return TrapError(code, frames=_frames(trap))


def raise_host_failure(failures: list[BaseException]) -> NoReturn:
    """Raise what a host call raised, without the frames that saw guest memory.

    Our own errors and interrupts come out as they are; anything else is a failure of the host.
    """
    failure = failures.pop().with_traceback(None)
    try:
        if isinstance(failure, VeracruzError) or not isinstance(failure, Exception):
            raise failure from failure.__cause__
        raise TrapError(TrapCode.HOST_FAILURE, type(failure).__name__) from failure
    finally:
        del failure  # or error and frame would keep each other, and the run's result, alive


def _frames(trap: Trap) -> tuple[Frame, ...]:
    return _named(_capi.trap_frames(trap))


def _named(frames: Iterable[tuple[int, int | None, str | None]]) -> tuple[Frame, ...]:
    return tuple(
        Frame(function, offset, None if name is None else printable(name, 64))
        for function, offset, name in frames
    )
