"""How far an upload or a result has come, from one connection to the next."""

import hashlib
from collections.abc import Callable, Iterator

from colima import runtime
from durango.content import UploadContent
from durango.errors import DurangoError, ProtocolError

Progress = Callable[[int], object]
"""Called with the number of bytes that have just been sent; after a break, with a negative one for
those that have to be sent again."""


class Sending:
    """An upload.

    Attributes:
        request: announces it.
        there: how much of it the isolate said it has.
    """

    def __init__(
        self, request: runtime.Upload, content: UploadContent, on_progress: Progress | None
    ) -> None:
        self.request = request
        self.there = 0
        self._content = content
        self._shown = 0
        self._on_progress = on_progress

    def go_to(self, offset: int) -> None:
        """Go on from here."""
        if offset > self.request.size:
            raise ProtocolError(
                f"the isolate says it has {offset} bytes of an upload of {self.request.size}"
            )
        self.there = offset
        self.sent(offset - self._shown)

    def pieces(self) -> Iterator[bytes | memoryview]:
        """What the isolate has not got."""
        return self._content.pieces(self.there)

    def sent(self, size: int) -> None:
        """So many bytes more went out."""
        self._shown += size
        if size and self._on_progress is not None:
            self._on_progress(size)


class Fetching:
    """A result.

    Args:
        write: gets its pieces.
        limit: the largest that is taken, in bytes.
        retry: have the program run again after a run that failed.

    Attributes:
        received: bytes so far.
        sha256: over them.
    """

    def __init__(
        self, write: Callable[[bytes], object], limit: int, *, retry: bool = False
    ) -> None:
        self.sha256 = hashlib.sha256()
        self.received = 0
        self._write = write
        self._limit = limit
        self._retry = retry
        self._announced: runtime.ResultIs | None = None

    def request(self) -> runtime.GetResult:
        """What to ask for; only once for another run, however often a connection breaks."""
        retry, self._retry = self._retry, False
        return runtime.GetResult(self.received, retry)

    def begin(self, result: runtime.ResultIs) -> int:
        """How many bytes of this result follow now."""
        if result.size > self._limit or (result.size and not result.present):
            raise ProtocolError(
                f"the isolate announced a result of {result.size} bytes, "
                f"at most {self._limit} are taken"
            )
        if self._announced is None:
            self._announced = result
        # By the receipt, which names the run: of another one the bytes so far are no part.
        if result.receipt != self._announced.receipt or result.size != self._announced.size:
            self.require_none()
        if result.offset != self.received:
            raise ProtocolError(
                f"the isolate sends the result from byte {result.offset}, expected {self.received}"
            )
        return result.size - result.offset

    def require_none(self) -> None:
        """Refuse to take another result for the rest of this one."""
        if self._announced is not None:
            raise DurangoError(
                "the result was fetched in part when the connection broke, and meanwhile another "
                "run took its place: fetch it again"
            )

    def take(self, piece: bytes) -> None:
        """Another piece."""
        self.sha256.update(piece)
        self._write(piece)
        self.received += len(piece)
