"""The command line of 2021, told in the words of today's."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PROGRAM: Final = "freestanding-execution-engine"
_OPTIONS: Final = {
    "-p": "program", "--program": "program",
    "-d": "data", "--data": "data",
    "-x": "strategy", "--execution-strategy": "strategy",
    "-t": "time", "--time": "time",
}  # fmt: skip
_STRATEGIES: Final = {"interp": "interpretation"}
_CONFIGURATION: Final = Path("config/chihuahua.toml")


def command_of_today(arguments: Sequence[str]) -> str | None:
    """The command that does what these arguments did in 2021; None if they are none of then.

    They began with an option: there were no commands.
    """
    if not arguments or _named(arguments[0])[0] is None:
        return None
    given: dict[str, list[str]] = {}
    current = ""
    for argument in arguments:
        name, value = _named(argument)
        if name is not None:
            current = name
            given.setdefault(current, [])
            if value is None:
                continue
            argument = value  # noqa: PLW2901 - what is left of it
        given[current].append(argument)
    programs = given.get("program") or ["PROGRAM.wasm"]
    command = [_PROGRAM, "run", programs[0]]
    for file in given.get("data", []):
        command += ["--data", file]
    strategy = (given.get("strategy") or ["interp"])[0]
    command += ["--strategy", _STRATEGIES.get(strategy, strategy)]
    if _CONFIGURATION.is_file():  # which it always read
        command += ["--config", str(_CONFIGURATION)]
    return shlex.join(command)


def _named(argument: str) -> tuple[str | None, str | None]:
    """The option of 2021 that an argument is or begins with, and the value behind it."""
    name, equals, value = argument.partition("=")
    if name in _OPTIONS:
        return _OPTIONS[name], value if equals else None
    if argument[:2] in _OPTIONS and not argument.startswith("--"):
        return _OPTIONS[argument[:2]], argument[2:].removeprefix("=")
    return None, None
