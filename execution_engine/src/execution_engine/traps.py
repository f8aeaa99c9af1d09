"""From what wasmtime reports to our errors."""

import re
from typing import Final, NoReturn

from wasmtime import Trap, WasmtimeError
from wasmtime import TrapCode as Cause

from execution_engine import _capi
from execution_engine.errors import EngineError, LimitCode, LimitError, TrapCode, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.text import sanitised
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
# Of a component's trap wasmtime gives the text and no code: the text that it has for each code.
_CAUSES: Final = {_capi.trap_text(cause): cause for cause in Cause}
_PLACE: Final = re.compile(r"[0-9]+: ")
# For these it has no code at all; tests hold them to what the locked version says.
_LIST_TOO_LARGE: Final = "fuel allocated for hostcalls has been exhausted"
_STORE_LIMIT: Final = re.compile("exceeds (memory|table) limits|resource limit exceeded")


def engine_error(error: Trap | WasmtimeError, limits: EngineLimits) -> EngineError:
    """Our error for what a guest, its time or its fuel brought about, or a store did not allow."""
    if isinstance(error, Trap):
        return _trap_error(_capi.trap_cause(error), error, limits)
    text = str(error)
    # The cause comes last; nothing of the guest's comes after it.
    cause = text.rstrip().rpartition("\n")[2].strip()
    if _LIST_TOO_LARGE in cause:
        return TrapError(
            TrapCode.OUT_OF_BOUNDS_HOST_CALL, "a list is larger than one host call can carry"
        )
    if (known := _CAUSES.get(_PLACE.sub("", cause, count=1))) is not None:
        return _trap_error(known, error, limits)
    if _STORE_LIMIT.search(cause):
        return LimitError(LimitCode.MEMORY, "memory or tables exceed it at the start")
    return TrapError(
        TrapCode.HOST_FAILURE,
        "the engine has no room for the program: give its process more address space",
        debug=sanitised(error),
    )


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


def _trap_error(
    cause: Cause | None, error: Trap | WasmtimeError, limits: EngineLimits
) -> EngineError:
    if cause is Cause.INTERRUPT:
        return LimitError(LimitCode.TIME, f"the limit is {limits.run_seconds:g} s")
    if cause is Cause.OUT_OF_FUEL:
        return LimitError(LimitCode.FUEL, f"the limit is {limits.fuel} units")
    code = TrapCode.OTHER if cause is None else _CODES.get(cause, TrapCode.OTHER)
    return TrapError(code, frames=_capi.stack_frames(error))
