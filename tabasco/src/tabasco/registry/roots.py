"""The register of trusted roots: who vouches for attesters that we believe. Empty means nobody.

A root that was removed stays so until somebody adds it by name; what a start of the service names
(`tabasco serve --trust-root`) does not bring it back. A software root is a key, whose native
evidence we believe. A manufacturer of TPMs is a certificate, under which are those of its TPMs.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from psa_attestation.tokens.instance_id import instance_id_of
from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.database import Database
from tabasco.registry.models import InstanceRow, RevocationRow, RootRow
from tabasco.verify.errors import EvidenceError
from tabasco.verify.x509 import certificates
from veracruz_utils.frozen import frozen
from veracruz_utils.public_keys import der_of

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class RootKind(StrEnum):
    """What a root is."""

    SOFTWARE = "software"
    TPM = "tpm"
    NVIDIA = "nvidia"


_MARKS: Final = {RootKind.TPM: b"\0", RootKind.NVIDIA: b"\2"}
"""How ids of certificates begin; those of keys begin otherwise."""


@frozen
class Root:
    """A root we trust: its row's number, its operator's name for it, its key and that key's id.

    A manufacturer of TPMs has a certificate (DER) besides, and no id.
    """

    number: int
    name: str
    instance_id: bytes
    public_key: bytes
    added_at: datetime
    kind: RootKind = RootKind.SOFTWARE
    certificate: bytes | None = None


class Roots:
    """The roots in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        *,
        at: datetime,
        actor: str = audit.OPERATOR,
    ) -> Root:
        """Trust evidence signed by `key` from now on; a root already there by that name stays.

        Raises:
            TabascoError: the name or the key is in use by another root, or the key by an instance,
                or the key is revoked.
        """
        with self._database.writing() as session:
            return _add(session, name, *_software(key), at=at, actor=actor)

    def add_unless_removed(
        self, name: str, root: ec.EllipticCurvePublicKey | bytes, *, at: datetime
    ) -> Root | None:
        """As `add`, or `add_manufacturer` for bytes, but one under another name stays.

        None for a root that was removed, or whose key is revoked.

        Raises:
            TabascoError: as those.
        """
        wanted, values = _manufacturer(root, at) if isinstance(root, bytes) else _software(root)
        with self._database.writing() as session:
            row = session.scalar(select(RootRow).filter_by(instance_id=wanted.instance_id))
            if row is not None:
                return _value(row) if row.removed_at is None else None
            if _is_revoked(session, values):
                return None
            return _add(session, name, wanted, values, at=at, actor=audit.OPERATOR)

    def add_manufacturer(
        self,
        name: str,
        certificate: bytes,
        *,
        at: datetime,
        actor: str = audit.OPERATOR,
        kind: RootKind = RootKind.TPM,
    ) -> Root:
        """Trust TPMs, or devices of NVIDIA, whose certificates lead to this one (DER) from now on.

        Raises:
            TabascoError: as `add`; or it is no certificate of an authority, or not valid at `at`.
        """
        wanted, values = _manufacturer(certificate, at, kind)
        with self._database.writing() as session:
            return _add(session, name, wanted, values, at=at, actor=actor)

    def remove(self, name: str, *, at: datetime, actor: str = audit.OPERATOR) -> int:
        """Trust the root no more, and revoke every instance it vouched for: how many those were.

        Raises:
            TabascoError: there is no such root.
        """
        with self._database.writing() as session:
            row = session.scalar(select(RootRow).filter_by(name=name, removed_at=None))
            if row is None:
                raise TabascoError(f"there is no root {name[:80]!r}: see tabasco root list")
            return remove_root(session, row, at=at, actor=actor)

    def all(self) -> list[Root]:
        """The roots trusted now, by name."""
        with self._database.reading() as session:
            rows = session.scalars(
                select(RootRow).filter_by(removed_at=None).order_by(RootRow.name)
            )
            return [_value(row) for row in rows]

    def find(self, instance_id: bytes) -> Root | None:
        """The trusted software root with this id, if there is one."""
        with self._database.reading() as session:
            row = session.scalar(
                select(RootRow).filter_by(
                    instance_id=instance_id, removed_at=None, kind=RootKind.SOFTWARE.value
                )
            )
            return None if row is None else _value(row)

    def manufacturers(self) -> list[Root]:
        """The manufacturers of TPMs that are trusted now."""
        return [root for root in self.all() if root.kind is RootKind.TPM]

    def device_roots(self) -> frozenset[bytes]:
        """SHA-256 digests of the certificates of NVIDIA's devices that are trusted by name now."""
        found = (root.certificate for root in self.all() if root.kind is RootKind.NVIDIA)
        return frozenset(hashlib.sha256(each).digest() for each in found if each is not None)


def _software(key: ec.EllipticCurvePublicKey) -> tuple[RootRow, tuple[bytes, ...]]:
    """The row of a software root, and the values by which it can be revoked."""
    row = RootRow(instance_id=instance_id_of(key), public_key=der_of(key))
    return row, (hashlib.sha256(row.public_key).digest(), row.instance_id)


def _manufacturer(
    certificate: bytes, at: datetime, kind: RootKind = RootKind.TPM
) -> tuple[RootRow, tuple[bytes, ...]]:
    """The row of a manufacturer, and the values by which it can be revoked."""
    try:
        loaded = certificates.load(certificate)
        certificates.check_authority(loaded, authorities_below=0)
        start, end = loaded.not_valid_before_utc, loaded.not_valid_after_utc
        certificates.check_validity(start, end, at=at, what=certificates.name(loaded))
    except EvidenceError as error:
        raise TabascoError(f"this certificate cannot be a root: {error.detail}") from error
    key = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digests = tuple(hashlib.sha256(each).digest() for each in (key, certificate))
    row = RootRow(
        instance_id=_MARKS[kind] + digests[1],  # what vouches for TPMs does for them alone
        public_key=key,
        kind=kind.value,
        certificate=certificate,
    )
    return row, digests


def _add(
    session: Session,
    name: str,
    wanted: RootRow,
    values: Sequence[bytes],
    *,
    at: datetime,
    actor: str,
) -> Root:
    if not _NAME.fullmatch(name):
        raise TabascoError(
            f"{name[:80]!r} is not a name for a root: use letters, digits, . _ -, at most 64"
        )
    identifier = wanted.instance_id
    row = session.scalar(select(RootRow).filter_by(instance_id=identifier))
    if row is not None and row.removed_at is None:
        if row.name != name:
            raise TabascoError(f"this key is already trusted as root {row.name!r}")
        return _value(row)
    _refuse_taken(session, name, identifier)
    if _is_revoked(session, values):
        raise TabascoError("this key is revoked, it cannot be a root: see tabasco revoke")
    if row is None:
        row = wanted
        session.add(row)
    # The old row again: instances it vouched for were revoked with it, and stay so.
    row.name, row.added_at, row.removed_at = name, at, None
    session.flush()
    audit.record(session, at=at, actor=actor, action="add-root", subject=name)
    return _value(row)


def _is_revoked(session: Session, values: Sequence[bytes]) -> bool:
    query = select(RevocationRow.id).where(RevocationRow.value.in_(values))
    return session.scalar(query) is not None


def remove_root(session: Session, row: RootRow, *, at: datetime, actor: str) -> int:
    """Remove a root in a writing transaction, and revoke what it vouched for: how many."""
    row.removed_at = at
    audit.record(session, at=at, actor=actor, action="remove-root", subject=row.name)
    revoked = session.scalars(
        update(InstanceRow)
        .filter_by(root_id=row.id, revoked_at=None)
        .values(revoked_at=at)
        .returning(InstanceRow.id)
    )
    return len(revoked.all())


def _refuse_taken(session: Session, name: str, identifier: bytes) -> None:
    if session.scalar(select(RootRow.id).filter_by(name=name, removed_at=None)) is not None:
        raise TabascoError(f"another root is named {name!r}: choose a name or remove that one")
    # A key that signs both native evidence and runtime tokens could pass one off as the other.
    if session.scalar(select(InstanceRow.id).filter_by(instance_id=identifier)) is not None:
        raise TabascoError("this key is enrolled as an instance, it cannot be a root")


def _value(row: RootRow) -> Root:
    return Root(
        number=row.id,
        name=row.name,
        instance_id=row.instance_id,
        public_key=row.public_key,
        added_at=row.added_at,
        kind=RootKind(row.kind),
        certificate=row.certificate,
    )
