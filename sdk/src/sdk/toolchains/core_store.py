"""The cores of Python that this user has made: each under the digest of what it was made of.

A file is named by its own digest as well, so that one which was damaged is known and made again.
"""

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from veracruz_shells.files import write_new_file

MOST_CORES: Final = 3
"""Of several versions of the SDK that one user has; what was not used for longest goes."""
_DIGITS: Final = 32


def kept_core(folder: Path, made_of: str) -> bytes | None:
    """The core in a folder that was made of something, whole; None if there is none.

    Args:
        folder: the store, which is this user's alone.
        made_of: the digest of what it was made of, in hexadecimal.
    """
    for file in folder.glob(f"core-{made_of[:_DIGITS]}-*.wasm"):
        core = file.read_bytes()
        if file == _file(folder, made_of, core):
            os.utime(file)
            return core
        file.unlink()
    return None


def keep_core(folder: Path, made_of: str, core: bytes) -> None:
    """Keep a core, and no more than some.

    Raises:
        VeracruzError: it cannot be written.
    """
    write_new_file(_file(folder, made_of, core), core, mode=0o600, force=True)
    by_use = sorted(folder.glob("core-*.wasm"), key=lambda file: file.stat().st_mtime_ns)
    for file in by_use[:-MOST_CORES]:
        file.unlink()


def _file(folder: Path, made_of: str, core: bytes) -> Path:
    own = sha256(core).hexdigest()
    return folder / f"core-{made_of[:_DIGITS]}-{own[:_DIGITS]}.wasm"
