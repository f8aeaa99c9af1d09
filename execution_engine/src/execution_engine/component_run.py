"""One run of a component: what it imports is offered to it, and its `main` is called."""

from collections.abc import Iterable

from wasmtime import Engine, Store, WasmtimeError
from wasmtime.component import Component, Linker

from execution_engine import _component_capi as capi
from execution_engine import abi, world
from execution_engine.binary import Import
from execution_engine.component_host import ComponentHost
from execution_engine.errors import TrapError
from execution_engine.limits import EngineLimits
from execution_engine.run import Trace
from execution_engine.traps import component_error, raise_host_failure


def run_component(
    engine: Engine,
    component: Component,
    store: Store,
    host: ComponentHost,
    imports: Iterable[Import],
    *,
    limits: EngineLimits,
    trace: Trace | None,
) -> int:
    """What `main` returns, in a store whose limits are set.

    Raises:
        TrapError: the program ended itself.
        LimitError: it reached a limit.
    """
    failures: list[BaseException] = []
    functions = [world.FUNCTIONS[one.name] for one in imports]
    # They live until the component has returned, and nothing of it runs afterwards.
    callbacks = {
        function.name: capi.host_function(
            function.result, host.component_call(function.call, trace), failures
        )
        for function in functions
    }
    with Linker(engine) as linker:
        if callbacks:
            with linker.root() as root, root.add_instance(world.INTERFACE) as place:
                for name, callback in callbacks.items():
                    capi.define(place, name, callback)
        try:
            return capi.call_main(linker, store, component, abi.ENTRY_POINT)
        except WasmtimeError as error:
            if failures:
                raise_host_failure(failures)
            found = component_error(error, limits)
            if isinstance(found, TrapError):
                found.message = host.message()
            raise found from None
