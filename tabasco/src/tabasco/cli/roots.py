"""The commands `tabasco root ...`: software roots and manufacturers of TPMs that are trusted.

They work on the database itself, beside a running service, which sees what they did at once.
"""

from pathlib import Path
from typing import Final

import click
from cryptography.hazmat.primitives.asymmetric import ec

from tabasco.cli.options import (
    current_time,
    database_option,
    open_database,
    state_option,
    utc_text,
)
from tabasco.errors import TabascoError
from tabasco.registry.roots import Root, RootKind, Roots
from tabasco.registry.state import StateDirectory
from tabasco.verify.errors import EvidenceError
from tabasco.verify.x509.certificates import is_pem, pem_blocks
from veracruz_shells.console import emit, json_option, read_file, subgroup
from veracruz_utils.digest import Digest
from veracruz_utils.key_files import p256_key_of_pem
from veracruz_utils.public_keys import KeyFormatError

MAX_ROOT_BYTES: Final = 16 * 1024
_DER_SEQUENCE: Final = b"\x30"


@subgroup("root")
def root() -> None:
    """Manage what vouches for attesters: software roots, and manufacturers of TPMs."""


@root.command("add")
@click.option("--name", required=True, help="Name of the root.")
@click.option("--kind", type=click.Choice([RootKind.TPM.value, RootKind.NVIDIA.value]),
              default=RootKind.TPM.value, show_default=True,
              help="What a certificate vouches for.")  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@state_option
@database_option
@json_option
def root_add(
    name: str, kind: str, file: Path, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Trust what the root in FILE (- for stdin) vouches for.

    A public key (P-256, PEM) is a software root: evidence that it signed is trusted. A certificate
    (PEM or DER) is a manufacturer's of TPMs: a TPM enrols whose endorsement certificate leads to
    it, if the appraisal policy accepts what it measured. With --kind nvidia it is an authority for
    NVIDIA's devices, beside the one that is built in.
    """
    given = root_in(file)
    with open_database(state, database, create=True) as opened:
        roots, now = Roots(opened), current_time()
        if isinstance(given, bytes):
            added = roots.add_manufacturer(name, given, at=now, kind=RootKind(kind))
        else:
            added = roots.add(name, given, at=now)
    text = (
        f"root {added.name} is trusted\nfingerprint {_fingerprint(added)}: compare it with what "
        "its owner says, by another way than the file came"
    )
    emit(_fields(added), text, as_json=as_json)


@root.command("list")
@state_option
@database_option
@json_option
def root_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """List the trusted roots."""
    with open_database(state, database) as opened:
        found = Roots(opened).all()
    lines = [
        f"{each.name}  {each.kind}  {each.instance_id.hex()}  {utc_text(each.added_at)}"
        for each in found
    ]
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


def root_in(file: Path) -> ec.EllipticCurvePublicKey | bytes:
    """A software root's key, or a manufacturer's certificate (DER); `-` is standard input.

    Raises:
        TabascoError: the file has neither.
    """
    data = read_file(file, limit=MAX_ROOT_BYTES, what="root")
    if data.startswith(_DER_SEQUENCE):
        return data
    if not is_pem(data):
        try:
            return p256_key_of_pem(data)
        except KeyFormatError as error:
            raise TabascoError(f"root {file} {error}") from error
    try:
        (certificate,) = pem_blocks(data, explained=True)
    except EvidenceError as error:
        raise TabascoError(f"root {file} cannot be read: {error.detail}") from error
    except ValueError:
        raise TabascoError(f"root {file} has several certificates, a root is one") from None
    return certificate


def _fingerprint(root: Root) -> Digest:
    """SHA-256 of a manufacturer's certificate, or of a key as DER SubjectPublicKeyInfo."""
    if root.certificate is not None:
        return Digest.of(root.certificate)
    return Digest.of(root.public_key)


def _fields(root: Root) -> dict[str, object]:
    return {
        "name": root.name,
        "kind": root.kind,
        "instance_id": root.instance_id,
        "fingerprint": _fingerprint(root),
        "public_key": root.public_key,
        "certificate": root.certificate,
        "added_at": utc_text(root.added_at),
    }
