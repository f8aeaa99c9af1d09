"""Progress of what takes longer than two seconds, on standard error if that is a terminal.

    with progress("sending", length=size) as advance:
        advance(1024)

A line is drawn by a thread, so that it goes on while one call blocks, and it is gone at the end. A
terminal that cannot go back in a line gets whole lines, far between; a pipe or a file gets nothing.
"""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, RLock, Thread
from typing import Final, TextIO

from veracruz_shells.terminal import can_draw, cut, is_terminal, size_of

_PATIENCE_S: Final = 2.0
_DRAW_S: Final = 0.25
_LINE_S: Final = 10.0
_MIB: Final = 1 << 20
_CLEAR: Final = "\r\x1b[K"

_lock: Final = RLock()
_shown: Final[list["_Display"]] = []
"""What is under way; the last is drawn."""


class Progress:
    """How far something is. Call it with each step that was made."""

    def __init__(self, label: str, length: int | None) -> None:
        self.label = label
        self.length = length
        self.done = 0
        self._begun = time.monotonic()

    def __call__(self, steps: int) -> None:
        """So many more steps, or bytes, are done."""
        self.done += steps

    def become(self, label: str) -> None:
        """Go on as something else, whose length nobody knows."""
        self.label, self.length, self.done = label, None, 0

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begun

    def line(self, columns: int, *, seconds: float) -> str:
        """How far it is, in so many columns; the label gives way.

        Args:
            columns: how wide it may be.
            seconds: since it began.
        """
        facts = [f"{seconds:.0f} s"]
        if self.length:
            share = min(1.0, self.done / self.length)
            facts.insert(0, f"{share:.0%}")
            if 0 < share < 1:
                facts.append(f"{seconds / share - seconds:.0f} s left")
        elif self.done:
            facts.insert(0, f"{self.done / _MIB:.1f} MiB")
        told = ", ".join(facts)
        while len(facts) > 1 and len(told) > columns:
            facts.pop()
            told = ", ".join(facts)
        label = cut(self.label, columns - len(told) - 2)
        return cut(f"{label}: {told}" if label else told, columns)


@contextmanager
def progress(label: str, *, length: int | None = None) -> Iterator[Progress]:
    """Show how far something is; call what you get with each step.

    Args:
        label: what is done.
        length: of how many steps, or bytes; None if nobody knows.
    """
    made = Progress(label, length)
    if not is_terminal(sys.stderr):
        yield made
        return
    display = _Display(made, sys.stderr)
    _shown.append(display)
    display.start()
    try:
        yield made
    finally:
        display.finish()
        _shown.remove(display)


def step_aside() -> None:
    """Leave the line to something else that is written now; progress is drawn below it then."""
    with _lock:
        for display in _shown:
            display.clear()


class _Display:
    """One progress, on a terminal."""

    def __init__(self, progress: Progress, file: TextIO) -> None:
        self._progress = progress
        self._file = file
        self._drawn = False
        self._draws = can_draw(file)
        self._over = Event()
        self._thread = Thread(target=self._go_on, daemon=True)

    def start(self) -> None:
        """Begin to show it when it has taken long enough."""
        self._thread.start()

    def finish(self) -> None:
        """Have the line gone."""
        self._over.set()
        self._thread.join()
        self.clear()

    def clear(self) -> None:
        """Take the line away until it is drawn again."""
        with _lock:
            if self._drawn:
                self._write(_CLEAR)
            self._drawn = False

    def _go_on(self) -> None:
        wait_s = _PATIENCE_S
        while not self._over.wait(wait_s):
            wait_s = _DRAW_S if self._draws else _LINE_S
            with _lock:
                if _shown[-1] is self:
                    self._show()

    def _show(self) -> None:
        columns = size_of(self._file).columns
        # Not the last column: to write there begins a new line on some terminals.
        line = self._progress.line(max(1, columns - 1), seconds=math.floor(self._progress.seconds))
        self._write(f"{_CLEAR}{line}" if self._draws else f"{line}\n")
        self._drawn = self._draws

    def _write(self, text: str) -> None:
        # A terminal that is gone is no reason to end.
        with suppress(OSError, ValueError):
            self._file.write(text)
            self._file.flush()
