"""A program: compiled once, run as often as there are rounds, each time in a fresh store."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from wasmtime import Engine, Linker, Module, Store, Trap, WasmtimeError
from wasmtime.component import Component

from execution_engine import _capi, abi
from execution_engine.code_cache import CompiledCode
from execution_engine.component import MAX_INSTANCES, is_component
from execution_engine.component_host import ComponentHost
from execution_engine.component_run import run_component
from execution_engine.deadline import run_with_deadline
from execution_engine.errors import (
    EngineError,
    LimitCode,
    LimitError,
    ModuleRefusedError,
    Refusal,
    TrapCode,
    TrapError,
)
from execution_engine.host import GuestMemory, Host, OutputSink
from execution_engine.limits import EngineLimits
from execution_engine.module import ModuleSummary, check_for, check_inside, check_outline
from execution_engine.run import Outcome, RunInputs, Trace
from execution_engine.strategy import HOST_STACK_BYTES, EngineSettings, make_engine
from execution_engine.text import sanitised
from execution_engine.traps import engine_error, raise_host_failure
from platform_services import RandomSource
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Strategy

# How the engine words what the system refused it.
_NO_MEMORY: Final = "cannot allocate memory"


class Program:
    """A checked and compiled module or component. `load` makes it, `run` runs it, `close` frees it.

    Compiling cannot be interrupted: who must bound it loads the program in a process that may be
    killed, forked from one that never compiled anything.

    Attributes:
        summary: what the module imports and exports.
        strategy: how it runs.
        limits: how much it may use.
        compiled: whether loading it compiled it, rather than found the code in a cache.
    """

    def __init__(
        self,
        engine: Engine,
        module: Module | Component,
        *,
        summary: ModuleSummary,
        strategy: Strategy,
        limits: EngineLimits,
        compiled: bool,
    ) -> None:
        self._engine = engine
        self._module = module
        # An engine's epoch is common to all its stores: one deadline at a time.
        self._running = threading.Lock()
        self._closed = False
        self._types = {
            abi.IMPORTS[one.name]: _capi.host_function_type(len(abi.IMPORTS[one.name].params))
            for one in summary.imports
            if one.module == abi.MODULE
        }
        self.summary = summary
        self.strategy = strategy
        self.limits = limits
        self.compiled = compiled

    @classmethod
    def load(
        cls,
        code: bytes,
        *,
        strategy: Strategy,
        limits: EngineLimits,
        cache: CompiledCode | None = None,
    ) -> Self:
        """Check and compile a module or a component.

        With a `cache` the compiled code is taken from there, or put there. The checks are made
        all the same: limits may have changed. Of a component, the inside is checked only before
        it is compiled: kept code tells which limits its functions were held to, and memory and
        tables are held to theirs when it begins.

        Raises:
            ModuleRefusedError: it is not one we run.
        """
        settings = settings_of(strategy, limits, component=is_component(code))
        engine = make_engine(settings)
        try:
            summary, check_rest = _check(engine, code, limits)
            module = _cached(engine, cache, summary.digest, settings)
            if compiled := module is None:
                check_rest()
                module = _compile(engine, code, settings)
                if cache is not None:
                    cache.keep(summary.digest, settings, module.serialize())
        except BaseException:
            engine.close()
            raise
        return cls(
            engine, module, summary=summary, strategy=strategy, limits=limits, compiled=compiled
        )

    @property
    def digest(self) -> Digest:
        """SHA-256 of the module's bytes."""
        return self.summary.digest

    def run(
        self,
        inputs: RunInputs,
        *,
        random: RandomSource,
        output_sink: OutputSink | None = None,
        trace: Trace | None = None,
    ) -> Outcome:
        """Run `main` to its return.

        Args:
            inputs: what the guest may read; the buffers must not change meanwhile.
            random: where its random bytes come from.
            output_sink: gets the result straight from the guest's memory, as a view that is valid
                during that call only. A run that fails afterwards has no result all the same.
            trace: is told of every host call, in the thread that runs the guest; what it raises
                ends the run.

        Raises:
            TrapError: the program ended itself, or has no `main` that we can call.
            LimitError: it reached a limit.
        """
        if not self.summary.runnable:
            raise _no_entry_point(self.summary)
        with self._running:
            if self._closed:
                raise EngineError("the program is closed: load it again")
            kind = ComponentHost if self.summary.component else Host
            host = kind(inputs, limits=self.limits, random=random, sink=output_sink)
            try:
                return run_with_deadline(
                    lambda: self._execute(host, trace),
                    seconds=self.limits.run_seconds,
                    stack_bytes=self.limits.stack_bytes + HOST_STACK_BYTES,
                    interrupt=self._engine.increment_epoch,
                )
            finally:
                host.close()

    def close(self) -> None:
        """Free the compiled code; the program cannot run again."""
        with self._running:
            self._closed = True
            self._module.close()
            self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _execute(self, host: Host, trace: Trace | None) -> Outcome:
        """One run in one store. The callbacks live until the store is closed."""
        started = time.perf_counter()
        if isinstance(host, ComponentHost):
            return self._execute_component(host, trace, started)
        failures: list[BaseException] = []
        callbacks = {
            call: _capi.host_function(len(call.params), host.call(call.name, trace), failures)
            for call in self._types
        }
        # Explicitly closed: what a guest knew must not wait for the garbage collector.
        with Linker(self._engine) as linker, Store(self._engine) as store:
            for call, callback in callbacks.items():
                _capi.define(linker, abi.MODULE, call.import_name, self._types[call], callback)
            self._arm(store)
            try:
                return_code = self._call_main(linker, store, host)
            except (Trap, WasmtimeError) as error:  # a trap of a host call comes as either
                if failures:
                    raise_host_failure(failures)
                raise _with_message(engine_error(error, self.limits), host) from None
            return self._outcome(store, host, return_code, time.perf_counter() - started)

    def _execute_component(
        self, host: ComponentHost, trace: Trace | None, started: float
    ) -> Outcome:
        assert isinstance(self._module, Component)
        with Store(self._engine) as store:
            self._arm(store)
            return_code = run_component(
                self._engine,
                self._module,
                store,
                host,
                self.summary.imports,
                limits=self.limits,
                trace=trace,
            )
            return self._outcome(store, host, return_code, time.perf_counter() - started)

    def _arm(self, store: Store) -> None:
        """Set the limits, before anything of the guest comes to life in the store."""
        limits = self.limits
        store.set_limits(
            memory_size=limits.memory_bytes,
            table_elements=limits.table_elements,
            instances=MAX_INSTANCES if self.summary.component else 1,
            tables=limits.tables,
            memories=1,
        )
        if limits.run_seconds is not None:
            store.set_epoch_deadline(1)
        if limits.fuel is not None:
            store.set_fuel(limits.fuel)

    def _call_main(self, linker: Linker, store: Store, host: Host) -> int:
        assert isinstance(self._module, Module)
        instance = _capi.Instance(linker, store, self._module)
        host.attach(
            GuestMemory(instance.memory(abi.MEMORY)), message_at=instance.constant(abi.MESSAGE)
        )
        if self.summary.has_initialize:
            instance.call(abi.INITIALIZER, (), results=0)
        entry = self.summary.entry
        arguments = (0,) * len(entry.params) if entry else ()
        return instance.call(abi.ENTRY_POINT, arguments, results=1)[0]

    def _outcome(self, store: Store, host: Host, return_code: int, seconds: float) -> Outcome:
        budget = self.limits.fuel
        return Outcome(
            return_code=return_code,
            output=host.output,
            output_size=host.output_size,
            fuel=None if budget is None else budget - store.get_fuel(),
            seconds=seconds,
            host_calls=dict(host.calls),
            memory_peak=None if self.summary.component else host.memory_size(),
            message=host.message(),
        )


def settings_of(
    strategy: Strategy, limits: EngineLimits, *, component: bool = False
) -> EngineSettings:
    """The settings of the engine that runs a program by this strategy within these limits."""
    return EngineSettings(
        strategy,
        metered=limits.fuel is not None,
        interruptible=limits.run_seconds is not None,
        stack_bytes=limits.stack_bytes,
        component=component,
        shape=limits.shape,
    )


def _check(
    engine: Engine, code: bytes, limits: EngineLimits
) -> tuple[ModuleSummary, Callable[[], None]]:
    """What a program is, and the checks that are left to make before it is compiled."""
    if not is_component(code):
        return check_for(engine, code, limits=limits), lambda: None
    summary, outline = check_outline(code, limits=limits)
    return summary, lambda: check_inside(code, outline, limits=limits)


def _cached(
    engine: Engine, cache: CompiledCode | None, program: Digest, settings: EngineSettings
) -> Module | Component | None:
    found = None if cache is None else cache.find(program, settings)
    kind: type[Module | Component] = Component if settings.component else Module
    try:
        return None if found is None else kind.deserialize(engine, found)
    except WasmtimeError:
        return None  # authentic, but of another processor: the engine asks for its features


def _compile(engine: Engine, code: bytes, settings: EngineSettings) -> Module | Component:
    try:
        return Component(engine, code) if settings.component else Module(engine, code)
    except WasmtimeError as error:
        if _NO_MEMORY in str(error).lower():
            raise LimitError(
                LimitCode.COMPILE_MEMORY, "no room for the compiled code in this process"
            ) from error
        raise ModuleRefusedError(Refusal.UNCOMPILABLE, sanitised(error)) from error


def _with_message(error: EngineError, host: Host) -> EngineError:
    if isinstance(error, TrapError):
        error.message = host.message()
    return error


def _no_entry_point(summary: ModuleSummary) -> TrapError:
    wanted = " or ".join(str(type_) for type_ in abi.ENTRY_TYPES)
    found = f"it is {summary.entry}" if summary.entry else "no function of that name is exported"
    return TrapError(TrapCode.NO_ENTRY_POINT, f"{abi.ENTRY_POINT!r} must be {wanted}; {found}")
