"""A command on a terminal of its own, of the size that a test wants."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Callable, Sequence
from pathlib import Path

from support.patience import PATIENCE_S


def on_terminal(
    command: Sequence[str | Path],
    *,
    columns: int = 80,
    lines: int = 24,
    until: Callable[[str], bool] | None = None,
    **environment: str,
) -> tuple[int, str]:
    """The exit status, and all that was written to the terminal.

    Args:
        command: what is run, with output and errors on the terminal.
        columns: of the terminal.
        lines: of it.
        until: once this holds of what was written, the command is interrupted.
        environment: in place of what ours says.
    """
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    inherited = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES", "NO_COLOR"}}
    written = ""
    with subprocess.Popen(
        command, env=inherited | {"TERM": "xterm"} | environment,
        stdin=subprocess.DEVNULL, stdout=child, stderr=child,
    ) as process:  # fmt: skip
        os.close(child)
        try:
            while select.select([parent], [], [], PATIENCE_S)[0] and (
                chunk := os.read(parent, 4096)
            ):
                written += chunk.decode(errors="replace")
                if until is not None and until(written):
                    process.send_signal(2)
                    until = None
        except OSError:  # how the end of a terminal reads
            pass
        finally:
            os.close(parent)
            if until is not None:  # it was never so
                process.kill()
        status = process.wait(PATIENCE_S)
    return status, written
