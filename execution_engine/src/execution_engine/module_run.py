"""One run of a core module: the host calls are offered to it, and its `main` is called."""

from collections.abc import Mapping

from wasmtime import Engine, FuncType, Linker, Module, Store, Trap, TrapCode

from execution_engine import _capi, abi
from execution_engine.interface import ModuleSummary
from execution_engine.module_host import GuestMemory, ModuleHost


def call_types(summary: ModuleSummary) -> Mapping[str, FuncType]:
    """The types of the host calls that a module imports, made once for all of its runs."""
    return {
        one.name: _capi.host_function_type(len(abi.IMPORTS[one.name].params))
        for one in summary.imports
        if one.module == abi.MODULE
    }


def run_module(
    engine: Engine,
    module: Module,
    store: Store,
    host: ModuleHost,
    *,
    summary: ModuleSummary,
    types: Mapping[str, FuncType],
) -> int:
    """What `main` returns, or the code with which it left, in a store whose limits are set.

    Raises:
        Trap: the module ended itself.
        WasmtimeError: it ended itself, or a limit of the store does not allow it.
    """
    # Nothing of the module runs any more when they go.
    callbacks = {
        name: _capi.host_function(len(call.params), host.call(call.name), host.failures)
        for name, call in abi.IMPORTS.items()
        if name in types
    }
    # Explicitly closed: what a guest knew must not wait for the garbage collector.
    with Linker(engine) as linker:
        for name, callback in callbacks.items():
            _capi.define(linker, abi.MODULE, name, types[name], callback)
        instance = _capi.RawInstance(linker, store, module)
        host.attach(
            GuestMemory(instance.memory(abi.MEMORY)),
            message_at=instance.i32_reader(abi.MESSAGE),
        )
        arguments = (0,) * len(summary.entry.params) if summary.entry else ()
        try:
            if summary.has_initialize:
                instance.call(abi.INITIALIZER, (), results=0)
            return instance.call(abi.ENTRY_POINT, arguments, results=1)[0]
        except Trap as trap:
            if (code := _exit_code(trap, instance)) is None:
                raise
            return code


def _exit_code(trap: Trap, instance: _capi.RawInstance) -> int | None:
    """The code with which a module left from within, if the trap is that of one that did.

    It might as well have returned the code from `main`: nothing is gained by saying so here.
    """
    if _capi.trap_cause(trap) is not TrapCode.UNREACHABLE:
        return None
    said = instance.i64(abi.EXIT) or 0
    return _signed(said) if said >> 32 == abi.EXITED else None


def _signed(word: int) -> int:
    return (word & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
