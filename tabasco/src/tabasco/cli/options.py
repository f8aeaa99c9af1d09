"""Options and arguments that several commands share."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from cryptography.hazmat.primitives.asymmetric import ec

from tabasco.errors import TabascoError
from tabasco.registry.challenges import MIN_KEY_BYTES
from tabasco.registry.database import Database
from tabasco.registry.state import DEFAULT_TENANT, StateDirectory
from tabasco.registry.tenants import existing_tenant
from veracruz_shells.console import read_file
from veracruz_shells.home import home_folder
from veracruz_utils.key_files import p256_key_of_pem
from veracruz_utils.public_keys import KeyFormatError
from veracruz_utils.secret import Secret

_MAX_PEM_BYTES: Final = 16 * 1024
_TENANT: Final = "tabasco.tenant"
_BETWEEN: Final = re.compile(r"(?<=[0-9a-fA-F]{2}):(?=[0-9a-fA-F]{2})")  # as openssl prints digests
_F = TypeVar("_F", bound=Callable[..., Any])


def _default_state() -> Path:
    if said := os.environ.get("XDG_STATE_HOME"):
        return Path(said) / "veracruz" / "tabasco"
    home = home_folder()
    if home is None:
        raise click.UsageError("there is no home folder to keep a state in: give --state DIR")
    return home / ".local" / "state" / "veracruz" / "tabasco"


def bare_state_option(command: _F) -> _F:
    """Add `--state`, passed as `state: StateDirectory`, of the default tenant."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        default=_default_state,
        envvar="TABASCO_STATE",
        show_default="$XDG_STATE_HOME/veracruz/tabasco",
        metavar="DIR",
        help="Directory with the result-signing key and the database.",
        callback=_state_of_tenant,
    )(command)


def state_option(command: _F) -> _F:
    """Add `--state` and `--tenant`, passed together as `state: StateDirectory`."""
    option = click.option(
        "--tenant",
        default=DEFAULT_TENANT,
        envvar="TABASCO_TENANT",
        show_default=True,
        metavar="NAME",
        is_eager=True,  # the callback of --state has to know
        expose_value=False,
        callback=lambda context, _parameter, value: context.meta.__setitem__(_TENANT, value),
        help="Tenant whose keys and database to use.",
    )
    return option(bare_state_option(command))


def _state_of_tenant(
    context: click.Context, _parameter: click.Parameter, value: Path
) -> StateDirectory:
    return existing_tenant(StateDirectory(value), context.meta.get(_TENANT, DEFAULT_TENANT))


def database_option(command: _F) -> _F:
    """Add `--database`, passed as `database: str | None`, a URL."""
    return click.option(
        "--database",
        envvar="TABASCO_DATABASE",
        show_default="tabasco.db in the state directory",
        metavar="URL",
        help="Database URL: sqlite:///PATH or postgresql://USER@HOST/NAME.",
    )(command)


def open_database(state: StateDirectory, url: str | None, *, create: bool = False) -> Database:
    """The database of a command: at the URL, or in the state directory.

    Raises:
        VeracruzError: it cannot be opened.
    """
    if url is None and create:
        state.prepare()
    return Database.open(database_url_of(state, url), connections=1, create=create)


def database_url_of(state: StateDirectory, url: str | None) -> str:
    """Where the database is.

    Raises:
        TabascoError: a URL is given, and a tenant has a database of its own.
    """
    if url is not None and state.tenant != DEFAULT_TENANT:
        raise TabascoError(
            f"tenant {state.tenant} has its own database: do not give --database or "
            "TABASCO_DATABASE"
        )
    return url or state.database_url


class _Time(click.ParamType[datetime]):
    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            time = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-02-25T12:00:00Z", param, ctx)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time


TIME: Final = _Time()
"""The type of an option that is a time; without a zone, UTC."""


def store_option(command: _F) -> _F:
    """Add `--store`, passed as `store: Path`."""
    return click.option(
        "--store",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="TABASCO_COLLATERAL_STORE",
        show_default="collateral in the state directory",
        metavar="DIR",
        help="Directory of stored collateral, which all tenants share.",
        callback=_store_in_state,
    )(command)


def _store_in_state(
    context: click.Context, _parameter: click.Parameter, value: Path | None
) -> Path:
    if value is not None:
        return value
    state = context.params.get("state")  # there if the command has it and was given it
    if isinstance(state, StateDirectory):
        return state.home / "collateral"
    given = os.environ.get("TABASCO_STATE")
    return (Path(given) if given else _default_state()) / "collateral"


def seconds_option(
    name: str, what: str, *, default: timedelta, most: timedelta
) -> Callable[[_F], _F]:
    """Add an option in whole seconds, passed as a `timedelta` of at most `most`."""
    return click.option(
        name,
        type=click.IntRange(1, int(most.total_seconds())),
        default=int(default.total_seconds()),
        show_default=True,
        metavar="SECONDS",
        help=f"How long {what}.",
        callback=lambda _context, _parameter, value: timedelta(seconds=value),
    )


def format_time(time: datetime) -> str:
    """A time, for people."""
    return f"{time:%Y-%m-%d %H:%M:%S}"


def utc_text(time: datetime) -> str:
    """A time in UTC, as in RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def current_time() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


def public_key_in(file: Path) -> ec.EllipticCurvePublicKey:
    """The P-256 public key in a PEM file; `-` is standard input.

    Raises:
        VeracruzError: the file cannot be read, or something else is in it.
    """
    data = read_file(file, limit=_MAX_PEM_BYTES, what="public key")
    try:
        return p256_key_of_pem(data)
    except KeyFormatError as error:
        raise TabascoError(f"public key {file} {error}") from error


def in_hex(text: str) -> bytes:
    """The bytes that hexadecimal digits are, of either case, with 0x before or colons between.

    Raises:
        click.BadParameter: they are something else.
    """
    try:
        return bytes.fromhex(_BETWEEN.sub("", text.strip()).lower().removeprefix("0x"))
    except ValueError:
        raise click.BadParameter(f"{text[:40]!r} is not hexadecimal") from None


def challenge_key_in(file: Path) -> Secret:
    """The key of stateless challenges in a file, in hexadecimal.

    Raises:
        VeracruzError: the file cannot be read, others can read it, or it holds no such key.
    """
    data = read_file(file, limit=1024, what="challenge key")
    if file.stat().st_mode & 0o077:
        raise TabascoError(f"other users can read {file}: run chmod 600 on it, or make a new key")
    try:
        key = bytes.fromhex(data.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) < MIN_KEY_BYTES:
        raise TabascoError(
            f"{file} does not hold a challenge key: expected at least {MIN_KEY_BYTES} random bytes "
            "in hexadecimal"
        )
    return Secret(key)
