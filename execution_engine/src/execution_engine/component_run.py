"""One run of a component: what it imports is offered to it, and its `main` is called."""

from wasmtime import Engine, Store
from wasmtime.component import Component, Linker

from execution_engine import _component_capi as capi
from execution_engine import abi, world
from execution_engine.component_host import ComponentHost
from execution_engine.interface import ModuleSummary


def run_component(
    engine: Engine,
    component: Component,
    store: Store,
    host: ComponentHost,
    *,
    summary: ModuleSummary,
) -> int:
    """What `main` returns; as `module_run.run_module`.

    Raises:
        WasmtimeError: the component ended itself, or a limit of the store does not allow it.
    """
    functions = [world.FUNCTIONS[one.name] for one in summary.imports]
    # Nothing of the component runs any more when they go.
    callbacks = {
        each.name: capi.host_function(each.result, host.call(each.call), host.failures)
        for each in functions
    }
    with Linker(engine) as linker:
        if callbacks:
            with linker.root() as root, root.add_instance(world.INTERFACE) as place:
                for name, callback in callbacks.items():
                    capi.define(place, name, callback)
        main = linker.instantiate(store, component).get_func(store, abi.ENTRY_POINT)
        assert main is not None, "its interface was checked"
        return int(main(store))
