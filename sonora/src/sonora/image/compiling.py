"""Compile every module of an image, as if in it: run in a process of its own.

The code depends on the source, its place in the image and this interpreter alone: what is compiled
comes in one order, and the caller fixes the seed of hashes.
"""

import py_compile
import sys
from importlib.util import cache_from_source
from pathlib import Path
from typing import NoReturn


def main(root: str) -> NoReturn:
    """Compile all that is below the folder `root`."""
    sources = sorted(Path(root).rglob("*.py"))
    if not sources:
        sys.exit(f"there is no module in {root}")
    for path in sources:
        py_compile.compile(
            str(path),
            cfile=cache_from_source(str(path), optimization=""),
            dfile="/" + str(path.relative_to(root)),
            doraise=True,
            optimize=0,
            # Nobody compares it with the source again: both are in the manifest.
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    sys.exit(0)
