"""What programs and machines said last, and how a machine's services ended, by its console.

A machine writes there what it likes: it decides what is told, and nothing else.
"""

import os
import re
from typing import Final

from sonora_machine.errors import MachineError, MachineRefusedError, MachineUnreachableError

_SAID_BYTES: Final = 4096
_MOVES: Final = re.compile(r"\x1b\[[0-9;=?]*[A-Za-z]")
"""What colours a terminal, or moves its cursor."""
_ENDED: Final = re.compile(r"veracruz: \w+ ended with status (-?[0-9]{1,3})$", re.MULTILINE)
_KINDS: Final = {
    MachineRefusedError.exit_code: MachineRefusedError,
    MachineUnreachableError.exit_code: MachineUnreachableError,
}


def last_lines(descriptor: int, *, begin: int = 0, lines: int = 15) -> str:
    """The last lines of a file that somebody else may still write, as far as they are short.

    Args:
        descriptor: the file.
        begin: where in it to begin at the earliest.
        lines: how many.
    """
    size = os.fstat(descriptor).st_size
    cut = size - _SAID_BYTES > begin
    text = os.pread(descriptor, _SAID_BYTES, max(begin, size - _SAID_BYTES)).decode(
        "utf-8", "replace"
    )
    text = _MOVES.sub("", text)
    found = [line.rstrip() for line in text.splitlines() if line.strip()]
    # Where something was cut off, the first line is a piece of one.
    return "\n".join((found[1:] if cut and len(found) > 1 else found)[-lines:])


def service_status(console: str) -> int | None:
    """The exit status of the service that ended last, or of one that was refused; None of none.

    One that is refused takes others with it, which may end later.
    """
    found = [int(each) for each in _ENDED.findall(console)]
    refused = MachineRefusedError.exit_code
    return refused if refused in found else next(reversed(found), None)


def failure(message: str, console: str) -> MachineError:
    """The error of a machine that failed, as its service did."""
    return _KINDS.get(service_status(console) or 1, MachineError)(message)
