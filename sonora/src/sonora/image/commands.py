"""`sonora image`: make a runtime image, check one, say what differs between two, sign some."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from sonora.image.build import STEPS, build_image
from sonora.image.contents import packages_of
from sonora.image.signing import read_release_key, sign_images
from veracruz_image import differences, read_manifest, verify_image, write_archive
from veracruz_shells.console import (
    emit,
    json_option,
    note,
    progress,
    subgroup,
    write_new_file,
)
from veracruz_shells.files import new_file

_PLACE: Final = click.Path(path_type=Path, exists=True)
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@subgroup()
def image() -> None:
    """Make a runtime image, check one, say what differs between two, sign those of a release.

    An image is a folder, an archive, or where its content does not matter a manifest alone.
    """


@image.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--archive",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the image to this file too, compressed.",
)
@click.option(
    "--lock",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Refuse packages in other versions than this lock of pip has.",
)
@json_option
def build(folder: Path, *, archive: Path | None, lock: Path | None, as_json: bool) -> None:
    """Make an image of the installation that runs this, in the new folder FOLDER.

    From the same files it is the same to the last byte, whenever and wherever it is made.
    """
    with progress("building", length=STEPS + (archive is not None)) as step:
        sources = build_image(folder, lock=lock, on_step=lambda: step(1))
        manifest = read_manifest(folder)
        if archive is not None:
            with new_file(archive, mode=0o644) as file:
                write_archive(folder, file)
            step(1)
    versions = {name: each.version for name, each in packages_of(sources).items()}
    value = {
        "folder": folder,
        "archive": archive,
        "measurement": manifest.measurement,
        "paths": len(manifest.entries),
        "bytes": manifest.content_bytes,
        "packages": versions,
    }
    emit(value, str(manifest.measurement), as_json=as_json)
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    note(f"{len(manifest.entries)} paths, {manifest.content_bytes / 1e6:.0f} MB; with {listed}")


@image.command()
@click.argument("place", metavar="FOLDER|FILE", type=_PLACE)
@json_option
def verify(place: Path, *, as_json: bool) -> None:
    """Check that an image is what its manifest says, and print its measurement.

    Every path that differs is named, and the exit status is 1.
    """
    manifest = verify_image(place)
    value = {
        "measurement": manifest.measurement,
        "paths": len(manifest.entries),
        "bytes": manifest.content_bytes,
    }
    emit(value, str(manifest.measurement), as_json=as_json)


@image.command()
@click.argument("first", metavar="A", type=_PLACE)
@click.argument("second", metavar="B", type=_PLACE)
@json_option
@click.pass_context
def diff(context: click.Context, first: Path, second: Path, *, as_json: bool) -> None:
    """Say what differs between two images, by what their manifests say.

    Each path that was added, removed, changed, renamed, re-linked, or has another mode or kind in
    B. Exit status 1 if anything differs.
    """
    found = differences(read_manifest(first).entries, read_manifest(second).entries)
    listed = [{"path": each.path, "what": each.what, "detail": each.detail} for each in found]
    text = "\n".join(map(str, found)) or "the same image"
    emit({"differences": listed}, text, as_json=as_json)
    context.exit(1 if found else 0)


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
    private = read_release_key(key)
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
