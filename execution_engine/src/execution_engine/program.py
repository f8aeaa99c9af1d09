"""A program for who holds no process around it: examined before, and ended at its deadline inside.

A developer's tool wants every reason why a program is refused, and a run that ends by itself. In an
isolate all have agreed on the program's bytes, and the end of its process is the deadline: there it
is a `CompiledProgram`.
"""

import threading
from typing import Any, Self

from wasmtime import Store

from execution_engine.code_tag import CompiledCode
from execution_engine.compiled_program import KnownCode
from execution_engine.deadline import Deadline
from execution_engine.errors import EngineError
from execution_engine.host import OutputSink
from execution_engine.limits import EngineLimits
from execution_engine.observed_program import ObservedOutcome, ObservedProgram
from execution_engine.run import CallWrapper, Overdue, RunInputs
from execution_engine.wasm.examination import check_module
from platform_services import RandomSource
from veracruz_utils.policy import Strategy


class TimedProgram(ObservedProgram):
    """A `CompiledProgram` that keeps `run_seconds` itself.

    Compiling still cannot be interrupted. Any thread may run it; runs wait for one another.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - as of the base
        super().__init__(*arguments, **more)
        # An engine's epoch is common to all its stores: one deadline at a time.
        self._running = threading.Lock()
        self._closed = False

    def run(
        self,
        inputs: RunInputs,
        *,
        random: RandomSource,
        output_sink: OutputSink | None = None,
        wrap_call: CallWrapper | None = None,
        overdue: Overdue | None = None,
    ) -> ObservedOutcome:
        """Run `main` to its return, or to its deadline; see the base."""
        with self._running:
            if self._closed:
                raise EngineError("the program is closed: load it again")
            return super().run(
                inputs, random=random, output_sink=output_sink, wrap_call=wrap_call, overdue=overdue
            )

    def close(self) -> None:
        """Free the compiled code; the program cannot run again."""
        with self._running:
            self._closed = True
            super().close()

    def _arm(self, store: Store) -> None:
        super()._arm(store)
        if self.limits.run_seconds is not None:
            store.set_epoch_deadline(1)

    def _wait(self, ended: threading.Event) -> None:
        Deadline(self.limits.run_seconds, self._engine.increment_epoch).wait(ended)


class Program(TimedProgram):
    """A `TimedProgram` that has passed every check."""

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
        """Check, as `check_module` does, and compile a module or a component.

        Raises:
            ModuleRefusedError: it is not one we run.
        """
        check_module(bytes(code), limits=limits)
        return super().load(
            code,
            strategy=strategy,
            limits=limits,
            canonical_nans=canonical_nans,
            cache=cache,
            given=given,
            threads=threads,
        )
