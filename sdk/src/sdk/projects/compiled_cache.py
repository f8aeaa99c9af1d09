"""Compiled code of the programs under test, kept in this user's cache folder."""

from pathlib import Path

from execution_engine.code_cache import CodeCache
from veracruz_shells.cache import user_cache
from veracruz_utils.errors import VeracruzError


def cache_folder() -> Path:
    """Where compiled code is kept.

    Raises:
        VeracruzError: there is no home folder.
    """
    return user_cache() / "tests"


def open_cache() -> tuple[CodeCache, VeracruzError | None]:
    """The cache in that folder; if it cannot be used one in memory, and why."""
    try:
        return CodeCache.in_directory(cache_folder()), None
    except VeracruzError as error:
        return CodeCache.in_memory(), error
