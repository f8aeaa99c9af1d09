"""Why a program was refused, or ended otherwise than by returning.

    EngineError            exit_code 1
    ├ ModuleRefusedError   `code`: a RefusalCode; the module never ran
    ├ TrapError            `code`: a TrapCode; the program's own fault
    └ LimitError           `code`: a LimitCode; the policy's limit was reached

A message holds the code and what is public. What a program chose while it ran (numbers it passed,
names of its functions on the stack) would carry its secrets out: it is in attributes, for who may
see it.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias

from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen


class RefusalCode(StrEnum):
    """Why a module is not run."""

    TOO_LARGE = "module-too-large"
    NOT_WASM = "not-wasm"
    VERSION = "unsupported-version"
    MALFORMED = "malformed"
    INVALID = "invalid"
    FEATURE = "unsupported-feature"
    FORBIDDEN_IMPORT = "forbidden-import"
    IMPORT_KIND = "forbidden-import-kind"
    IMPORT_TYPE = "import-type"
    FORBIDDEN_EXPORT = "forbidden-export"
    EXPORT_TYPE = "export-type"
    FORBIDDEN_PART = "forbidden-part"
    START_SECTION = "start-section"
    NO_MEMORY = "no-memory"
    MEMORY_SIZE = "memory-too-large"
    TABLE_SIZE = "table-too-large"
    TOO_MANY_ENTRIES = "too-many-entries"
    FUNCTION_SIZE = "function-too-large"
    LOCALS = "too-many-locals"
    JUMP_TABLE = "jump-table-too-large"
    NESTING = "nested-too-deep"
    UNCOMPILABLE = "uncompilable"


class TrapCode(StrEnum):
    """How a program ended itself."""

    UNREACHABLE = "unreachable"
    OUT_OF_BOUNDS_MEMORY = "out-of-bounds-memory"
    OUT_OF_BOUNDS_TABLE = "out-of-bounds-table"
    OUT_OF_BOUNDS_HOST_CALL = "out-of-bounds-host-call"
    INDIRECT_CALL_TO_NULL = "indirect-call-to-null"
    INDIRECT_CALL_TYPE = "indirect-call-type-mismatch"
    INTEGER_OVERFLOW = "integer-overflow"
    INTEGER_DIVIDE_BY_ZERO = "integer-divide-by-zero"
    INVALID_CONVERSION = "invalid-conversion-to-integer"
    STACK_OVERFLOW = "stack-overflow"
    NO_ENTRY_POINT = "no-entry-point"
    HOST_FAILURE = "host-failure"
    OTHER = "other"


class LimitCode(StrEnum):
    """Which limit a program reached; those of compiling are for who holds the process."""

    TIME = "time"
    FUEL = "fuel"
    MEMORY = "memory"
    OUTPUT_SIZE = "output-size"
    INPUT_SIZE = "input-size"
    RANDOM_BYTES = "random-bytes"
    COMPILE_TIME = "compile-time"
    COMPILE_MEMORY = "compile-memory"


class EngineError(VeracruzError):
    """The engine did not get a return code from a program."""


class ModuleRefusedError(EngineError):
    """The module is not one we run; nothing of it ran."""

    def __init__(self, code: RefusalCode, detail: str) -> None:
        super().__init__(f"program refused ({code}): {detail}")
        self.code = code
        self.detail = detail


# One reason not to run a module: its code, and a text that names both sides.
Problem: TypeAlias = tuple[RefusalCode, str]


def refuse_first(problems: Iterable[Problem]) -> None:
    """Raise the first problem, if there is one.

    Raises:
        ModuleRefusedError: there is.
    """
    for code, detail in problems:
        raise ModuleRefusedError(code, detail)


@frozen
class StackFrame:
    """One call on the stack of a program that trapped, innermost first.

    Attributes:
        function: its index.
        offset: the instruction's place in the module, in bytes; None where no instruction is to
            blame. Compiled code may name the instruction that uses what another loads.
        name: from the module's name section, printable and at most 1024 characters.
    """

    function: int
    offset: int | None
    name: str | None


class TrapError(EngineError):
    """The program ended itself by a trap; what it had written is dropped.

    Attributes:
        code: how it ended.
        debug: numbers the program chose; for its author, never for a log.
        frames: the calls on its stack; for its author, never for a log.
        message: what it said to its author before (see `message`), for nobody else.
    """

    def __init__(
        self,
        code: TrapCode,
        detail: str = "",
        *,
        debug: str = "",
        frames: tuple[StackFrame, ...] = (),
    ) -> None:
        super().__init__(f"program trapped ({code})" + (f": {detail}" if detail else ""))
        self.code = code
        self.debug = debug
        self.frames = frames
        self.message = ""


class LimitError(EngineError):
    """The program reached a limit and was ended; what it had written is dropped.

    Attributes:
        code: which limit.
        message: as of a trap.
    """

    def __init__(self, code: LimitCode, detail: str) -> None:
        super().__init__(f"program reached a limit ({code}): {detail}")
        self.code = code
        self.message = ""
