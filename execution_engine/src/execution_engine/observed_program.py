"""Runs with figures for developers: how often a program called its host, how much memory it had."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict
from typing import Any

from wasmtime import Store

from execution_engine.compiled_program import CompiledProgram
from execution_engine.errors import TrapCode, TrapError
from execution_engine.host import Host, OutputSink
from execution_engine.module_host import ModuleHost
from execution_engine.run import CallWrapper, HostFunction, Overdue, RunInputs, RunOutcome
from platform_services import RandomSource
from veracruz_utils.frozen import frozen


@frozen
class ObservedOutcome(RunOutcome):
    """A program's return, and what a developer wants to know of its run.

    Attributes:
        host_calls: how often each host call was made, by name without prefix.
        memory_peak: bytes of linear memory at the end, which is the most it had; None of a
            component, whose memory the engine does not show.
    """

    _: KW_ONLY
    host_calls: Mapping[str, int]
    memory_peak: int | None


class ObservedProgram(CompiledProgram):
    """A `CompiledProgram` for developers' tools; one run at a time."""

    _memory_peak: int | None = None

    def run(
        self,
        inputs: RunInputs,
        *,
        random: RandomSource,
        output_sink: OutputSink | None = None,
        wrap_call: CallWrapper | None = None,
        overdue: Overdue | None = None,
    ) -> ObservedOutcome:
        """Run `main` to its return; see the base."""
        calls: Counter[str] = Counter()

        def counting(name: str, call: HostFunction) -> HostFunction:
            inner = call if wrap_call is None else wrap_call(name, call)

            def counted(*arguments: Any) -> Any:  # noqa: ANN401 - as the call has them
                calls[name] += 1
                return inner(*arguments)

            return counted

        try:
            outcome = super().run(
                inputs, random=random, output_sink=output_sink, wrap_call=counting, overdue=overdue
            )
        except TrapError as trap:
            self._note_memory(trap)
            raise
        return ObservedOutcome(
            **asdict(outcome), host_calls=dict(calls), memory_peak=self._memory_peak
        )

    def _call_main(self, store: Store, host: Host) -> int:
        self._memory_peak = None
        try:
            return super()._call_main(store, host)
        finally:
            memory = host.memory if isinstance(host, ModuleHost) else None
            self._memory_peak = None if memory is None else len(memory.now())

    def _note_memory(self, trap: TrapError) -> None:
        """Say of a program that gave up how much memory it had, if that may be why.

        The engine does not tell which growth it refused. What grows by doubling has a third of the
        limit at least when it is refused.
        """
        size, most = self._memory_peak, self.limits.memory_bytes
        if trap.code is TrapCode.UNREACHABLE and size is not None and 3 * size > most:
            trap.debug = f"memory has {size} of at most {most} bytes: it may have run out"
