"""The commands about the audit log: `tabasco audit show`, `head` and `verify`."""

import base64
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric import ec

from tabasco.cli.options import (
    current_time,
    database_option,
    format_time,
    open_database,
    public_key_in,
    state_option,
)
from tabasco.errors import TabascoError
from tabasco.registry.audit import MAX_HEAD_BYTES, AuditLog, Head
from tabasco.registry.state import StateDirectory
from veracruz_shells.console import emit, json_option, read_file, subgroup

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@subgroup("audit")
def audit() -> None:
    """Read the audit log, and verify that it was not changed."""


@audit.command("show")
@click.option("--after", type=click.IntRange(min=0), default=0, show_default=True,
              help="Start after this entry.")  # fmt: skip
@click.option("--most", type=click.IntRange(1, 10_000), default=100, show_default=True,
              help="Maximum number of entries.")  # fmt: skip
@state_option
@database_option
@json_option
def audit_show(
    *, after: int, most: int, state: StateDirectory, database: str | None, as_json: bool
) -> None:
    """Print entries of the audit log in their order."""
    with open_database(state, database) as found:
        entries = AuditLog(found).entries(after=after, most=most)
    lines = [
        f"{each.number:>6}  {format_time(each.at)}  {each.actor:<9} {each.action:<24} "
        f"{each.outcome:<24} {each.subject}"
        for each in entries
    ]
    fields = [
        {
            "number": each.number,
            "at": each.at,
            "actor": each.actor,
            "action": each.action,
            "subject": each.subject,
            "outcome": each.outcome,
            "hash": each.hash,
        }
        for each in entries
    ]
    emit({"entries": fields}, "\n".join(lines) or "no entries", as_json=as_json)


@audit.command("head")
@state_option
@database_option
@json_option
def audit_head(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Print the signed head of the log; keep it elsewhere, for `audit verify`."""
    with open_database(state, database) as found:
        head = AuditLog(found).head()
    signed = base64.b64encode(head.sign(state.result_key())).decode()
    fields = {"number": head.number, "hash": head.hash, "signed": signed}
    emit(fields, signed, as_json=as_json)


@audit.command("verify")
@click.option("--head", "file", type=_FILE, help="Signed head from an earlier `audit head`.")
@click.option(
    "--key", type=_FILE, help="Public key that signed it (PEM); by default one of the result keys."
)
@state_option
@database_option
@json_option
def audit_verify(
    *,
    file: Path | None,
    key: Path | None,
    state: StateDirectory,
    database: str | None,
    as_json: bool,
) -> None:
    """Check that no entry was changed, and that the log still contains a kept head."""
    kept = None
    if file is not None:
        signers = (
            [public_key_in(key)]
            if key is not None
            else [each.public for each in state.result_keys()]
        )
        kept = _head_in(file, signers)
    with open_database(state, database) as found:
        head = AuditLog(found).verify(kept=kept)
    text = f"the audit log is whole: {head.number} entries, the last is {head.hash.hex()}"
    if kept is not None:
        text += f"\nit contains the kept head, entry {kept.number}"
    emit(
        {"entries": head.number, "hash": head.hash, "kept": None if kept is None else kept.number},
        text,
        as_json=as_json,
    )


@audit.command("disregard-time")
@click.argument("number", type=click.IntRange(min=1))
@state_option
@database_option
@json_option
def audit_disregard_time(
    number: int, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Do not hold the clock against entry NUMBER and those before it; the log says so.

    For an entry that was made while the clock was wrong, and that `tabasco serve` names. Make sure
    that the clock is right now: what has expired would be believed again by one that is late.
    """
    now = current_time()
    with open_database(state, database) as found:
        AuditLog(found).disregard_time(number, now=now)
    text = f"entries up to {number} do not count against the clock, which says {format_time(now)}"
    emit({"number": number}, text, as_json=as_json)


def _head_in(file: Path, signers: Sequence[ec.EllipticCurvePublicKey]) -> Head:
    data = read_file(file, limit=2 * MAX_HEAD_BYTES, what="head")
    try:
        signed = base64.b64decode(data.strip(), validate=True)
    except ValueError as error:
        raise TabascoError(f"{file} is not a head that tabasco audit head printed") from error
    for signer in signers[1:]:
        with suppress(TabascoError):
            return Head.verified(signed, signer)
    return Head.verified(signed, signers[0])
