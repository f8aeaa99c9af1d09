"""The commands `tabasco platform-key ...`: keys of platforms that no certificate is about."""

from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric import ec

from tabasco.cli.options import current_time, database_option, in_hex, open_database, state_option
from tabasco.errors import TabascoError
from tabasco.registry.platform_keys import KINDS, PlatformKeys, RegisteredKey
from tabasco.registry.state import StateDirectory
from tabasco.verify.kinds import EvidenceKind
from veracruz_shells.console import emit, json_option, read_file, subgroup
from veracruz_utils.key_files import ec_key_of_pem
from veracruz_utils.public_keys import NIST_CURVES, KeyFormatError


@subgroup("platform-key")
def platform_key() -> None:
    """Manage keys of platforms whose evidence has no certificate, such as Arm CCA."""


@platform_key.command("add")
@click.option("--kind", type=click.Choice([each.value for each in KINDS]), required=True,
              help="The kind of evidence.")  # fmt: skip
@click.option("--instance", required=True, metavar="HEX",
              help="The platform's instance id (66 hexadecimal digits).")  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@state_option
@database_option
@json_option
def add(
    *,
    kind: str,
    instance: str,
    file: Path,
    state: StateDirectory,
    database: str | None,
    as_json: bool,
) -> None:
    """Trust evidence that the platform signs with the public key in FILE (PEM, - for stdin)."""
    key = _key_in(file)
    with open_database(state, database, create=True) as opened:
        added = PlatformKeys(opened).add(
            EvidenceKind(kind), in_hex(instance), key, at=current_time()
        )
    emit(_fields(added), f"platform key {added.number} is added", as_json=as_json)


@platform_key.command("list")
@state_option
@database_option
@json_option
def list_(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """List all platform keys, with their numbers."""
    with open_database(state, database) as opened:
        found = PlatformKeys(opened).all()
    lines = [
        f"{each.number:>5}  {each.kind:<9} {each.instance.hex()}  {each.provider}" for each in found
    ]
    text = "\n".join(lines) or "no platform keys: see tabasco platform-key add"
    emit({"platform_keys": [_fields(each) for each in found]}, text, as_json=as_json)


@platform_key.command("remove")
@click.argument("number", type=int)
@state_option
@database_option
@json_option
def remove(number: int, state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Remove the key with this number: no bundle brings it back, and what enrolled by it ends."""
    with open_database(state, database) as opened:
        removed = PlatformKeys(opened).remove(number, at=current_time())
    emit(_fields(removed), f"platform key {number} is removed", as_json=as_json)


def _key_in(file: Path) -> ec.EllipticCurvePublicKey:
    data = read_file(file, limit=16 * 1024, what="platform key")
    try:
        return ec_key_of_pem(data, NIST_CURVES)
    except KeyFormatError as error:
        raise TabascoError(f"{file} {error}") from error


def _fields(key: RegisteredKey) -> dict[str, object]:
    return {
        "number": key.number,
        "kind": key.kind.value,
        "instance": key.instance,
        "public_key": key.public_key,
        "provider": key.provider,
        "added_at": key.added_at.isoformat(),
    }
