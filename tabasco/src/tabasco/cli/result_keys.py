"""The commands about the keys of results: `tabasco init`, `public-key`, `keys ...`."""

from datetime import timedelta

import click
from cryptography.hazmat.primitives.asymmetric import ec

from tabasco.cli.options import (
    current_time,
    database_option,
    format_time,
    open_database,
    state_option,
)
from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.key_ring import DEFAULT_OVERLAP_DAYS, ResultKey
from tabasco.registry.state import StateDirectory
from veracruz_shells.console import emit, json_option, note, subgroup
from veracruz_utils.digest import Digest
from veracruz_utils.key_files import pem_of
from veracruz_utils.public_keys import der_of


@click.command("init")
@state_option
@json_option
def init(state: StateDirectory, *, as_json: bool) -> None:
    """Make the state directory and the result-signing key, and print the public key.

    An existing key is kept. `serve` does the same when it starts.
    """
    state.prepare()
    key = state.make_result_key().public_key()
    _emit_public_key(state, key, as_json=as_json)


@click.command("public-key")
@state_option
@json_option
def public_key(state: StateDirectory, *, as_json: bool) -> None:
    """Print the current public key of our results in PEM, for policies to pin.

    Its fingerprint, for the principals to compare, is told on standard error.
    """
    _emit_public_key(state, state.result_key().public_key(), as_json=as_json)


@subgroup("keys")
def key_commands() -> None:
    """Manage the keys that sign results."""


@key_commands.command("list")
@state_option
@json_option
def keys_list(state: StateDirectory, *, as_json: bool) -> None:
    """List the keys in use, the current one first."""
    now = current_time()
    found = [key for key in state.result_keys() if key.signs(now)]
    lines = [f"{key.kid}  {_until(key)}" for key in found]
    emit({"keys": [_fields(key) for key in found]}, "\n".join(lines), as_json=as_json)


@key_commands.command("rotate")
@click.option(
    "--overlap",
    type=click.IntRange(0, 3660),
    default=DEFAULT_OVERLAP_DAYS,
    show_default=True,
    metavar="DAYS",
    help="How long the old key still signs for those who pinned it; 0 if it leaked.",
)
@state_option
@database_option
@json_option
def keys_rotate(
    overlap: int, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Make a new key, which signs from now on and which new policies should pin.

    The old key still signs until the overlap ends, for clients whose policy pins it. A service
    that runs on this state directory uses the new key at once.
    """
    now = current_time()
    with open_database(state, database, create=True) as opened, opened.writing() as session:
        made = state.rotate(until=now + timedelta(days=overlap))
        state.drop_expired(now)
        audit.record(
            session, at=now, actor=audit.OPERATOR, action="rotate-result-key", subject=made.kid
        )
    text = f"results are signed by key {made.kid}\nprint it with: tabasco public-key"
    emit(_fields(made), text, as_json=as_json)


@key_commands.command("drop")
@click.argument("kid", metavar="KID")
@state_option
@database_option
@json_option
def keys_drop(kid: str, state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Delete the old key KID before its overlap ends."""
    with open_database(state, database, create=True) as opened, opened.writing() as session:
        if not state.drop(kid):
            raise TabascoError(
                f"there is no old key {kid[:64]!r}: see tabasco keys list; "
                "to replace the current one, use tabasco keys rotate --overlap 0"
            )
        audit.record(
            session,
            at=current_time(),
            actor=audit.OPERATOR,
            action="drop-result-key",
            subject=kid,
        )
    emit({"kid": kid}, f"key {kid} is deleted", as_json=as_json)


def _until(key: ResultKey) -> str:
    return "current" if key.expires_at is None else f"until {format_time(key.expires_at)}"


def _fields(key: ResultKey) -> dict[str, object]:
    return {
        "kid": key.kid,
        "public_key": pem_of(key.public).decode(),
        "expires_at": key.expires_at,
    }


def _emit_public_key(
    state: StateDirectory, key: ec.EllipticCurvePublicKey, *, as_json: bool
) -> None:
    text = pem_of(key).decode()
    facts = {"public_key": text, "state": state.path, "fingerprint": Digest.of(der_of(key))}
    emit(facts, text.rstrip("\n"), as_json=as_json)
    if not as_json:
        note(
            f"fingerprint {facts['fingerprint']}: tell it to the principals by another way than "
            "the key; `durango policy show` says which one a policy names"
        )
