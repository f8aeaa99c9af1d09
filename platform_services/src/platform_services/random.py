"""Random bytes, behind one Protocol for every kind of isolate."""

import os
from typing import Protocol

from platform_services.errors import PlatformError, ServiceUnavailableError


class RandomSource(Protocol):
    """Where the runtime and its guests get random bytes."""

    def fill(self, size: int) -> bytes:
        """Exactly `size` random bytes.

        Raises:
            ServiceUnavailableError: the platform gives none now; never fewer bytes, never zeros.
        """
        ...


class LinuxRandomSource:
    """The kernel's generator by getrandom(2): needs no file, so it works in an empty root."""

    __slots__ = ()

    def fill(self, size: int) -> bytes:
        """Exactly `size` bytes of the kernel's generator.

        Raises:
            PlatformError: `size` is negative.
            ServiceUnavailableError: the generator is not seeded yet, or the call is not allowed.
        """
        if size < 0:
            raise PlatformError(f"cannot draw {size} random bytes: the size is negative")
        pieces: list[bytes] = []
        while size:
            piece = _draw(size)  # short above 32 MiB, and above 256 bytes when a signal comes
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _draw(size: int) -> bytes:
    try:
        # Not blocking: a machine without entropy is reported, it does not hang the isolate.
        piece = os.getrandom(size, os.GRND_NONBLOCK)
    except OSError as error:
        raise ServiceUnavailableError(
            f"getrandom(2) gives no random bytes (errno {error.errno}): "
            "wait until the machine's generator is seeded, or allow the call"
        ) from error
    if not piece:
        raise ServiceUnavailableError("getrandom(2) gave no bytes and no error")
    return piece
