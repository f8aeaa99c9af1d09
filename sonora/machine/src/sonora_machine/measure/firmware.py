"""Firmware for virtual machines (OVMF): the tables at its end that say how a machine is begun.

The last 32 bytes are where the processor starts; before them is a table of entries, each with its
length and its name (a GUID) behind its content, to be read from the end. One entry says where the
metadata for TDX are, another where those for SEV-SNP are: lists of the memory that is measured.

Standard: EDK II, `OvmfPkg/ResetVector`; Intel TDX Virtual Firmware Design Guide, §11.
"""

import struct
import uuid
from collections.abc import Iterator
from typing import Final

from sonora_machine.errors import ImageFormatError
from veracruz_utils.frozen import frozen

MAX_FIRMWARE_BYTES: Final = 64 << 20

_END: Final = 32
_NAME: Final = struct.Struct("<H16s")
_TABLE: Final = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d")
_TDX: Final = uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
_SEV: Final = uuid.UUID("dc886566-984a-4798-a75e-5585a7bf67cc")
_TDX_HEADER: Final = struct.Struct("<4sIII")
_TDX_SECTION: Final = struct.Struct("<IIQQII")
_SEV_HEADER: Final = struct.Struct("<4sIII")
_SEV_SECTION: Final = struct.Struct("<III")
_PAGE: Final = 4096
_MAX_SECTIONS: Final = 64
_MAX_MEASURED_BYTES: Final = 256 << 20
"""The memory of all sections together: what is measured page by page takes time by it."""
_ADDED_LATER: Final = 2


@frozen
class TdxSection:
    """Memory of a TDX machine at its start: where it is, and where in the file its content is."""

    offset: int
    raw_size: int
    address: int
    size: int
    attributes: int

    @property
    def is_extended(self) -> bool:
        """Whether its content is measured."""
        return bool(self.attributes & 1)

    @property
    def is_added(self) -> bool:
        """Whether it is there at the start, and so measured that it is."""
        return not self.attributes & _ADDED_LATER


@frozen
class FirmwareImage:
    """A firmware file and the entries of its table."""

    data: bytes
    entries: dict[uuid.UUID, bytes]

    @staticmethod
    def parse(data: bytes) -> "FirmwareImage":
        """Read the table at the end of a firmware.

        Raises:
            ImageFormatError: it has none, or one that contradicts itself.
        """
        if len(data) > MAX_FIRMWARE_BYTES:
            raise ImageFormatError(f"the firmware has more than {MAX_FIRMWARE_BYTES} bytes")
        try:
            return FirmwareImage(data, dict(_entries(data)))
        except (struct.error, ValueError) as error:
            raise ImageFormatError(
                f"the firmware is none for confidential machines: {error}"
            ) from error

    def tdx_sections(self) -> tuple[TdxSection, ...]:
        """The memory that a TDX machine has at its start.

        Raises:
            ImageFormatError: the firmware has no metadata for TDX, or they contradict themselves.
        """
        try:
            return tuple(self._tdx_sections())
        except (struct.error, ValueError) as error:
            raise ImageFormatError(f"the firmware is none for TDX: {error}") from error

    def check_sev(self) -> None:
        """Refuse metadata for SEV-SNP that are missing, or that would take long to measure.

        Raises:
            ImageFormatError: they do.
        """
        try:
            self._check_sev()
        except (struct.error, ValueError) as error:
            raise ImageFormatError(f"the firmware is none for SEV-SNP: {error}") from error

    def _tdx_sections(self) -> Iterator[TdxSection]:
        at = self._metadata(_TDX, "TDX")
        magic, _, version, count = _TDX_HEADER.unpack_from(self.data, at)
        _check_header(magic, b"TDVF", version, count)
        total = 0
        for number in range(count):
            offset, raw, address, size, _, attributes = _TDX_SECTION.unpack_from(
                self.data, at + _TDX_HEADER.size + number * _TDX_SECTION.size
            )
            found = TdxSection(offset, raw, address, size, attributes)
            if address % _PAGE or size % _PAGE or address + size > 1 << 52:
                raise ValueError(f"section {number} is of {size} bytes at {address:#x}: no pages")
            if found.is_extended and (raw != size or offset + size > len(self.data)):
                raise ValueError(f"section {number} is measured, and not all of it is in the file")
            total += size if found.is_added else 0
            _check_total(total)
            yield found

    def _check_sev(self) -> None:
        at = self._metadata(_SEV, "SEV-SNP")
        magic, length, version, count = _SEV_HEADER.unpack_from(self.data, at)
        _check_header(magic, b"ASEV", version, count)
        if length != _SEV_HEADER.size + count * _SEV_SECTION.size:
            raise ValueError(f"its metadata have {length} bytes and {count} sections")
        total = 0
        for number in range(count):
            _, size, _ = _SEV_SECTION.unpack_from(
                self.data, at + _SEV_HEADER.size + number * _SEV_SECTION.size
            )
            if size % _PAGE:
                raise ValueError(f"section {number} is of {size} bytes: no pages")
            total += size
            _check_total(total)

    def _metadata(self, name: uuid.UUID, what: str) -> int:
        """Where the metadata are that an entry leads to."""
        if name not in self.entries:
            raise ValueError(f"it has no metadata for {what}")
        back: int = struct.unpack("<I", self.entries[name])[0]
        if back > len(self.data):
            raise ValueError(f"its metadata are {back} bytes before the end of {len(self.data)}")
        return len(self.data) - back


def _entries(data: bytes) -> Iterator[tuple[uuid.UUID, bytes]]:
    end = len(data) - _END
    if end < _NAME.size:
        raise ValueError(f"it has {len(data)} bytes")
    size, name = _NAME.unpack_from(data, end - _NAME.size)
    if name != _TABLE.bytes_le or not _NAME.size <= size <= end:
        raise ValueError("there is no table at its end")
    start, end = end - size, end - _NAME.size
    while end > start:
        size, name = _NAME.unpack_from(data, end - _NAME.size)
        if not _NAME.size <= size <= end - start:
            raise ValueError(f"an entry of its table has {size} bytes, {end - start} are left")
        yield uuid.UUID(bytes_le=name), data[end - size : end - _NAME.size]
        end -= size


def _check_header(magic: bytes, wanted: bytes, version: int, count: int) -> None:
    if magic != wanted or version != 1:
        raise ValueError(f"its metadata are {magic!r} of version {version}, not {wanted!r} of 1")
    if not 0 < count <= _MAX_SECTIONS:
        raise ValueError(f"its metadata have {count} sections, expected are 1 to {_MAX_SECTIONS}")


def _check_total(total: int) -> None:
    if total > _MAX_MEASURED_BYTES:
        raise ValueError(f"its sections have more than {_MAX_MEASURED_BYTES} bytes")
