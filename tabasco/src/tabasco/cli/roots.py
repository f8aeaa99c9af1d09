"""The commands `tabasco root ...`: software roots whose evidence is trusted.

They work on the database itself, beside a running service, which sees what they did at once.
"""

from pathlib import Path

import click

from tabasco.cli.options import (
    current_time,
    database_option,
    open_database,
    public_key_in,
    state_option,
    utc_text,
)
from tabasco.registry.roots import Root, Roots
from tabasco.registry.state import StateDirectory
from veracruz_shells.console import emit, json_option, subgroup


@subgroup("root")
def root() -> None:
    """Manage the software roots whose evidence is trusted."""


@root.command("add")
@click.option("--name", required=True, help="Name of the root.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@state_option
@database_option
@json_option
def root_add(
    name: str, file: Path, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Trust evidence signed by the P-256 key whose public half is in FILE (PEM, - for stdin)."""
    key = public_key_in(file)
    with open_database(state, database, create=True) as opened:
        added = Roots(opened).add(name, key, at=current_time())
    emit(_fields(added), f"root {added.name} is trusted", as_json=as_json)


@root.command("list")
@state_option
@database_option
@json_option
def root_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """List the trusted roots."""
    with open_database(state, database) as opened:
        found = Roots(opened).all()
    lines = [f"{each.name}  {each.instance_id.hex()}  {utc_text(each.added_at)}" for each in found]
    text = "\n".join(lines) or "no root is trusted: see tabasco root add"
    emit({"roots": [_fields(each) for each in found]}, text, as_json=as_json)


@root.command("remove")
@click.argument("name")
@state_option
@database_option
@json_option
def root_remove(name: str, state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Stop trusting root NAME, and revoke every instance it vouched for."""
    with open_database(state, database) as opened:
        revoked = Roots(opened).remove(name, at=current_time())
    text = f"root {name} is removed, {revoked} instances are revoked"
    emit({"name": name, "revoked_instances": revoked}, text, as_json=as_json)


def _fields(root: Root) -> dict[str, object]:
    return {
        "name": root.name,
        "instance_id": root.instance_id,
        "public_key": root.public_key,
        "added_at": utc_text(root.added_at),
    }
