"""What goes into one run of a program, and what comes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Any

Buffer = bytes | bytearray | memoryview | mmap


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What a program may read: the buffers themselves, which are never copied as a whole.

    Attributes:
        inputs: the static inputs, in the order the program counts them.
        streams: this round's stream inputs, likewise.
        previous_result: None in the first round; from the second on the previous round's result,
            empty when that round wrote none.
    """

    inputs: Sequence[Buffer] = ()
    streams: Sequence[Buffer] = ()
    previous_result: Buffer | None = None


# A host call as the engine calls it, and what is put around one (its name comes first).
HostFunction = Callable[..., Any]
CallWrapper = Callable[[str, HostFunction], HostFunction]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """A program's return, whatever the number it returned.

    Attributes:
        return_code: what `main` returned; 0 is success.
        output: the result; None when nothing was written, or a sink took it.
        output_size: bytes of the result; None when nothing was written.
        fuel: units used; None when the limits set no budget.
        seconds: wall-clock time from instantiation to return.
        host_calls: how often each host call was made, by name without prefix.
        memory_peak: bytes of linear memory at the end, which is the most it had; None of a
            component, whose memory the engine does not show.
        message: what it said to its author, who alone may see it; see `message`.
    """

    return_code: int
    output: bytes | None
    output_size: int | None
    fuel: int | None
    seconds: float
    host_calls: Mapping[str, int]
    memory_peak: int | None
    message: str = ""
