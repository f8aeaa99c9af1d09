"""The options that commands share, and what is read by them without asking anybody."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from durango.cli.profiles import PolicyArgument
from durango.identity import MAX_PEM_BYTES, Identity
from durango.tabasco_keys import parse_tabasco_key
from veracruz_shells.console import note, read_file

_CommandT = TypeVar("_CommandT", bound=Callable[..., object])

_MAX_PASSWORD_BYTES: Final = 4096
FILE: Final = click.Path(path_type=Path, dir_okay=False)
"""A file; `-` is standard input or output where that makes sense."""


class _OwnFileOption(click.Option):
    """An option that names a file of one's own; where it is missing, it says who else may."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:  # noqa: ANN401 - click's
        """The file."""
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            assert self.name is not None
            raise click.UsageError(
                f"{self.opts[0]} is missing: give {self.opts[0]} FILE, set {self.envvar}, or say "
                f'`{self.name} = "FILE"` in a profile of config.toml (see `durango --help`)',
                ctx,
            ) from None


def certificate_option(
    *, required: bool = True, say: str = "Your certificate (PEM)."
) -> Callable[[_CommandT], _CommandT]:
    """Adds `--certificate`, passed as `certificate: Path`."""
    return click.option(
        "--certificate",
        cls=_OwnFileOption,
        type=FILE,
        required=required,
        envvar="DURANGO_CERTIFICATE",
        help=say,
    )


def key_option(*, required: bool = True) -> Callable[[_CommandT], _CommandT]:
    """Adds `--key`, passed as `key: Path`."""
    return click.option(
        "--key",
        cls=_OwnFileOption,
        type=FILE,
        required=required,
        envvar="DURANGO_KEY",
        help="Your private key (PEM).",
    )


tabasco_key_option = click.option(
    "--tabasco-key",
    type=FILE,
    envvar="DURANGO_TABASCO_KEY",
    help="Tabasco's public result key (PEM), for a policy that names none.",
)
key_password_option = click.option(
    "--key-password",
    type=FILE,
    envvar="DURANGO_KEY_PASSWORD",
    help="A file whose first line is the password of an encrypted key.  [default: it is asked for]",
)
policy_argument = click.argument("policy", type=FILE, cls=PolicyArgument, is_eager=True)
releases_option = click.option(
    "--config",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: click.get_app_dir("durango"),
    show_default="~/.config/durango",
    envvar="DURANGO_CONFIG",
    help="The folder with the releases that you know and the release keys that you trust.",
)
"""Adds `--config`, passed as `config: Path`."""
force_option = click.option("--force", is_flag=True, help="Overwrite an existing file.")


def load_tabasco_key(path: Path | None) -> bytes | None:
    """The key in a file, as DER; None without one."""
    if path is None:
        return None
    pem = read_file(path, limit=MAX_PEM_BYTES, what="key of Tabasco")
    return parse_tabasco_key(pem, name=str(path))


def load_identity(certificate: Path, key: Path, key_password: Path | None = None) -> Identity:
    """The identity in two files; warns of a key that others can read."""
    identity = Identity.load(certificate, key, password=password_from(key_password))
    if key.stat().st_mode & 0o077:
        note(f"warning: others on this machine may read {key}: chmod 600 {key}")
    return identity


def password_from(
    file: Path | None, *, new: bool = False, option: str = "--key-password"
) -> Callable[[str], bytes]:
    """What gives a password: the first line of a file, or who sits at the terminal.

    Args:
        file: the file, if there is one.
        new: nothing has this password yet, so it is asked for twice, and cannot be empty.
        option: which names the file.
    """

    def password(name: str) -> bytes:
        if file is not None:
            first, *_ = read_file(file, limit=_MAX_PASSWORD_BYTES, what="password").split(b"\n")
            if new and not first.removesuffix(b"\r"):
                raise click.UsageError(f"the first line of {file} is empty, and is no password")
            return first.removesuffix(b"\r")
        if not sys.stdin.isatty():
            needed = f"{name} is to be encrypted" if new else f"{name} is encrypted"
            raise click.UsageError(
                f"{needed} and there is no terminal to ask for its password at: give {option} FILE"
            )
        typed: str = click.prompt(
            f"password of {name}", hide_input=True, confirmation_prompt=new, err=True
        )
        return typed.encode()

    return password
