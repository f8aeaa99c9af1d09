"""Noise on every integer of a result, a part at a time."""

from collections.abc import Callable
from typing import Final

from mexico_city.content import Content, ContentWriter
from veracruz_utils.encoding.kinds import Integer, TypeKind
from veracruz_utils.encoding.walk import Walk
from veracruz_utils.encoding.wire import Window

_STEP_PARTS: Final = 32
_GATHERED_BYTES: Final = 64 * 1024


class Noising:
    """A result on its way to being one that may be released; of a type of integers alone.

    What is beyond the range of an integer's type becomes its least or greatest value: that depends
    on nothing but what would have been released.
    """

    def __init__(self, content: Content, kind: TypeKind, draw: Callable[[], int]) -> None:
        """Begin; `content` is ours to close, `draw` gives the noise of one integer."""
        self._content = content
        self._draw = draw
        self._bytes = Window(content.size, content.read)
        self._walk = Walk(kind, self._bytes, on_integer=self._add)
        self._writer = ContentWriter(content.size)
        self._made = bytearray()
        self._read = 0

    def step(self) -> Content | None:
        """Go on; the content with noise when that was all of it.

        Raises:
            PineconeError: the content is not of the type.
            ServiceUnavailableError: there are no random bytes now.
        """
        done = self._walk.step(_STEP_PARTS)
        self._made += self._bytes[self._read : self._walk.position]  # counts, as they are
        self._read = self._walk.position
        if done or len(self._made) >= _GATHERED_BYTES:
            self._writer.write(bytes(self._made))
            self._made.clear()
        if not done:
            return None
        self._content.close()
        return self._writer.finish()

    def close(self) -> None:
        """Forget everything; idempotent."""
        self._content.close()
        self._writer.close()

    def _add(self, at: int, integer: Integer) -> None:
        end = at + integer.layout.size
        (value,) = integer.layout.unpack(self._bytes[at:end])
        noisy = min(max(value + self._draw(), integer.least), integer.greatest)
        self._made += self._bytes[self._read : at] + integer.layout.pack(noisy)
        self._read = end
