"""A program: compiled once, run as often as there are rounds, each time in a fresh store.

This is what runs in an isolate, where time is kept from outside: who holds the process ends it.
`program.Program` is for those who hold no such process, and looks closer at what it loads.
"""

import threading
import time
from contextlib import closing
from functools import partial
from typing import Final, Self

from wasmtime import Engine, Module, Store, Trap, WasmtimeError
from wasmtime.component import Component

from execution_engine import _capi, abi
from execution_engine.author_part import Parts, parts_of
from execution_engine.code_tag import CompiledCode
from execution_engine.component_host import ComponentHost
from execution_engine.component_interface import check_component_interface
from execution_engine.component_run import run_component
from execution_engine.errors import (
    EngineError,
    LimitCode,
    LimitError,
    ModuleRefusedError,
    RefusalCode,
    TrapCode,
    TrapError,
)
from execution_engine.host import Host, OutputSink
from execution_engine.interface import ModuleSummary, check_module_interface
from execution_engine.limits import EngineLimits
from execution_engine.module_host import ModuleHost
from execution_engine.module_run import call_types, run_module
from execution_engine.run import CallWrapper, Overdue, RunInputs, RunOutcome
from execution_engine.stack import run_on_stack
from execution_engine.static_limits import check_static_limits, is_component
from execution_engine.strategy import HOST_STACK_BYTES, EngineSettings, make_engine
from execution_engine.text import sanitised
from execution_engine.traps import engine_error, raise_host_failure
from platform_services import RandomSource
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Strategy

# An interpreter's component with its libraries has forty core modules.
MAX_INSTANCES: Final = 200
_LARGE_BYTES: Final = 1024 * 1024
"""Of a program, from when on several threads compile it."""
# What the engine says when the system gives it no memory: it has no code for that.
_NO_MEMORY: Final = "cannot allocate memory"


@frozen
class KnownCode:
    """What who loads a program knows of it.

    Attributes:
        digest: of all of it.
        code: the compiled code of its core for the settings it is loaded with, authentic; if empty,
            there is none.
    """

    digest: Digest
    code: memoryview


class CompiledProgram:
    """A compiled module or component. `load` makes it, `run` runs it, `close` frees it.

    Nothing inside interrupts it: who must bound a compile or a run has it in a process that may be
    killed, forked from one that never compiled anything. One run at a time.

    Attributes:
        summary: what it imports and exports.
        limits: how much it may use.
        compiled: whether loading it compiled it, rather than found the code in a cache.
    """

    def __init__(
        self,
        engine: Engine,
        module: Module | Component,
        *,
        summary: ModuleSummary,
        limits: EngineLimits,
        compiled: bool,
        author_part: bytes = b"",
    ) -> None:
        self._engine = engine
        self._module = module
        self._author_part = memoryview(author_part)
        self._types = call_types(summary)
        self.summary = summary
        self.limits = limits
        self.compiled = compiled

    @classmethod
    def load(
        cls,
        code: bytes | memoryview,
        *,
        strategy: Strategy,
        limits: EngineLimits,
        canonical_nans: bool = False,
        cache: CompiledCode | None = None,
        given: KnownCode | None = None,
        threads: bool = False,
    ) -> Self:
        """Check and compile a module or a component.

        The checks are made with compiled code, too: limits may have changed.

        Args:
            code: the module or component; nothing refers to a view of it afterwards.
            strategy: how it is to run.
            limits: how much it may use.
            canonical_nans: every NaN that it makes has the same bits everywhere.
            cache: compiled code is taken from there, or put there: that of its core, which programs
                of one interpreter share.
            given: what is known of it, if anything is.
            threads: a large one is compiled by several, see `make_engine`.

        Raises:
            ModuleRefusedError: the engine does not run it.
        """
        # What keeps the compiler busy is looked at before it, what only it knows afterwards.
        check_static_limits(code, limits)
        settings = settings_of(
            strategy, limits, canonical_nans=canonical_nans, component=is_component(code)
        )
        parts = parts_of(code) if settings.component else Parts(len(code), len(code))
        digest = Digest.of(code) if given is None else given.digest
        engine = make_engine(settings, threads=threads and len(code) >= _LARGE_BYTES)
        try:
            module = None if given is None else _deserialized(engine, given.code, settings)
            if module is None and cache is not None:
                core = digest if parts.core_bytes == len(code) else core_digest(code, parts)
                module = _deserialized(engine, cache.find(core, settings), settings)
            if compiled := module is None:
                module = _compile(engine, bytes(code[: parts.core_bytes]), settings)
            summary = (
                check_component_interface(engine, module, digest)
                if isinstance(module, Component)
                else check_module_interface(module, digest)
            )
            if compiled and cache is not None:
                cache.keep(core, settings, module.serialize())
        except BaseException:
            engine.close()
            raise
        return cls(
            engine,
            module,
            summary=summary,
            limits=limits,
            compiled=compiled,
            author_part=bytes(code[parts.author_at :]),
        )

    def run(
        self,
        inputs: RunInputs,
        *,
        random: RandomSource,
        output_sink: OutputSink | None = None,
        wrap_call: CallWrapper | None = None,
        overdue: Overdue | None = None,
    ) -> RunOutcome:
        """Run `main` to its return.

        Args:
            inputs: what the guest may read; the buffers must not change meanwhile.
            random: where its random bytes come from.
            output_sink: gets the result straight from the guest's memory, as a view that is valid
                during that call only. If the run fails afterwards, it has no result.
            wrap_call: what is put around each host call; what it raises ends the run.
            overdue: what is done when it takes too long, by the thread that called this.

        Raises:
            TrapError: the program ended itself, or has no `main` that we can call.
            LimitError: it reached a limit.
        """
        if not self.summary.runnable:
            raise _no_entry_point(self.summary)
        kind = ComponentHost if self.summary.component else ModuleHost
        host = kind(
            inputs, limits=self.limits, random=random, sink=output_sink, wrap_call=wrap_call
        )
        if isinstance(host, ComponentHost):
            host.author_part = self._author_part
        with closing(host):
            return run_on_stack(
                lambda: self._execute(host),
                stack_bytes=self.limits.stack_bytes + HOST_STACK_BYTES,
                wait=self._wait if overdue is None else partial(_wait_or_tell, host, overdue),
            )

    def close(self) -> None:
        """Free the compiled code; the program cannot run again."""
        self._module.close()
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, ended: threading.Event) -> None:
        """Wait for the end of a run; a subclass that can end it does so here."""
        ended.wait()

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
        if limits.fuel is not None:
            store.set_fuel(limits.fuel)

    def _execute(self, host: Host) -> RunOutcome:
        """One run in one store."""
        started = time.perf_counter()
        # Explicitly closed: what a guest knew must not wait for the garbage collector.
        with Store(self._engine) as store:
            self._arm(store)
            try:
                return_code = self._call_main(store, host)
            except (Trap, WasmtimeError) as error:  # a trap of a host call comes as either
                if host.failures:
                    _note_message(host.failures[-1], host)
                    raise_host_failure(host.failures)
                raise _with_message(engine_error(error, self.limits), host) from None
            finally:
                host.end()
            budget = self.limits.fuel
            return RunOutcome(
                return_code=return_code,
                output=host.output,
                output_size=host.output_size,
                fuel=None if budget is None else budget - store.get_fuel(),
                seconds=time.perf_counter() - started,
                message=host.said(),
            )

    def _call_main(self, store: Store, host: Host) -> int:
        engine, module, summary = self._engine, self._module, self.summary
        if isinstance(module, Component):
            assert isinstance(host, ComponentHost)
            return run_component(engine, module, store, host, summary=summary)
        assert isinstance(host, ModuleHost)
        return run_module(engine, module, store, host, summary=summary, types=self._types)


def core_digest(code: bytes | memoryview, parts: Parts) -> Digest:
    """The digest of a program's core, which its compiled code is kept for."""
    with memoryview(code) as whole:
        return Digest.of(whole[: parts.core_bytes])


def settings_of(
    strategy: Strategy,
    limits: EngineLimits,
    *,
    canonical_nans: bool = False,
    component: bool = False,
) -> EngineSettings:
    """The settings of the engine that runs a program by this strategy within these limits."""
    return EngineSettings(
        strategy,
        metered=limits.fuel is not None,
        interruptible=limits.run_seconds is not None,
        stack_bytes=limits.stack_bytes,
        component=component,
        canonical_nans=canonical_nans,
    )


def _deserialized(
    engine: Engine, code: bytes | memoryview | None, settings: EngineSettings
) -> Module | Component | None:
    if not code:
        return None
    read = _capi.deserialize_component if settings.component else _capi.deserialize_module
    try:
        return read(engine, code)
    except WasmtimeError:
        return None  # authentic, but of another processor: the engine asks for its features


def _compile(engine: Engine, code: bytes, settings: EngineSettings) -> Module | Component:
    refusal = RefusalCode.INVALID
    try:
        if settings.component:  # for which there is no validator but the compiler
            return Component(engine, code)
        Module.validate(engine, code)
        refusal = RefusalCode.UNCOMPILABLE
        return Module(engine, code)
    except WasmtimeError as error:
        if _NO_MEMORY in str(error).lower():
            raise LimitError(
                LimitCode.COMPILE_MEMORY, "no room for the compiled code in this process"
            ) from error
        raise ModuleRefusedError(refusal, sanitised(error)) from error


def _with_message(error: EngineError, host: Host) -> EngineError:
    # No local of the raising frame may hold the error: both would live, with the run's result.
    _note_message(error, host)
    return error


def _note_message(error: BaseException, host: Host) -> None:
    if isinstance(error, (TrapError, LimitError)):
        error.message = host.said()


def _wait_or_tell(host: Host, overdue: Overdue, ended: threading.Event) -> None:
    if not ended.wait(overdue.after_s):
        overdue.tell(host.said_so_far())


def _no_entry_point(summary: ModuleSummary) -> TrapError:
    wanted = " or ".join(str(type_) for type_ in abi.ENTRY_TYPES)
    found = f"it is {summary.entry}" if summary.entry else "no function of that name is exported"
    return TrapError(TrapCode.NO_ENTRY_POINT, f"{abi.ENTRY_POINT!r} must be {wanted}; {found}")
