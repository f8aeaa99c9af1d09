"""What the guest's process answers its parent: JSON in frames.

The parent asks as an isolate's front does (`colima.isolate.ToGuest`); the answers hold more. Both
are one program of one user, without secrets and without a sandbox between them; so an answer is not
examined as those of an isolate's guest are.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final, TypeAlias

from execution_engine.trace import HostCallEvent
from veracruz_utils.frozen import frozen

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024


@frozen
class ModuleLoaded:
    """The program is ready; `compile_seconds` is what a cache took to give it, `from_cache`."""

    check_seconds: float
    compile_seconds: float
    from_cache: bool


@frozen
class Profiled:
    """Where a run spent its time; sent ahead of how it ended.

    Attributes:
        samples: how often the guest was looked at.
        hottest: of a function its name, in how many samples it was running itself, and in how many
            it or something it called was.
    """

    samples: int
    hottest: Sequence[tuple[str, int, int]]


@frozen
class Returned:
    """A run has ended by returning; `said` is the message of `execution_engine.run.RunOutcome`."""

    return_code: int
    output_size: int | None
    fuel: int | None
    seconds: float
    host_calls: Mapping[str, int]
    memory_peak: int | None
    said: str = ""


@frozen
class Stopped:
    """A program was refused, or a run ended otherwise.

    Attributes:
        ending: the name of a `report.RunEnding`.
        code: the engine's, such as `unreachable`.
        message: the engine's, for people.
        frames: the numbers a trap is to blame for and the calls on the stack, innermost first.
        said: what the program said to its author.
    """

    ending: str
    code: str
    message: str
    frames: Sequence[str] = ()
    said: str = ""


Message: TypeAlias = ModuleLoaded | HostCallEvent | Profiled | Returned | Stopped

_TYPES: Final = {
    type_.__name__: type_ for type_ in (ModuleLoaded, HostCallEvent, Profiled, Returned, Stopped)
}


def encode(message: Message) -> bytes:
    """The payload of a frame."""
    return json.dumps([type(message).__name__, asdict(message)]).encode()


def decode(payload: bytes) -> Message:
    """What `encode` was given, its tuples as lists."""
    name, fields = json.loads(payload)
    message: Message = _TYPES[name](**fields)
    return message
