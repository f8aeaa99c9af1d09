"""A trace of host calls, for developers' tools: it holds what the program chose while it ran."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from execution_engine._component_capi import Err
from execution_engine.abi import HostStatus
from execution_engine.run import Buffer, CallWrapper, HostFunction, RunInputs
from veracruz_utils.frozen import frozen


@frozen
class HostCallEvent:
    """One host call that has been answered, for a trace.

    Attributes:
        name: of the host call, without prefix.
        arguments: as unsigned 32-bit numbers; of a component, sizes in place of contents.
        status: the answer, 0 for a component's success; None for the call that ended the program.
        given: of a call that succeeded the number that it gave the program: a count, a size, a
            flag, or how many bytes it copied.
    """

    name: str
    arguments: tuple[int, ...]
    status: int | None
    given: int | None = None


Trace = Callable[[HostCallEvent], None]


def traced(trace: Trace, inputs: RunInputs | None = None) -> CallWrapper:
    """A wrapper that calls `trace` after every host call, in the thread of the run.

    Events have what calls gave if the inputs of the run are known.
    """

    def around(name: str, call: HostFunction) -> HostFunction:
        def call_and_tell(*arguments: Any) -> Any:  # noqa: ANN401 - as the call has them
            status = given = None
            try:
                answer = call(*arguments)
                status = _status(answer)
                if inputs is not None and status == 0:
                    given = _given(name, arguments, answer, inputs)
            finally:
                numbers = (len(one) if isinstance(one, bytes) else int(one) for one in arguments)
                trace(HostCallEvent(name, tuple(numbers), status, given))
            return answer

        return call_and_tell

    return around


def _status(answer: object) -> int:
    """A core module gets a status, a component a value or an error's status."""
    return int(answer) if isinstance(answer, (Err, HostStatus)) else 0


def _given(name: str, arguments: tuple[Any, ...], answer: object, inputs: RunInputs) -> int | None:
    """What a call that succeeded gave: a component sees it, a core module finds it in memory."""
    if not isinstance(answer, HostStatus):
        if isinstance(answer, bytes):
            return len(answer)
        if answer is not None:
            return int(answer)  # type: ignore[call-overload, no-any-return]
        return next((len(one) for one in arguments if isinstance(one, bytes)), None)
    kind = _KINDS.get(name)
    if kind is None:  # its last argument is a size, all of which was taken or filled
        return int(arguments[-1])
    source = kind(inputs)
    return source if isinstance(source, int) else _size(source[arguments[0]])


def _previous(inputs: RunInputs) -> int:
    return 0 if inputs.previous_result is None else _size(inputs.previous_result)


def _size(buffer: Buffer) -> int:
    return memoryview(buffer).nbytes


_KINDS: Final[dict[str, Callable[[RunInputs], int | Sequence[Buffer]]]] = {
    "input_count": lambda inputs: len(inputs.inputs),
    "input_size": lambda inputs: inputs.inputs,
    "read_input": lambda inputs: inputs.inputs,
    "stream_count": lambda inputs: len(inputs.streams),
    "stream_size": lambda inputs: inputs.streams,
    "read_stream": lambda inputs: inputs.streams,
    "has_previous_result": lambda inputs: int(inputs.previous_result is not None),
    "previous_result_size": _previous,
    "read_previous_result": _previous,
}
