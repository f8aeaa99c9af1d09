"""The commands `tabasco revoke ...`: measurements and keys that are believed no more."""

from pathlib import Path

import click

from tabasco.cli.options import (
    current_time,
    database_option,
    format_time,
    in_hex,
    open_database,
    public_key_in,
    state_option,
)
from tabasco.registry.revocations import Revocations
from tabasco.registry.state import StateDirectory
from tabasco.verify.named import Subject
from veracruz_shells.console import emit, json_option, subgroup
from veracruz_utils.key_files import digest_of

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@subgroup("revoke")
def revoke() -> None:
    """Revoke a measurement or a key; for an instance see `tabasco instance revoke`."""


def _revoke(
    subject: Subject, value: bytes, reason: str, state: StateDirectory, database: str | None
) -> None:
    with open_database(state, database, create=True) as found:
        Revocations(found).add(subject, value, reason, at=current_time())


@revoke.command("measurement")
@click.argument("value", metavar="HEX")
@click.option("--reason", default="", help="Free-text reason.")
@state_option
@database_option
@json_option
def revoke_measurement(
    value: str, reason: str, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Revoke measurement HEX, of runtimes and of root attesters."""
    measured = in_hex(value)
    _revoke(Subject.MEASUREMENT, measured, reason, state, database)
    text = f"measurement {measured.hex()[:12]} is revoked"
    emit({"measurement": measured}, text, as_json=as_json)


@revoke.command("key")
@click.argument("file", type=_FILE)
@click.option("--reason", default="", help="Free-text reason.")
@state_option
@database_option
@json_option
def revoke_key(
    file: Path, reason: str, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Revoke the P-256 key in FILE (PEM): it can no longer enrol.

    An instance that is enrolled with it stays. A root with this key is removed, and the instances
    that it vouched for are revoked.
    """
    digest = digest_of(public_key_in(file))
    _revoke(Subject.KEY, digest, reason, state, database)
    emit({"key": digest}, f"key {digest.hex()[:12]} is revoked", as_json=as_json)


@revoke.command("list")
@state_option
@database_option
@json_option
def revoke_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """List all revoked measurements and keys."""
    with open_database(state, database) as found:
        every = Revocations(found).all()
    lines = [
        f"{each.subject:<12} {each.value.hex()}  {format_time(each.revoked_at)}  "
        f"{each.reason}".rstrip()
        for each in every
    ]
    fields = [
        {
            "subject": each.subject.value,
            "value": each.value,
            "reason": each.reason,
            "revoked_at": each.revoked_at,
        }
        for each in every
    ]
    emit({"revocations": fields}, "\n".join(lines) or "nothing is revoked", as_json=as_json)
