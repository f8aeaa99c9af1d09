"""`sonora image`: what is done with runtime images besides running them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from sonora.image.signing import parse_release_key, sign_images
from veracruz_shells.console import emit, json_option, note, read_file, write_new_file

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_MAX_KEY_BYTES: Final = 16 * 1024


@click.group("image", help="Sign runtime images as a release.")
def image() -> None:
    """The group."""


@image.command("sign")
@click.argument("images", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True)
@click.option(
    "--key",
    type=_FILE,
    required=True,
    help="The private release key (PEM, on P-256, P-384 or P-521, without a passphrase).",
)
@click.option("--version", required=True, help="The version of the release, as 0.1.0.")
@click.option("--signer", required=True, help="How you who release it are called, for people.")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=730,
    show_default=True,
    help="For how long the release may be relied on.",
)
@click.option("--output", type=_FILE, required=True, help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@json_option
def sign(
    *,
    images: tuple[Path, ...],
    key: Path,
    version: str,
    signer: str,
    days: int,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Write the signed file (CoRIM) that says what the IMAGES of a release measure.

    One folder or archive for each kind of processor. Each is held against its manifest first.
    Principals read the file with `durango release add`, Tabasco imports it.
    """
    private = parse_release_key(
        read_file(key, limit=_MAX_KEY_BYTES, what="release key"), name=str(key)
    )
    if str(key) != "-" and key.stat().st_mode & 0o077:
        note(f"warning: others on this machine may read {key}: chmod 600 {key}")
    release, signed = sign_images(
        images,
        private,
        version=version,
        signer=signer,
        at=datetime.now(UTC),
        lifetime=timedelta(days=days),
    )
    write_new_file(output, signed, mode=0o644, force=force)
    measurements = {name: value.hex() for name, value in release.measurements.items()}
    facts = {"file": output, "version": version, "signer": signer, "measurements": measurements}
    lines = [f"release {version} in {output}"]
    lines += [f"{name:<8} {value}" for name, value in measurements.items()]
    emit(facts, "\n".join(lines), as_json=as_json)
