"""The file that saves a principal from saying the same in every command: `config.toml`.

    profile = "north"

    [profiles.north]
    certificate = "north.cert.pem"
    key = "north.key.pem"
    policy = "policy.json"

What a command line or the environment says goes first. Files are looked for beside the file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from durango._words import printable
from durango.errors import DurangoError
from veracruz_shells.settings_file import read_toml

FILE_NAME: Final = "config.toml"
_FILES: Final = (
    "certificate",
    "key",
    "key_password",
    "policy",
    "tabasco_key",
    "tabasco_ca",
    "tabasco_client_certificate",
    "tabasco_client_key",
)


class Profile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What one profile says; each is the default of the option of that name."""

    certificate: str | None = None
    key: str | None = None
    key_password: str | None = None
    policy: str | None = None
    tabasco_key: str | None = None
    sinaloa: str | None = None
    transport: str | None = None
    bulk: str | None = None
    tabasco: str | None = None
    tabasco_ca: str | None = None
    tabasco_client_certificate: str | None = None
    tabasco_client_key: str | None = None
    timeout: float | None = None


class _Config(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    profile: str | None = None
    profiles: dict[str, Profile] = {}


def defaults_of(folder: Path, name: str | None) -> dict[str, object]:
    """The defaults that the profile called `name`, or the file's usual one, gives options.

    Args:
        folder: where `config.toml` is, if there is one.
        name: which profile; None is the one that the file names, or none.

    Raises:
        DurangoError: the file is not what it should be, or there is no such profile.
    """
    path = folder / FILE_NAME
    if not path.exists():
        if name is not None:
            raise DurangoError(f"there is no profile {name!r}: {path} does not exist")
        return {}
    config = _read(path)
    chosen = config.profile if name is None else name
    if chosen is None:
        return {}
    if chosen not in config.profiles:
        known = printable(", ".join(config.profiles)) or "none"
        raise DurangoError(f"{path} has no profile {chosen!r}; it has {known}")
    said = msgspec.structs.asdict(config.profiles[chosen])
    return {
        field: _path(folder, value) if field in _FILES else value
        for field, value in said.items()
        if value is not None
    }


def _path(folder: Path, value: str) -> str:
    if "\0" in value:
        raise DurangoError(f"{printable(value)}: no file has NUL in its name")
    try:
        return str(folder / Path(value).expanduser())
    except RuntimeError as error:  # of a user who is not there
        raise DurangoError(f"{printable(value)}: {error}") from None


class PolicyArgument(click.Argument):
    """The argument POLICY, which may be left out where a profile names one.

    Then the first argument on the command line is the next one's.
    """

    def process_value(self, ctx: click.Context, value: Any) -> Any:  # noqa: ANN401 - click's
        """The file; where it is missing, it is said who else may name it."""
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            raise click.UsageError(
                'POLICY is missing: give the policy\'s file, or say `policy = "FILE"` in a profile '
                "of config.toml (see `durango --help`)",
                ctx,
            ) from None

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """As click does, after what was given is where it belongs."""
        assert isinstance(opts, dict)
        usual = ctx.lookup_default("policy")
        arguments = [each for each in ctx.command.params if isinstance(each, click.Argument)]
        names = [each.name for each in arguments]
        first = opts.get("policy")
        if usual is None or not isinstance(first, str):
            return super().handle_parse_result(ctx, opts, args)
        if arguments[-1].nargs == -1:
            # Any number of files may follow: whether the first is the policy, it says itself.
            if not _is_json(first):
                others = opts.get(names[-1])
                opts[names[-1]] = (first, *(others if isinstance(others, list | tuple) else ()))
                opts["policy"] = usual
            return super().handle_parse_result(ctx, opts, args)
        missing = [name for name in names if not isinstance(opts.get(name), str)]
        if missing and missing[0] == names[-1] != "policy":
            for later, earlier in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
                opts[later] = opts[earlier]
            opts["policy"] = usual
        return super().handle_parse_result(ctx, opts, args)


def _is_json(name: str) -> bool:
    try:
        with Path(name).open("rb") as file:
            return file.read(64).lstrip().startswith(b"{")
    except (OSError, ValueError):
        return False


def _read(path: Path) -> _Config:
    said = read_toml(path, what="configuration")
    try:
        return msgspec.convert(said, _Config)
    except msgspec.ValidationError as error:
        known = ", ".join(Profile.__struct_fields__)
        what = str(error).replace("`", "'").replace("$.", "").replace("Object contains ", "")
        if "profiles[...]" in what:
            what = what.replace("profiles[...]", _faulty(said))
        raise DurangoError(f"{path}: {printable(what)}; a profile may have {known}") from None


def _faulty(said: Mapping[str, Any]) -> str:
    """Which of the profiles is not what it should be."""
    for name, profile in said["profiles"].items():
        try:
            msgspec.convert(profile, Profile)
        except msgspec.ValidationError:
            return f"profiles.{name}"
    return "profiles"
