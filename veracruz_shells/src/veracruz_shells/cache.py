"""This user's cache folder, where tools keep what they can make again."""

import os
import stat
from pathlib import Path

from veracruz_shells.home import home_folder
from veracruz_utils.errors import VeracruzError


def user_cache() -> Path:
    """Where the tools of Veracruz keep things: as the environment says, else in the home folder.

    Raises:
        VeracruzError: there is no home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative name is to be ignored, says the XDG base directory specification.
    if Path(base).is_absolute():
        return Path(base) / "veracruz"
    home = home_folder()
    if home is None:
        raise VeracruzError("there is no home folder: name one for caches by XDG_CACHE_HOME")
    return home / ".cache" / "veracruz"


def own_folder(path: Path) -> Path:
    """The folder, made if it is not there, in which nobody else can put things.

    Raises:
        VeracruzError: it is open to others, or cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise VeracruzError(f"cannot use {path}: {(error.strerror or '').lower()}") from None
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise VeracruzError(
            f"{path} is open to others: chmod go-w it, if it is yours, or name another folder for "
            "caches by XDG_CACHE_HOME"
        )
    return path
