"""Compiled code of the programs under test, kept in this user's cache folder."""

import os
from pathlib import Path

from execution_engine.code_cache import CodeCache
from execution_engine.errors import EngineError
from veracruz_utils.errors import VeracruzError


def cache_folder() -> Path:
    """Where compiled code is kept: as the environment says, else in the home folder."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative name is to be ignored, says the XDG base directory specification.
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return folder / "veracruz" / "tests"


def open_cache() -> tuple[CodeCache, VeracruzError | None]:
    """The cache in that folder; if it cannot be used one in memory, and why."""
    try:
        return CodeCache.in_directory(cache_folder()), None
    except EngineError as error:
        return CodeCache.in_memory(), error
    except RuntimeError:  # there is no home folder
        return CodeCache.in_memory(), VeracruzError("there is no home folder for the code cache")
