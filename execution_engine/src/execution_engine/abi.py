"""What a guest may assume of its host: the one table that engine, Tlaxcala and SDK read.

Every parameter and every result is an `i32`; pointers, sizes, indexes and counts are read as
unsigned, and what the host writes through a pointer is an unsigned 32-bit little-endian number.
A range outside linear memory is never a status: it ends the program with a trap.
"""

from enum import IntEnum
from typing import Final

from veracruz_utils.frozen import frozen

# Of the table below: 1 is the ABI of the 2021 programs. Whatever changes it, makes it another.
VERSION: Final = 1

MODULE: Final = "env"
PREFIX: Final = "__veracruz_hcall_"

ENTRY_POINT: Final = "main"
INITIALIZER: Final = "_initialize"
MEMORY: Final = "memory"
MESSAGE: Final = "veracruz_message"
"""A global that a module may export: the address of what it says to its author (`message`)."""
EXIT: Final = "veracruz_exit"
EXITED: Final = 1
"""A global that a module may export, of type i64: once it holds `EXITED` above a code of 32 bits,
an `unreachable` is no trap but a return of `main` with that code."""


@frozen
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


@frozen
class HostCall:
    """One function of the host: its name without the prefix, and its parameters' names, in order.

    What it does, and when it gives which status, is in `abi_text`.
    """

    name: str
    params: tuple[str, ...]

    @property
    def import_name(self) -> str:
        """The name a module imports it by, from module `env`."""
        return PREFIX + self.name

    @property
    def type(self) -> FunctionType:
        """One `i32` per parameter, and the status as an `i32`."""
        return FunctionType(("i32",) * len(self.params), ("i32",))


HOST_CALLS: Final = (
    HostCall("input_count", ("ptr",)),
    HostCall("input_size", ("index", "ptr")),
    HostCall("read_input", ("index", "buf", "size")),
    HostCall("write_output", ("buf", "size")),
    HostCall("getrandom", ("buf", "size")),
    HostCall("read_previous_result", ("buf", "size")),
    HostCall("previous_result_size", ("ptr",)),
    HostCall("has_previous_result", ("ptr",)),
    HostCall("stream_count", ("ptr",)),
    HostCall("stream_size", ("index", "ptr")),
    HostCall("read_stream", ("index", "buf", "size")),
)

IMPORTS: Final = {call.import_name: call for call in HOST_CALLS}

# Both are called without meaning in the arguments: the second form gets zeros.
ENTRY_TYPES: Final = (
    FunctionType((), ("i32",)),
    FunctionType(("i32", "i32"), ("i32",)),
)
INITIALIZER_TYPE: Final = FunctionType((), ())
