r"""The example programs, as the modules their sources in `examples/` build, byte for byte.

>>> from sdk import programs
>>> programs.load("private-set-intersection")[:4]
b'\x00asm'
"""

from importlib.resources import files
from typing import Final

NAMES: Final = tuple(
    sorted(
        entry.name.removesuffix(".wasm")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".wasm")
    )
)

__all__ = ["NAMES", "load"]


def load(name: str) -> bytes:
    """The module of the example program `name`; KeyError if there is none of that name."""
    if name not in NAMES:
        raise KeyError(name)
    return files(__name__).joinpath(f"{name}.wasm").read_bytes()
