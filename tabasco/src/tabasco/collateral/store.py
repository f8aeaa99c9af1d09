"""Collateral on disk: an index, and each item's content in a file named for its SHA-256.

    DIR/index.json          what there is, from when to when; replaced as a whole
    DIR/objects/<sha256>    the content, as it came
    DIR/lock                held by whoever changes the index

Two rules keep old collateral from being believed. Nothing is found for a time at which it is not
valid: a revocation list is never used past its nextUpdate. And Intel's collateral of a lower
tcbEvaluationDataNumber than one that was issued before it is refused: it is signed anew with a
level of security that had been given up (rollback). The highest number of each subject is kept
even when the item is pruned.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec

from tabasco.collateral.items import CollateralItem, ItemKind, Trust, read_item
from tabasco.errors import TabascoError
from tabasco.verify.amd.report import Product
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.intel.collateral import MAX_COLLATERAL_BYTES
from veracruz_shells.files import read_file, write_new_file
from veracruz_utils.strict_json import JsonError, read_json

MAX_ITEMS: Final = 10_000
_MAX_INDEX_BYTES: Final = 16 * 1024 * 1024
_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Subject = Annotated[str, msgspec.Meta(pattern="^[a-z0-9./-]{1,200}$")]


class CollateralEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the index says of an item; times in UTC, `end` included."""

    kind: ItemKind
    subject: _Subject
    sha256: _Digest
    start: datetime
    end: datetime
    imported: datetime
    evaluation: Annotated[int, msgspec.Meta(ge=0)] = 0

    def valid(self, at: datetime) -> bool:
        """Whether it may be used for this time."""
        return self.start <= at <= self.end


class _Floor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    evaluation: int
    start: datetime

    def refuses(self, evaluation: int, start: datetime) -> bool:
        return evaluation < self.evaluation and start >= self.start


class _Index(msgspec.Struct, forbid_unknown_fields=True):
    version: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1
    items: Annotated[list[CollateralEntry], msgspec.Meta(max_length=MAX_ITEMS)] = []
    floors: dict[_Subject, _Floor] = {}


class Store:
    """The collateral in a directory, which is made with the first item."""

    def __init__(self, path: Path, *, trust: Trust | None = None) -> None:
        self.path = path
        self._trust = trust or Trust()

    def entries(self) -> list[CollateralEntry]:
        """All there is, by kind and subject, the newest of each first."""
        found = sorted(self._index().items, key=lambda each: each.start, reverse=True)
        return sorted(found, key=lambda each: (each.kind, each.subject))

    def find(self, kind: ItemKind, subject: str, at: datetime) -> bytes | None:
        """The first of `find_all`; None where there is none."""
        return next(self.find_all(kind, subject, at), None)

    def find_all(self, kind: ItemKind, subject: str, at: datetime) -> Iterator[bytes]:
        """What is valid at `at` and no rollback, the newest first.

        Raises:
            TabascoError: the store is damaged.
        """
        found = [
            each
            for each in _begun(self._index(), at)
            if (each.kind, each.subject) == (kind, subject) and at <= each.end
        ]
        found.sort(key=lambda each: (each.evaluation, each.start), reverse=True)
        yield from map(self.read, found)

    def ends(self, at: datetime) -> dict[tuple[ItemKind, str], datetime]:
        """By kind and subject: until when, seen from `at`, there is something to be found.

        A time that is over is when the last of it ended.
        """
        found: dict[tuple[ItemKind, str], datetime] = {}
        for each in _begun(self._index(), at):
            key = each.kind, each.subject
            found[key] = max(each.end, found.get(key, each.end))
        return found

    def read(self, entry: CollateralEntry) -> bytes:
        """An item's content.

        Raises:
            TabascoError: it is not there, or is not what was imported.
        """
        path = self._object(entry.sha256)
        data = read_file(path, limit=MAX_COLLATERAL_BYTES, what="collateral")
        # Verified at import; this shows that it is still the same.
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise TabascoError(f"{path} was changed since it was imported: import it again")
        return data

    def add(self, contents: Sequence[tuple[str, bytes]], *, at: datetime) -> list[CollateralEntry]:
        """Verify and keep all of `contents`, or nothing; those that are there already are as well.

        Args:
            contents: a name for errors, and the bytes; AMD's authorities may come after what is
                verified with them.
            at: the time of the import.

        Raises:
            EvidenceError: an item is by nobody who is trusted; the detail begins with its name.
            TabascoError: the store cannot be written, or is full.
        """
        with self._changing() as index:
            items = self._verified(contents, at)
            present = {each.sha256 for each in index.items}
            entries = [_entry(each, at) for each in items]
            for item in items:
                # Of all before any is written: one rollback among them leaves the store as it was.
                _check_floor(index, item)
                _raise_floor(index, item)
            for item, entry in zip(items, entries, strict=True):
                if entry.sha256 not in present:
                    self._write(item)
                    index.items.append(entry)
                    present.add(entry.sha256)
            if len(index.items) > MAX_ITEMS:
                raise TabascoError(f"{self.path} holds at most {MAX_ITEMS} items: prune it")
        return entries

    def prune(self, *, before: datetime) -> list[CollateralEntry]:
        """Forget what ended before a time; what was forgotten.

        The last list of revoked certificates of each authority stays: without it nobody would know
        that there has to be one, and what it revokes would be accepted again.
        """
        with self._changing() as index:
            last = {
                each.subject: each
                for each in sorted(index.items, key=lambda each: each.end)
                if each.kind is ItemKind.AMD_CRL
            }
            kept = [
                each for each in index.items if each.end >= before or last.get(each.subject) == each
            ]
            gone = [each for each in index.items if each not in kept]
            index.items = kept
        # After the index: what dies in between leaves a file too many, not an entry without one.
        for each in gone:
            self._object(each.sha256).unlink(missing_ok=True)
        return gone

    def _verified(
        self, contents: Sequence[tuple[str, bytes]], at: datetime
    ) -> list[CollateralItem]:
        """Those that lack their authorities are tried again after all others."""
        items: list[CollateralItem] = []
        waiting: list[tuple[str, bytes]] = []

        def authorities(product: Product) -> Iterator[bytes]:
            for item in items:
                if (item.kind, item.subject) == (ItemKind.AMD_AUTHORITIES, product.value):
                    yield item.content
            yield from self.find_all(ItemKind.AMD_AUTHORITIES, product.value, at)

        def read(name: str, data: bytes) -> CollateralItem:
            try:
                return read_item(data, trust=self._trust, authorities=authorities)
            except EvidenceError as error:
                raise EvidenceError(error.fault, error.stage, f"{name}: {error.detail}") from error

        for name, data in contents:
            try:
                items.append(read(name, data))
            except EvidenceError as error:
                if error.fault is not Fault.COLLATERAL_MISSING:
                    raise
                waiting.append((name, data))
        items += [read(name, data) for name, data in waiting]
        return items

    def _index(self) -> _Index:
        path = self.path / "index.json"
        if not path.exists():
            return _Index()
        data = read_file(path, limit=_MAX_INDEX_BYTES, what="index of collateral")
        try:
            return msgspec.convert(read_json(data, max_bytes=_MAX_INDEX_BYTES), _Index)
        except (JsonError, msgspec.ValidationError) as error:
            raise TabascoError(
                f"{path} is damaged ({error}): move the directory away and import again"
            ) from error

    @contextmanager
    def _changing(self) -> Iterator[_Index]:
        """The index, for one writer at a time; it is written when nothing went wrong."""
        try:
            (self.path / "objects").mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise TabascoError(f"collateral store {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            index = self._index()
            yield index
            data = msgspec.json.format(msgspec.json.encode(index))
            write_new_file(self.path / "index.json", data, mode=0o600, force=True)
        finally:
            os.close(descriptor)

    def _write(self, item: CollateralItem) -> None:
        write_new_file(self._object(item.digest), item.content, mode=0o600, force=True)

    def _object(self, digest: str) -> Path:
        return self.path / "objects" / digest


def _begun(index: _Index, at: datetime) -> Iterator[CollateralEntry]:
    """What had been issued by then, without what is a rollback, seen from then."""
    for each in index.items:
        floor = index.floors.get(each.subject)
        rolled_back = floor and floor.start <= at and floor.refuses(each.evaluation, each.start)
        if each.start <= at and not rolled_back:
            yield each


def _entry(item: CollateralItem, at: datetime) -> CollateralEntry:
    return CollateralEntry(
        kind=item.kind,
        subject=item.subject,
        sha256=item.digest,
        start=item.start,
        end=item.end,
        imported=at,
        evaluation=item.evaluation,
    )


def _check_floor(index: _Index, item: CollateralItem) -> None:
    floor = index.floors.get(item.subject)
    if floor is not None and floor.refuses(item.evaluation, item.start):
        raise EvidenceError(
            Fault.COLLATERAL_ROLLBACK,
            VerificationStage.COLLATERAL,
            f"{item.subject}: tcbEvaluationDataNumber {item.evaluation} of {item.start} is lower "
            f"than {floor.evaluation}, which was issued at {floor.start}",
        )


def _raise_floor(index: _Index, item: CollateralItem) -> None:
    floor = index.floors.get(item.subject)
    if item.kind is not ItemKind.INTEL:
        return
    if floor is None or (-item.evaluation, item.start) < (-floor.evaluation, floor.start):
        index.floors[item.subject] = _Floor(item.evaluation, item.start)  # the first of the highest
