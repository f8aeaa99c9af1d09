"""The commands about who may administer over HTTP: `tabasco administrator ...`."""

from pathlib import Path
from typing import Final

import click

from tabasco.cli.options import (
    current_time,
    database_option,
    format_time,
    open_database,
    state_option,
)
from tabasco.registry.administrators import AdministratorRole, Administrators
from tabasco.registry.state import StateDirectory
from veracruz_shells.console import emit, json_option, subgroup
from veracruz_shells.files import new_file

_MAX_TOKEN_BYTES: Final = 256


@subgroup("administrator")
def administrator() -> None:
    """Manage who may administer over HTTP."""


@administrator.command("add")
@click.option("--name", required=True, help="Name of the administrator, as in the audit log.")
@click.option(
    "--role",
    type=click.Choice([each.value for each in AdministratorRole]),
    default=AdministratorRole.READER.value,
    show_default=True,
    help="A reader sees everything, an admin changes it too.",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@state_option
@database_option
@json_option
def administrator_add(
    *, name: str, role: str, file: Path, state: StateDirectory, database: str | None, as_json: bool
) -> None:
    """Add an administrator, and write their bearer token to FILE, which must not exist."""
    # Before there is a token: its digest alone is kept, so one that is not written is lost.
    with (
        new_file(file, mode=0o600, reserve=_MAX_TOKEN_BYTES) as kept,
        open_database(state, database, create=True) as found,
    ):
        token = Administrators(found).add(name, AdministratorRole(role), at=current_time())
        kept.write(token.reveal() + b"\n")
    text = f"{name} is added as {role}; the token is in {file}, only its digest is kept here"
    emit({"name": name, "role": role, "token_file": file}, text, as_json=as_json)


@administrator.command("list")
@state_option
@database_option
@json_option
def administrator_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """List the administrators."""
    with open_database(state, database) as found:
        every = Administrators(found).all()
    lines = [f"{each.name}  {each.role}  since {format_time(each.added_at)}" for each in every]
    fields = [
        {"name": each.name, "role": each.role.value, "added_at": each.added_at} for each in every
    ]
    text = "\n".join(lines) or "no administrators: see tabasco administrator add"
    emit({"administrators": fields}, text, as_json=as_json)


@administrator.command("remove")
@click.argument("name")
@state_option
@database_option
@json_option
def administrator_remove(
    name: str, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Remove administrator NAME: their token is no longer valid."""
    with open_database(state, database) as found:
        Administrators(found).remove(name, at=current_time())
    emit({"name": name}, f"administrator {name} is removed", as_json=as_json)
