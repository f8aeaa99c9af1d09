"""The file that says once what command lines and the environment would say each time.

    log_format = "json"         # of every command that has the option

    [serve]
    listen = "0.0.0.0:3010"     # of the command `serve`
    trust_root = ["root.pem"]

A key is an option's name with `_` for `-`. Files are looked for beside the file; `~` is the home
folder. What no command has is refused, as is a value of another type: nothing is passed over.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click

from veracruz_shells.files import read_file
from veracruz_shells.home import home_folder
from veracruz_shells.option_names import key_of
from veracruz_utils.errors import VeracruzError

__all__ = ["SettingsError", "defaults_in", "file_of", "read_toml", "settings_of"]

_MAX_BYTES: Final = 64 * 1024
_ELSEWHERE: Final = frozenset({"config", "print_config", "help", "version", "debug"})


class SettingsError(VeracruzError):
    """A file of settings, or a name in the environment, is not what it should be."""


def file_of(prog: str) -> Path | None:
    """The file that a program reads if it is told none: the user's own, or the machine's."""
    own = [Path(said)] if (said := os.environ.get("XDG_CONFIG_HOME")) else []
    if not own and (home := home_folder()):
        own = [home / ".config"]
    for folder in (*own, Path("/etc")):
        path = folder / "veracruz" / f"{prog}.toml"
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # a folder that this user may not enter is not its own
        return path
    return None


def settings_of(command: click.Command) -> dict[str, click.Parameter]:
    """What a file can say of a command: its options, and arguments with a name elsewhere."""
    return {
        key_of(each): each
        for each in command.params
        if each.name not in _ELSEWHERE and (isinstance(each, click.Option) or each.envvar)
    }


def defaults_in(path: Path, group: click.Group, ctx: click.Context) -> dict[str, Any]:
    """The defaults that a file gives the commands of a program, as click's `default_map`.

    Raises:
        VeracruzError: it cannot be read, is not TOML, or says what no command has.
    """
    said = read_toml(path, what="configuration")
    known = dict(_of_all(group, ctx))
    commands = group.list_commands(ctx)
    shared = {key: value for key, value in said.items() if key not in commands}
    for key, value in shared.items():
        if key not in known:
            where = "table" if isinstance(value, dict) else "key"
            raise _unknown(path, where, key, [*known, *commands])
    return _defaults(path, group, ctx, said, shared=shared, above="")


def read_toml(path: Path, *, what: str) -> dict[str, Any]:
    """What a file in TOML says.

    Raises:
        VeracruzError: it cannot be read, is larger than 64 KiB, or is not TOML.
    """
    raw = read_file(path, limit=_MAX_BYTES, what=what)
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        said = f"{path} is not UTF-8 at byte {error.start}: save it as UTF-8"
    except (ValueError, RecursionError) as error:
        said = f"{path} is not TOML: {str(error)[:120]}"
    raise SettingsError(said)


def _of_all(group: click.Group, ctx: click.Context) -> Iterator[tuple[str, click.Parameter]]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from _of_all(command, ctx)
        elif command is not None:
            yield from settings_of(command).items()


def _defaults(
    path: Path,
    group: click.Group,
    ctx: click.Context,
    said: Mapping[str, Any],
    *,
    shared: Mapping[str, Any],
    above: str,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        own = said.get(name, {})
        where = f"{above}{name}"
        if not isinstance(own, dict):
            raise SettingsError(
                f"{path}: {where} is {_kind(own)}, expected a table: {where} is a command, whose "
                f"settings stand under [{where}]"
            )
        if isinstance(command, click.Group):
            inside = command.list_commands(ctx)
            for key in own:
                if key not in inside:
                    raise _unknown(path, "table", f"{where}.{key}", inside)
            found[name] = _defaults(path, command, ctx, own, shared=shared, above=f"{where}.")
        elif command is not None:
            known = settings_of(command)
            for key in own:
                if key not in known:
                    raise _unknown(path, "key", f"{where}.{key}", known)
            told = {key: (key, value) for key, value in shared.items() if key in known} | {
                key: (f"{where}.{key}", value) for key, value in own.items()
            }
            found[name] = {
                known[key].name: _checked(path, place, value, known[key])
                for key, (place, value) in told.items()
            }
    return found


def _checked(path: Path, place: str, value: object, parameter: click.Parameter) -> object:
    """A value of the type that the parameter has; a file's name from where the file is."""
    several = parameter.multiple or parameter.nargs != 1
    if several:
        if not isinstance(value, list):
            raise _wrong(path, place, value, "an array, such as " + place + ' = ["…"]')
        return [_one(path, f"{place}[{i}]", each, parameter) for i, each in enumerate(value)]
    return _one(path, place, value, parameter)


def _one(path: Path, place: str, value: object, parameter: click.Parameter) -> object:
    wanted: tuple[type, ...]
    match parameter.type:
        case click.types.BoolParamType():
            wanted, words = (bool,), "true or false"
        case click.types.IntParamType():
            wanted, words = (int,), "an integer, without quotes"
        case click.types.FloatParamType():
            wanted, words = (int, float), "a number, without quotes"
        case _:
            wanted, words = (str,), "a string, in quotes"
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise _wrong(path, place, value, words)
    if isinstance(value, str) and "\0" in value:
        raise _wrong(path, place, value, "a string without NUL in it")
    if isinstance(value, str) and isinstance(parameter.type, click.Path):
        try:
            return str(path.absolute().parent / Path(value).expanduser())
        except RuntimeError as error:  # of a user who is not there
            raise SettingsError(f"{path}: {place}: {error}") from None
    return value


def _kind(value: object) -> str:
    names = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}
    names |= {list: "an array", dict: "a table"}
    return names.get(type(value), "a time")


def _wrong(path: Path, place: str, value: object, words: str) -> SettingsError:
    return SettingsError(f"{path}: {place} is {_kind(value)}, expected {words}")


def _unknown(path: Path, what: str, place: str, known: Mapping[str, Any] | list[str]) -> Exception:
    above, _, key = place.rpartition(".")
    names = sorted({*known})
    near = difflib.get_close_matches(key.replace("-", "_"), names, n=1)
    under = f"{above}." if above else ""
    remedy = f"did you mean {under}{near[0]}?" if near else f"expected one of {', '.join(names)}"
    return SettingsError(f"{path}: {what} {place[:80]!r} is not known: {remedy}")
