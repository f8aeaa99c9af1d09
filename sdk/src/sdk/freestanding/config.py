"""The configuration file: TOML with the names of the options, and the three keys of 2021."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sdk.errors import UsageError
from veracruz_shells.console import read_file
from veracruz_utils.frozen import frozen

_MAX_BYTES: Final = 1024 * 1024

# Of each key what its value is; a file's name is relative to the folder of the configuration.
_TEXT, _WHOLE, _NUMBER, _FLAG, _FILE, _FILES = (
    "text",
    "a whole number",
    "a number",
    "true or false",
    "the name of a file",
    "a list of names of files",
)
_OPTIONS: Final = {
    "program": _FILE,
    "data": _FILES,
    "stream": _FILES,
    "rounds": _WHOLE,
    "previous": _FILE,
    "strategy": _TEXT,
    "policy": _FILE,
    "as": _TEXT,
    "output": _FILE,
    "force": _FLAG,
    "seconds": _NUMBER,
    "compile-seconds": _WHOLE,
    "memory-mib": _WHOLE,
    "fuel": _WHOLE,
    "count-fuel": _FLAG,
    "canonical-nans": _FLAG,
    "trace": _FLAG,
    "profile": _FLAG,
    "cache": _FILE,
    "json": _FLAG,
}
_OF_2021: Final = {
    "data-source-count": _WHOLE,
    "call-stack-size": _WHOLE,
    "suppress-performance-statistics": _FLAG,
}
KEYS: Final = {**_OPTIONS, **_OF_2021}
"""Every key, and what its value is."""
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    _TEXT: (str,),
    _WHOLE: (int,),
    _NUMBER: (int, float),
    _FLAG: (bool,),
    _FILE: (str,),
    _FILES: (list,),
}


@frozen
class Config:
    """What a configuration file says.

    Attributes:
        options: values of options of `run`, by their names without dashes in front.
        data_source_count: how many inputs there have to be; None says nothing.
        times: whether the report for people contains times.
    """

    options: Mapping[str, Any]
    data_source_count: int | None = None
    times: bool = True

    @classmethod
    def read(cls, path: Path) -> "Config":
        """The configuration in a file.

        Raises:
            UsageError: it is not TOML, has a key that we do not know, or a value of another kind.
            VeracruzError: it cannot be read.
        """
        text = read_file(path, limit=_MAX_BYTES, what="configuration")
        try:
            found = tomllib.loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise UsageError(f"configuration {path} is not TOML: {str(error)[:200]}") from None
        for key, value in found.items():
            _require_kind(path, key, value)
        return cls(
            {key: _beside(path, key, found[key]) for key in found if key in _OPTIONS},
            found.get("data-source-count"),
            times=not found.get("suppress-performance-statistics", False),
        )


def _require_kind(path: Path, key: str, value: object) -> None:
    if key not in KEYS:
        raise UsageError(
            f"configuration {path}: unknown key {key[:60]!r}; the keys are {', '.join(KEYS)}"
        )
    kind = KEYS[key]
    fits = isinstance(value, _TYPES[kind]) and (kind is _FLAG or not isinstance(value, bool))
    if kind is _FILES and isinstance(value, list):
        fits = all(isinstance(each, str) for each in value)
    if kind is _WHOLE and isinstance(value, int):
        fits = fits and value >= 0
    if not fits:
        raise UsageError(f"configuration {path}: {key} is {str(value)[:60]!r}, expected {kind}")


def _beside(path: Path, key: str, value: Any) -> Any:  # noqa: ANN401 - what TOML holds
    """The value, with names of files relative to the folder of the configuration."""
    if KEYS[key] is _FILE:
        return str(path.parent / value)
    if KEYS[key] is _FILES:
        return [_beside_source(path, each) for each in value]
    return value


def _beside_source(path: Path, text: str) -> str:
    whose, equals, file = text.rpartition("=")
    return f"{whose}{equals}{path.parent / file}"
