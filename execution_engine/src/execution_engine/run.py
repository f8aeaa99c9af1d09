"""What goes into one run of a program, and what comes out."""

from collections.abc import Callable, Sequence
from mmap import mmap
from typing import Any, NoReturn

from veracruz_utils.frozen import frozen

Buffer = bytes | bytearray | memoryview | mmap


@frozen
class RunInputs:
    """What a program may read: the buffers themselves, which are never copied as a whole.

    Attributes:
        inputs: the static inputs, in the order the program counts them.
        streams: this round's stream inputs, in the order the program counts them.
        previous_result: None in the first round; from the second on the previous round's result,
            empty when that round wrote none.
        copied: called with one of these, and from and to which byte a module has a copy of it now;
            for large ones several times.
    """

    inputs: Sequence[Buffer] = ()
    streams: Sequence[Buffer] = ()
    previous_result: Buffer | None = None
    copied: Callable[[memoryview, int, int], None] = lambda _source, _start, _stop: None


@frozen
class Overdue:
    """What happens with a run that takes too long, in a process that is ended then.

    Attributes:
        after_s: wall-clock time, in seconds.
        tell: gets what the program said to its author until then, and never returns.
    """

    after_s: float
    tell: Callable[[str], NoReturn]


# A host call as the engine calls it, and what is put around one (its name comes first).
HostFunction = Callable[..., Any]
CallWrapper = Callable[[str, HostFunction], HostFunction]


@frozen
class RunOutcome:
    """A program's return, whatever the number it returned.

    Attributes:
        return_code: what `main` returned; 0 is success.
        output: the result; None when nothing was written, or a sink took it.
        output_size: bytes of the result; None when nothing was written.
        fuel: units used; None when the limits set no budget.
        seconds: wall-clock time from instantiation to return.
        message: what it said to its author, who alone may see it; see `message`.
    """

    return_code: int
    output: bytes | None
    output_size: int | None
    fuel: int | None
    seconds: float
    message: str = ""
