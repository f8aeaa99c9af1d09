"""QEMU's monitor: how the emulator is told to end, and how it says why a machine did.

QMP: objects of JSON, one a line, over a socket. Two commands are used, and one event.
"""

import json
import socket
from contextlib import suppress
from typing import Final

from sonora_machine.errors import MachineError

_ANSWER_S: Final = 5.0
_MOST_BYTES: Final = 1 << 16
"""Of one line. QEMU writes them, but what a machine does brings them about."""


class Monitor:
    """The monitor at the other end of `connection`.

    Attributes:
        end: why the machine ended, in QEMU's words, such as `guest-shutdown`; None while it runs.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.end: str | None = None
        self._connection = connection
        self._data = b""
        self._open = True
        self.order("qmp_capabilities")

    def order(self, command: str) -> None:
        """Have QEMU do something; that it is gone already is no fault."""
        self._connection.settimeout(_ANSWER_S)
        with suppress(OSError):
            self._connection.sendall(json.dumps({"execute": command}).encode() + b"\n")

    def look(self) -> None:
        """Read what QEMU has said meanwhile."""
        self._connection.settimeout(0)
        while self._open:
            try:
                piece = self._connection.recv(_MOST_BYTES)
            except BlockingIOError:
                return
            except OSError:
                piece = b""
            self._open = bool(piece)
            *lines, self._data = (self._data + piece).split(b"\n")
            for line in lines:
                self._hear(line)
            if len(self._data) > _MOST_BYTES:
                raise MachineError(f"QEMU's monitor said a line of more than {_MOST_BYTES} bytes")

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()

    def _hear(self, line: bytes) -> None:
        with suppress(ValueError, RecursionError):
            match json.loads(line):
                case {"event": "SHUTDOWN", "data": {"reason": str(reason)}}:
                    self.end = reason
