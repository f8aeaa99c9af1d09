"""The commands `tabasco collateral ...`: what vendors publish, kept for verifying offline."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import click

from tabasco.cli.options import TIME, current_time, store_option
from tabasco.collateral import (
    CollateralEntry,
    ItemKind,
    Store,
    StoredCollateral,
    read_snapshot,
    write_snapshot,
)
from tabasco.collateral.fetch import (
    AMD_KDS,
    INTEL_PCS,
    INTEL_ROOT_CRL,
    Services,
    Wanted,
    wanted_for,
)
from tabasco.collateral.snapshot import MAX_SNAPSHOT_BYTES, is_snapshot
from tabasco.errors import TabascoError
from tabasco.verify.amd.report import Product
from tabasco.verify.detection import kind_of, plain
from tabasco.verify.errors import EvidenceError
from tabasco.verify.kinds import MAX_EVIDENCE_BYTES
from veracruz_shells.console import emit, json_option, note, read_file, subgroup, write_new_file

STALE: Final = 1
_SOON: Final = timedelta(days=7)


@subgroup("collateral")
def collateral() -> None:
    """Manage what vendors publish: Intel's collateral, AMD's certificates, NVIDIA's values.

    Only 'tabasco collateral fetch' uses the network.
    """


@collateral.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(path_type=Path, dir_okay=False))  # fmt: skip
@store_option
@json_option
def import_(files: Sequence[Path], store: Path, *, as_json: bool) -> None:
    """Verify and store the collateral in FILEs, all of it or nothing.

    A FILE is a snapshot (zip), Intel's collateral (JSON), AMD's authorities (PEM), revocation list
    (DER) or VCEK or VLEK (DER, PEM), or NVIDIA's reference values (XML). It has to be signed under
    the vendor's pinned root. It may have expired: old collateral verifies old evidence.
    """
    contents: list[tuple[str, bytes]] = []
    for file in files:
        data = read_file(file, limit=MAX_SNAPSHOT_BYTES, what="collateral")
        inside = read_snapshot(data) if is_snapshot(data) else [("", data)]
        contents += [(f"{file}:{name}" if name else str(file), each) for name, each in inside]
    entries = keep(Store(store), contents)
    lines = "\n".join(_line(each, current_time()) for each in entries)
    emit({"items": [_fields(each) for each in entries]}, lines, as_json=as_json)


@collateral.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.zip")
@click.option("--force", is_flag=True, help="Overwrite FILE.zip.")
@store_option
@json_option
def export(file: Path, store: Path, *, force: bool, as_json: bool) -> None:
    """Write all stored collateral to a snapshot, for 'tabasco collateral import' elsewhere."""
    kept = _filled(store)
    count = len(kept.entries())
    write_new_file(file, write_snapshot(kept), mode=0o644, force=force)
    emit({"file": file, "items": count}, f"{count} items in {file}", as_json=as_json)


@collateral.command("list")
@store_option
@json_option
def list_(store: Path, *, as_json: bool) -> None:
    """List the stored collateral, and until when each item is valid."""
    entries, now = Store(store).entries(), current_time()
    text = "\n".join(_line(each, now) for each in entries) or f"there is no collateral in {store}"
    emit({"items": [_fields(each) for each in entries]}, text, as_json=as_json)


@collateral.command("check")
@click.option("--within", "days", type=click.IntRange(0, 3650), default=_SOON.days,
              show_default=True, metavar="DAYS", help="How many days ahead to look.")  # fmt: skip
@click.option("--at", type=TIME, metavar="TIME", show_default="now", help="Time to check for.")
@store_option
@json_option
@click.pass_context
def check(
    context: click.Context, /, days: int, at: datetime | None, store: Path, *, as_json: bool
) -> None:
    """List collateral that has expired or expires soon, and has no newer replacement.

    Exit status: 0 there is none, 1 there is some: fetch or import it again.
    """
    kept = _filled(store)  # a mistyped folder must not look like one where all is well
    for each in kept.entries():
        kept.read(each)  # a file that was changed is an error here, not in a verification
    count = len(kept.ends(at or current_time()))
    stale = warn_of_stale(kept, at or current_time(), within=timedelta(days=days))
    text = f"{count - len(stale)} of {count} are valid for {days} days"
    emit({"checked": count, "stale": stale}, text, as_json=as_json)
    if stale:
        context.exit(STALE)


@collateral.command("prune")
@click.option("--before", type=TIME, metavar="TIME", show_default="now",
              help="Delete what expired before.")  # fmt: skip
@store_option
@json_option
def prune(before: datetime | None, store: Path, *, as_json: bool) -> None:
    """Delete expired collateral; evidence of that time can then no longer be verified.

    AMD's last lists of revoked certificates stay: where one was kept it has to be current.
    """
    gone = Store(store).prune(before=before or current_time())
    emit({"items": [_fields(each) for each in gone]}, f"{len(gone)} deleted", as_json=as_json)


@collateral.command("fetch")
@click.argument("files", nargs=-1, metavar="[EVIDENCE]...",
                type=click.Path(path_type=Path, dir_okay=False))  # fmt: skip
@click.option("--refresh", is_flag=True, help="Fetch again all that is stored and can expire.")
@click.option("--product", type=click.Choice([each.value for each in Product]),
              help="AMD product, for reports of version 2, which do not name it.")  # fmt: skip
@click.option("--pcs", default=INTEL_PCS, show_default=True, metavar="URL",
              help="Intel's service, or a PCCS.")  # fmt: skip
@click.option("--root-crl", default=INTEL_ROOT_CRL, show_default=True, metavar="URL",
              help="The revocation list of Intel's root.")  # fmt: skip
@click.option("--kds", default=AMD_KDS, show_default=True, metavar="URL", help="AMD's service.")
@click.option("--patience", type=click.IntRange(1, 3600), default=120, show_default=True,
              metavar="SECONDS", help="How long to retry one request.")  # fmt: skip
@store_option
@json_option
def fetch(
    *,
    files: Sequence[Path],
    product: str | None,
    pcs: str,
    root_crl: str,
    kds: str,
    patience: int,
    store: Path,
    refresh: bool,
    as_json: bool,
) -> None:
    """Fetch the collateral that EVIDENCE needs, verify it, and store it.

    It alone uses the network, and tells the vendor which platform you ask about.
    """
    kept = Store(store)
    wanted = [each for file in files for each in _wanted(file, product)]
    if refresh:
        wanted += [Wanted(*each) for each in kept.ends(current_time())
                   if each[0] in {ItemKind.INTEL, ItemKind.AMD_CRL}]  # fmt: skip
    if not wanted:
        raise click.UsageError("give EVIDENCE to fetch for, or --refresh")
    services = Services(pcs, root_crl, kds, patience_s=patience)
    contents = [piece for each in dict.fromkeys(wanted) for piece in services.fetch(each)]
    entries = keep(kept, contents)
    lines = "\n".join(_line(each, current_time()) for each in entries)
    emit({"items": [_fields(each) for each in entries]}, lines, as_json=as_json)


def _wanted(file: Path, product: str | None) -> list[Wanted]:
    data = plain(read_file(file, limit=MAX_EVIDENCE_BYTES, what="evidence"))
    try:
        given = None if product is None else Product(product)
        return wanted_for(data, kind_of(data), product=given)
    except EvidenceError as error:
        raise TabascoError(f"{file}: {error.detail}") from error


def warn_of_stale(
    store: Store, at: datetime, *, within: timedelta = _SOON
) -> list[dict[str, object]]:
    """Warn of collateral that has expired or expires soon, and has no newer replacement."""
    found: list[dict[str, object]] = []
    for (kind, subject), end in sorted(store.ends(at).items()):
        if end < at + within:
            found.append({"kind": kind, "subject": subject, "end": end, "ended": end < at})
            verb = "expired" if end < at else "expires"
            note(f"warning: {kind} {subject} {verb} at {end}: fetch or import it again")
    return found


def source(store: Path) -> StoredCollateral | None:
    """The store as a source for verification, if there is one."""
    return StoredCollateral(Store(store)) if store.is_dir() else None


def keep(store: Store, contents: Sequence[tuple[str, bytes]]) -> list[CollateralEntry]:
    """Add to a store, in the words of the command line; what ends soon is said."""
    now = current_time()
    try:
        entries = store.add(contents, at=now)
    except EvidenceError as error:
        raise TabascoError(f"nothing was imported: {error.fault}: {error.detail}") from error
    for each in entries:
        if each.valid(now) and each.end < now + _SOON:
            note(f"tabasco: {each.kind} {each.subject} ends soon, at {each.end}")
    return entries


def _line(entry: CollateralEntry, now: datetime) -> str:
    state = "valid" if entry.valid(now) else "expired" if entry.end < now else "not yet valid"
    return (
        f"{entry.kind:<15}  {state:<13}  {entry.start:%Y-%m-%d} to {entry.end:%Y-%m-%d %H:%M}  "
        f"{entry.subject}"
    )


def _fields(entry: CollateralEntry) -> dict[str, object]:
    return {
        "kind": entry.kind,
        "subject": entry.subject,
        "start": entry.start,
        "end": entry.end,
        "evaluation": entry.evaluation,
        "sha256": entry.sha256,
        "imported": entry.imported,
    }


def _filled(folder: Path) -> Store:
    """The store in a folder that has something in it.

    Raises:
        TabascoError: there is nothing.
    """
    kept = Store(folder)
    if not kept.entries():
        raise TabascoError(
            f"there is no collateral in {folder}: import some first, or name its folder by --store"
        )
    return kept
