"""Parts of this package that run in a process of their own."""

import subprocess
import sys
from typing import Final

from sonora.errors import SonoraError

_CODE: Final = (
    "import sys; sys.path[:0] = sys.argv[1].split(':');"
    " from sonora.image.{0} import main; main(*sys.argv[2:])"
)


def search_path() -> list[str]:
    """Where this process looks for modules, for one that it starts."""
    # Without '', which is the working directory: whoever writes there could add modules.
    return [path for path in sys.path if path]


def apart(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package, with nothing but its arguments."""
    # Not isolated by -I, which would ignore the seed of hashes; the environment is ours.
    flags = ["-s", "-P", "-S", "-B"]
    return [
        sys.executable, *flags, "-c", _CODE.format(module), ":".join(search_path()), *arguments,
    ]  # fmt: skip


def run_apart(module: str, *arguments: str, environment: dict[str, str] | None = None) -> bytes:
    """What a module of this package prints, which runs in a process of its own.

    Raises:
        SonoraError: it failed; what it said is in the message.
    """
    done = subprocess.run(  # noqa: S603 - our own interpreter and arguments
        apart(module, *arguments),
        env=environment or {},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise SonoraError(f"cannot build the image: {module}: {said[-1]}")
    return done.stdout
