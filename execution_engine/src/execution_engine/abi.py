"""What a guest may assume of its host: the one table that engine, Tlaxcala and SDK read.

Every parameter and every result is an `i32`; pointers, sizes, indexes and counts are read as
unsigned, and what the host writes through a pointer is an unsigned 32-bit little-endian number.
A range outside linear memory is never a status: it ends the program with a trap.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

# Of the table below: 1 is the ABI of the 2021 programs. Whatever changes it, makes it another.
VERSION: Final = 1

MODULE: Final = "env"
PREFIX: Final = "__veracruz_hcall_"

ENTRY_POINT: Final = "main"
INITIALIZER: Final = "_initialize"
MEMORY: Final = "memory"
MESSAGE: Final = "veracruz_message"
"""A global that a module may export: the address of what it says to its author (`message`)."""


@dataclass(frozen=True, slots=True)
class FunctionType:
    """The type of a WebAssembly function, in the words of the text format."""

    params: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        return f"({', '.join(self.params)}) -> ({', '.join(self.results)})"


class HostStatus(IntEnum):
    """What a host call returns."""

    SUCCESS = 0
    GENERIC = -1
    DATA_SOURCE_COUNT = -2
    DATA_SOURCE_SIZE = -3
    BAD_INPUT = -4
    INVARIANT_FAILED = -5
    RESULT_ALREADY_WRITTEN = -6
    SERVICE_UNAVAILABLE = -7
    STREAM_SOURCE_COUNT = -8
    STREAM_SOURCE_SIZE = -9
    BAD_STREAM = -10
    PREVIOUS_RESULT_SIZE = -11


@dataclass(frozen=True, slots=True)
class HostCall:
    """One function of the host.

    Attributes:
        name: without the prefix.
        params: their names, in order.
        effect: what it does where it succeeds.
        refusals: every other status it has and why, in the order in which they are looked at.
    """

    name: str
    params: tuple[str, ...]
    effect: str
    refusals: tuple[tuple[HostStatus, str], ...] = ()

    @property
    def import_name(self) -> str:
        """The name a module imports it by, from module `env`."""
        return PREFIX + self.name

    @property
    def type(self) -> FunctionType:
        """One `i32` per parameter, and the status as an `i32`."""
        return FunctionType(("i32",) * len(self.params), ("i32",))


_SHORT: Final = "size is smaller than it"

HOST_CALLS: Final = (
    HostCall("input_count", ("ptr",), "writes the number of data inputs"),
    HostCall(
        "input_size",
        ("index", "ptr"),
        "writes the size of that input",
        ((HostStatus.BAD_INPUT, "no such input"),),
    ),
    HostCall(
        "read_input",
        ("index", "buf", "size"),
        "copies the whole input to buf",
        ((HostStatus.BAD_INPUT, "no such input"), (HostStatus.DATA_SOURCE_SIZE, _SHORT)),
    ),
    HostCall(
        "write_output",
        ("buf", "size"),
        "takes size bytes from buf as the result",
        ((HostStatus.RESULT_ALREADY_WRITTEN, "there is a result already; it stays"),),
    ),
    HostCall(
        "getrandom",
        ("buf", "size"),
        "fills buf",
        (
            (HostStatus.SERVICE_UNAVAILABLE, "no random numbers now"),
            (HostStatus.GENERIC, "another failure of their source"),
        ),
    ),
    HostCall(
        "read_previous_result",
        ("buf", "size"),
        "copies the previous round's result; nothing in round one",
        ((HostStatus.PREVIOUS_RESULT_SIZE, _SHORT),),
    ),
    HostCall("previous_result_size", ("ptr",), "writes its size, 0 in round one"),
    HostCall("has_previous_result", ("ptr",), "writes 1 from round two on, else 0"),
    HostCall("stream_count", ("ptr",), "writes the number of streams"),
    HostCall(
        "stream_size",
        ("index", "ptr"),
        "writes the size of that stream",
        ((HostStatus.BAD_STREAM, "no such stream"),),
    ),
    HostCall(
        "read_stream",
        ("index", "buf", "size"),
        "copies the whole stream to buf",
        ((HostStatus.BAD_STREAM, "no such stream"), (HostStatus.STREAM_SOURCE_SIZE, _SHORT)),
    ),
)

IMPORTS: Final = {call.import_name: call for call in HOST_CALLS}

# Both are called without meaning in the arguments: the second form gets zeros.
ENTRY_TYPES: Final = (
    FunctionType((), ("i32",)),
    FunctionType(("i32", "i32"), ("i32",)),
)
INITIALIZER_TYPE: Final = FunctionType((), ())
