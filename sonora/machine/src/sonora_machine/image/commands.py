"""`sonora machine build` and `lock`: an image out of a lock of packages, and such a lock anew."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import click

from sonora_machine.errors import MachineError
from sonora_machine.guest.network import DHCP, NetworkError, parse_address
from sonora_machine.guest.settings import EVIDENCE
from sonora_machine.image import resolve
from sonora_machine.image.bill import bill_of_materials, manifest
from sonora_machine.image.command_line import command_line
from sonora_machine.image.fetch import PackageCache
from sonora_machine.image.lock import (
    DebianPackage,
    MachineLock,
    PythonPackage,
    read_lock,
    shipped_lock,
)
from sonora_machine.image.parts import STEPS, MachineParts, build_parts
from sonora_machine.uki import write_uki
from veracruz_shells.console import emit, json_option, progress, read_file
from veracruz_shells.files import NewFile, write_new_file, write_new_files
from veracruz_shells.option_names import NamedOption
from veracruz_utils.address import Address
from veracruz_utils.policy import MAX_POLICY_BYTES, Policy

IMAGE: Final = "veracruz.efi"
MANIFEST: Final = "manifest.json"
BILL: Final = "sbom.cdx.json"
_FOLDER: Final = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--wheels",
    type=_FOLDER,
    required=True,
    help="Folder with the release's wheels and its runtime image's.",
)
@click.option(
    "--lock", "lock_path", cls=NamedOption, type=_FILE,
    help="Which packages of others, by version and digest.  [default: the release's lock]",
)  # fmt: skip
@click.option(
    "--evidence", type=click.Choice(EVIDENCE), default="tpm", show_default=True,
    help="What vouches for the machine; it is said in the measured command line.",
)  # fmt: skip
@click.option(
    "--address", default=DHCP, show_default=True, metavar="dhcp|ADDRESS/PREFIX,GATEWAY",
    callback=lambda _, __, value: _network(value),
    help="Of the machine's network.",
)  # fmt: skip
@click.option(
    "--tabasco", type=str, metavar="HOST:PORT",
    help="The attestation service.  [default: as the emulator hands in]",
)  # fmt: skip
@click.option(
    "--policy", "policy_path", cls=NamedOption, type=_FILE,
    help="A policy to build in, and no other.  [default: as the emulator hands in]",
)  # fmt: skip
@click.option(
    "--kernel-option",
    "options",
    cls=NamedOption,
    multiple=True,
    help="One more word for the kernel; repeatable.",
)
@click.option(
    "--packages",
    type=_FOLDER,
    help="Folder with packages that were fetched already, by their own names.",
)
@click.option("--offline", is_flag=True, help="Fetch nothing.")
@json_option
def build(
    folder: Path,
    *,
    wheels: Path,
    lock_path: Path | None,
    evidence: str,
    address: str,
    tabasco: str | None,
    policy_path: Path | None,
    options: tuple[str, ...],
    packages: Path | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Build a machine image in the new folder FOLDER: Sonora, Sinaloa, the runtime, no shell.

    Packages of others are fetched once, kept in the user's cache, and used if they have the lock's
    digest. No root, no Docker. From the same lock, wheels and options it is the same to the last
    byte, whoever builds it and when.
    """
    lock = read_lock(lock_path or shipped_lock())
    policy = _policy(policy_path)
    line = command_line(
        options,
        evidence=evidence,
        address=address,
        tabasco=str(Address.parse(tabasco)) if tabasco is not None else None,
    )
    _require_room(folder)
    with progress("building", length=len(lock.debian) + STEPS) as step:
        parts = build_parts(
            lock,
            PackageCache(packages, offline=offline),
            wheels=wheels,
            command_line=line,
            policy=policy,
            on_step=lambda: step(1),
        )
    image = write_uki(parts.stub, _sections(parts))
    # Not before all is there: whoever stops a build, at whatever point, finds nothing of it.
    with _new_folder(folder):
        write_new_files(
            NewFile(folder / IMAGE, image, 0o644),
            NewFile(folder / MANIFEST, manifest(image, parts, lock), 0o644),
            NewFile(folder / BILL, bill_of_materials(image, parts, lock), 0o644),
        )
    file = folder / IMAGE
    emit(
        {"image": str(file), "size": len(image), "runtime": parts.runtime, "folder": str(folder)},
        f"{file}: {len(image) / 1e6:.1f} MB, with runtime image {parts.runtime}\n"
        f"what it will measure: sonora machine measure {file}",
        as_json=as_json,
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--wheels", type=_FOLDER, required=True, help="Folder with the release's wheels.")
@click.option(
    "--from", "old_path", cls=NamedOption, type=_FILE,
    help="The lock whose packages are wanted.  [default: the release's lock]",
)  # fmt: skip
@click.option(
    "--constraint",
    type=_FILE,
    help="Versions that packages of Python must have, as pip reads them.",
)
@click.option(
    "--add", "more", cls=NamedOption, multiple=True, metavar="PACKAGE",
    help="One more package of Debian; repeatable.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Put it in place of a file that is there.")
@json_option
def lock(
    file: Path,
    *,
    wheels: Path,
    old_path: Path | None,
    constraint: Path | None,
    more: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Make a lock in FILE: the same packages, in the versions that there are now.

    Debian's index is believed if its signature is good. Read what changed before anybody builds by
    it: the lock decides what runs in the machine.
    """
    old = read_lock(old_path or shipped_lock())
    with progress("asking archives", length=resolve.steps(old)) as step:
        new = resolve.renew(
            old, wheels=wheels, constraints=constraint, more=more, on_step=lambda: step(1)
        )
    write_new_file(file, new.write(), mode=0o644, force=force)
    changes = _changes(old, new)
    emit(
        {"lock": str(file), "changes": changes},
        "\n".join([str(file), *(f"  {each}" for each in changes or ["nothing changed"])]),
        as_json=as_json,
    )


def _network(address: str) -> str:
    if address != DHCP:
        try:
            parse_address(address)
        except NetworkError as error:
            raise click.BadParameter(str(error)) from None
    return address


def _require_room(folder: Path) -> None:
    """Say at once what would be in the way at the end."""
    if folder.exists() or folder.is_symlink():
        raise _taken(folder)
    above = next(each for each in folder.absolute().parents if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise MachineError(f"{folder} cannot be made: {above} is no folder that you may write to")


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Make a folder, and those above it; where something fails none of them stays."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True)
        yield
    except FileExistsError:
        raise _taken(folder) from None
    except BaseException:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
        raise


def _taken(folder: Path) -> MachineError:
    return MachineError(f"{folder} is there already: name a new folder")


def _policy(path: Path | None) -> bytes | None:
    if path is None:
        return None
    data = read_file(path, limit=MAX_POLICY_BYTES, what="policy")
    Policy.parse(data, at=None)
    return data


def _sections(parts: MachineParts) -> dict[str, bytes]:
    return {
        ".osrel": parts.release.encode(),
        ".cmdline": parts.command_line.encode(),
        ".uname": parts.kernel_release.encode(),
        ".linux": parts.kernel,
        ".initrd": parts.initramfs,
    }


def _changes(old: MachineLock, new: MachineLock) -> list[str]:
    before, after = _by_name(old), _by_name(new)
    return [
        f"{name}: {_version(before.get(name))} -> {_version(after.get(name))}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _by_name(lock: MachineLock) -> dict[str, DebianPackage | PythonPackage]:
    every: list[DebianPackage | PythonPackage] = [*lock.debian, *lock.wheels]
    return {each.name: each for each in every}


def _version(package: DebianPackage | PythonPackage | None) -> str:
    return package.version if package is not None else "(none)"
