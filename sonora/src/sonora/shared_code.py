"""Compiled code that front processes made, kept from one isolate of a runtime to the next.

Sonora does not look into it: a front process authenticated it and another one checks that. Each
gets the key of its own program only, derived from a secret of this process that is written nowhere.
"""

import contextlib
import fcntl
import hmac
import os
import secrets
import threading
from collections import OrderedDict
from typing import Final

from colima import isolate
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.secret import Secret

MAX_CODE_BYTES: Final = 512 * 1024 * 1024
"""Of all code that is kept; it lies in anonymous files."""
_SECRET_BYTES: Final = 32
_LABEL: Final = b"veracruz-compiled-code-v1"
_SEALED: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


@frozen
class _Entry:
    tag: bytes
    size: int
    descriptor: int


class SharedCode:
    """The code for the runtimes of one measurement; what was not used for longest makes room.

    Safe to share between threads.
    """

    def __init__(self, max_bytes: int = MAX_CODE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._secret = Secret(secrets.token_bytes(_SECRET_BYTES))
        self._entries: OrderedDict[tuple[Digest, bytes], _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def offer(self, program: Digest, name: bytes) -> tuple[isolate.CodeOffer, list[int]]:
        """What a front process of this program is told, and the code's descriptor if there is some.

        The descriptor is the caller's to close.
        """
        # Label and digest have fixed lengths, so no two programs share what is hashed.
        key = hmac.digest(self._secret.reveal(), _LABEL + program.value, "sha256")
        with self._lock:
            entry = self._entries.get((program, name))
            if entry is None:
                return isolate.CodeOffer(key, b"", 0), []
            self._entries.move_to_end((program, name))
            # A duplicate: the entry may make room for another before the offer is sent.
            return isolate.CodeOffer(key, entry.tag, entry.size), [os.dup(entry.descriptor)]

    def take(self, program: Digest, name: bytes, made: isolate.CodeMade, descriptor: int) -> bool:
        """Keep code that a front process of this program made; whether there is room for it.

        The descriptor becomes ours.
        """
        if not self._keepable(made.size, descriptor):
            os.close(descriptor)
            return False
        with self._lock:
            self._drop((program, name))
            while sum(entry.size for entry in self._entries.values()) + made.size > self._max_bytes:
                self._drop(next(iter(self._entries)))
            self._entries[program, name] = _Entry(made.tag, made.size, descriptor)
        return True

    def close(self) -> None:
        """Forget all code."""
        with self._lock:
            for key in list(self._entries):
                self._drop(key)

    def _keepable(self, size: int, descriptor: int) -> bool:
        """Whether the file has this size for good."""
        with contextlib.suppress(OSError):
            # A front that a program took over may send any file, one that can still change too.
            sealed = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALED == _SEALED
            return sealed and 0 < size == os.fstat(descriptor).st_size <= self._max_bytes
        return False

    def _drop(self, key: tuple[Digest, bytes]) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            os.close(entry.descriptor)
