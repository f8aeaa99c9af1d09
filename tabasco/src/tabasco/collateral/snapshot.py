"""Snapshots: the content of a store as one zip, to carry to where there is no network.

A snapshot is not trusted: whoever imports it verifies every item as if it had come alone. Here it
is only kept from being more than it should: nothing is extracted to disk, names are digests, and
sizes are bounded before anything is inflated.
"""

import hashlib
import io
import re
import zipfile
import zlib
from typing import Final

from tabasco.collateral.store import MAX_ITEMS, Store
from tabasco.errors import TabascoError
from tabasco.verify.intel.collateral import MAX_COLLATERAL_BYTES

MAX_SNAPSHOT_BYTES: Final = 64 * 1024 * 1024
MAX_CONTENT_BYTES: Final = 256 * 1024 * 1024

_NAME: Final = re.compile(r"objects/([0-9a-f]{64})")
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 1
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def write_snapshot(store: Store) -> bytes:
    """A zip of all items of a store; the same items give the same bytes."""
    buffer = io.BytesIO()
    entries = {each.sha256: each for each in store.entries()}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for digest in sorted(entries):
            info = zipfile.ZipInfo(f"objects/{digest}", _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, store.read(entries[digest]))
    return buffer.getvalue()


def is_snapshot(data: bytes) -> bool:
    """Whether some bytes have the form of a snapshot."""
    return data.startswith((b"PK\3\4", b"PK\5\6"))


def read_snapshot(data: bytes) -> list[tuple[str, bytes]]:
    """The items in a snapshot, by name, unverified.

    Raises:
        TabascoError: it is no snapshot, or holds something else or too much.
    """
    if len(data) > MAX_SNAPSHOT_BYTES:
        raise TabascoError(
            f"a snapshot of {len(data)} bytes, at most {MAX_SNAPSHOT_BYTES} are read"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _check(members)
            return [(each.filename, _content(archive, each)) for each in members]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise TabascoError(f"the snapshot cannot be read as a zip: {error}") from error


def _check(members: list[zipfile.ZipInfo]) -> None:
    names = [each.filename for each in members]
    if not names:
        raise TabascoError("the snapshot is empty")
    if len(names) > MAX_ITEMS or len(set(names)) != len(names):
        raise TabascoError(f"the snapshot has a name twice, or more than {MAX_ITEMS} items")
    for each in members:
        if not _NAME.fullmatch(each.filename):
            raise TabascoError(f"the snapshot holds {each.filename[:80]!r}, which is not an item")
        if each.flag_bits & _ENCRYPTED or each.compress_type not in _METHODS:
            raise TabascoError(f"{each.filename} is encrypted or compressed in another way")
        if each.file_size > MAX_COLLATERAL_BYTES:
            raise TabascoError(f"{each.filename} has {each.file_size} bytes")
    if sum(each.file_size for each in members) > MAX_CONTENT_BYTES:
        raise TabascoError(f"the snapshot inflates to more than {MAX_CONTENT_BYTES} bytes")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    # The size in the archive is only a claim: not more than it is inflated.
    with archive.open(member) as file:
        data = file.read(member.file_size + 1)
    if f"objects/{hashlib.sha256(data).hexdigest()}" != member.filename:
        raise TabascoError(f"{member.filename} is not named for its content")
    return data
