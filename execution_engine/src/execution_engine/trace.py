"""A trace of host calls, for developers' tools: it holds what the program chose while it ran."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from execution_engine._component_capi import Err
from execution_engine.abi import HostStatus
from execution_engine.run import CallWrapper, HostFunction


@dataclass(frozen=True, slots=True)
class HostCallEvent:
    """One host call that has been answered, for a trace.

    Attributes:
        name: of the host call, without prefix.
        arguments: as unsigned 32-bit numbers; of a component, sizes in place of contents.
        status: the answer, 0 for a component's success; None for the call that ended the program.
    """

    name: str
    arguments: tuple[int, ...]
    status: int | None


Trace = Callable[[HostCallEvent], None]


def traced(trace: Trace) -> CallWrapper:
    """A wrapper that calls `trace` after every host call, in the thread of the run."""

    def around(name: str, call: HostFunction) -> HostFunction:
        def call_and_tell(*arguments: Any) -> Any:  # noqa: ANN401 - as the call has them
            status = None
            try:
                answer = call(*arguments)
                status = _status(answer)
            finally:
                numbers = (len(one) if isinstance(one, bytes) else int(one) for one in arguments)
                trace(HostCallEvent(name, tuple(numbers), status))
            return answer

        return call_and_tell

    return around


def _status(answer: object) -> int:
    """A core module gets a status, a component a value or an error's status."""
    return int(answer) if isinstance(answer, (Err, HostStatus)) else 0
