"""The commands `tabasco instance ...`: who enrolled.

They work on the database itself, beside a running service, which sees what they did at once.
"""

from datetime import datetime

import click

from psa_attestation.tokens.instance_id import INSTANCE_ID_BYTES
from tabasco.cli.options import (
    current_time,
    database_option,
    open_database,
    state_option,
    utc_text,
)
from tabasco.errors import TabascoError
from tabasco.registry.instances import Instance, Instances
from tabasco.registry.state import StateDirectory
from veracruz_shells.console import emit, json_option, subgroup


@subgroup("instance")
def instance() -> None:
    """List and revoke enrolled instances."""


@instance.command("list")
@state_option
@database_option
@json_option
def instance_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """List all instances that ever enrolled, newest first."""
    now = current_time()
    with open_database(state, database) as opened:
        found = Instances(opened).all()
    text = "\n".join(_line(each, now) for each in found) or "no instance enrolled yet"
    emit({"instances": [_fields(each, now) for each in found]}, text, as_json=as_json)


@instance.command("revoke")
@click.argument("instance_id", metavar="ID")
@state_option
@database_option
@json_option
def instance_revoke(
    instance_id: str, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Revoke the instance with this ID (66 hexadecimal digits): its tokens are refused."""
    now = current_time()
    with open_database(state, database) as opened:
        revoked = Instances(opened).revoke(_identifier(instance_id), at=now)
    text = f"instance {revoked.instance_id.hex()} is revoked"
    emit(_fields(revoked, now), text, as_json=as_json)


def _identifier(text: str) -> bytes:
    try:
        identifier = bytes.fromhex(text)
    except ValueError:
        identifier = b""
    if len(identifier) != INSTANCE_ID_BYTES:
        raise TabascoError(f"{text[:80]!r} is not an instance id: see tabasco instance list")
    return identifier


def _fields(instance: Instance, now: datetime) -> dict[str, object]:
    revoked = instance.revoked_at
    return {
        "instance_id": instance.instance_id,
        "state": instance.state(now).value,
        "platform": instance.platform,
        "root": instance.root,
        "measurement": instance.measurement,
        "machine": {name: value.hex() for name, value in instance.machine.items()},
        "version": instance.version,
        "enrolled_at": utc_text(instance.enrolled_at),
        "expires_at": utc_text(instance.expires_at),
        "revoked_at": None if revoked is None else utc_text(revoked),
    }


def _line(instance: Instance, now: datetime) -> str:
    vouched = f", root {instance.root}" if instance.root is not None else ""
    return (
        f"{instance.instance_id.hex()}  {instance.state(now)}  {instance.platform}{vouched}, "
        f"version {instance.version}, until {utc_text(instance.expires_at)}"
    )
