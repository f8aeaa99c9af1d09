"""The commands that keep the register: `tabasco root ...` and `tabasco instance ...`.

They work on the database itself, beside a running service, which sees what they did at once.
"""

from datetime import datetime
from pathlib import Path

import click

from psa_attestation.tokens.instance_id import INSTANCE_ID_BYTES
from tabasco._options import (
    current_time,
    database_option,
    open_database,
    public_key_in,
    state_option,
)
from tabasco.errors import TabascoError
from tabasco.instances import Instance, Instances
from tabasco.roots import Root, Roots
from tabasco.state import StateDirectory
from veracruz_shells.console import emit, json_option


@click.group("root")
def root() -> None:
    """Keep the list of roots whose native evidence we believe."""


@root.command("add")
@click.option("--name", required=True, help="What to call it.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@state_option
@database_option
@json_option
def root_add(
    name: str, file: Path, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Believe evidence signed by the P-256 key whose public half is in FILE (PEM, - for stdin)."""
    key = public_key_in(file)
    with open_database(state, database, create=True) as opened:
        added = Roots(opened).add(name, key, at=current_time())
    emit(_root_fields(added), f"root {added.name} is trusted", as_json=as_json)


@root.command("list")
@state_option
@database_option
@json_option
def root_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Print the roots we believe."""
    with open_database(state, database) as opened:
        found = Roots(opened).all()
    lines = [f"{each.name}  {each.instance_id.hex()}  {_time(each.added_at)}" for each in found]
    text = "\n".join(lines) or "no root is trusted: see tabasco root add"
    emit({"roots": [_root_fields(each) for each in found]}, text, as_json=as_json)


@root.command("remove")
@click.argument("name")
@state_option
@database_option
@json_option
def root_remove(name: str, state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Believe root NAME no more, and revoke every instance it vouched for."""
    with open_database(state, database) as opened:
        revoked = Roots(opened).remove(name, at=current_time())
    text = f"root {name} is removed, instances revoked: {revoked}"
    emit({"name": name, "revoked_instances": revoked}, text, as_json=as_json)


@click.group("instance")
def instance() -> None:
    """See who enrolled, and revoke."""


@instance.command("list")
@state_option
@database_option
@json_option
def instance_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Print every instance that ever enrolled, newest first."""
    now = current_time()
    with open_database(state, database) as opened:
        found = Instances(opened).all()
    text = "\n".join(_instance_line(each, now) for each in found) or "no instance enrolled yet"
    emit({"instances": [_instance_fields(each, now) for each in found]}, text, as_json=as_json)


@instance.command("revoke")
@click.argument("instance_id", metavar="ID")
@state_option
@database_option
@json_option
def instance_revoke(
    instance_id: str, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Believe nothing more that the instance with this ID (66 hexadecimal digits) signs."""
    now = current_time()
    with open_database(state, database) as opened:
        revoked = Instances(opened).revoke(_identifier(instance_id), at=now)
    text = f"instance {revoked.instance_id.hex()} is revoked"
    emit(_instance_fields(revoked, now), text, as_json=as_json)


def _identifier(text: str) -> bytes:
    try:
        identifier = bytes.fromhex(text)
    except ValueError:
        identifier = b""
    if len(identifier) != INSTANCE_ID_BYTES:
        raise TabascoError(f"{text[:80]!r} is no instance id: see tabasco instance list")
    return identifier


def _root_fields(root: Root) -> dict[str, object]:
    return {
        "name": root.name,
        "instance_id": root.instance_id,
        "public_key": root.public_key,
        "added_at": _time(root.added_at),
    }


def _instance_fields(instance: Instance, now: datetime) -> dict[str, object]:
    revoked = instance.revoked_at
    return {
        "instance_id": instance.instance_id,
        "state": instance.state(now),
        "platform": instance.platform,
        "root": instance.root,
        "measurement": instance.measurement,
        "version": instance.version,
        "enrolled_at": _time(instance.enrolled_at),
        "expires_at": _time(instance.expires_at),
        "revoked_at": None if revoked is None else _time(revoked),
    }


def _instance_line(instance: Instance, now: datetime) -> str:
    vouched = f", root {instance.root}" if instance.root is not None else ""
    return (
        f"{instance.instance_id.hex()}  {instance.state(now)}  {instance.platform}{vouched}, "
        f"version {instance.version}, until {_time(instance.expires_at)}"
    )


def _time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
