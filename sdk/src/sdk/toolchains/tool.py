"""Running compilers and cargo: in a folder, with a time limit, without a shell."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sdk.errors import BuildError
from veracruz_utils.frozen import frozen

_MOST_CHARS: Final = 8000


@frozen
class Ran:
    """How a tool ended, and what it wrote.

    Attributes:
        succeeded: it ended with status 0.
        output: what it wrote on standard output.
        words: what it wrote on standard error, and may complain about.
    """

    succeeded: bool
    output: str
    words: str


def run_tool(
    command: Sequence[str],
    folder: Path,
    *,
    name: str,
    timeout_s: int,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run a tool in a folder.

    Args:
        command: the tool and its arguments.
        folder: where.
        name: of the tool, for the error.
        timeout_s: how long it may take, in seconds.
        environment: all of it; None for ours.

    Raises:
        BuildError: it did not end in time.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own command line, no shell
            command,
            capture_output=True,
            check=False,
            cwd=folder,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{name} did not finish in {timeout_s} s") from None
    return Ran(done.returncode == 0, done.stdout, done.stderr.strip())


def refusal(who: str, what: object, words: str) -> BuildError:
    """The error of a tool that refuses something, with the beginning of its words."""
    return BuildError(f"{who} cannot build {what}:\n{words[:_MOST_CHARS]}")
