"""PE files, as firmware starts them: as much of the format as a unified kernel image needs.

Read by hand, and strictly: kept libraries for PE read what malware has in it (imports, resources,
signatures), forgive what a firmware may read in another way, and none of them takes bounded time.
What is wanted here are three headers and a table. Nothing is allocated by a number in the file.

Standard: PE Format (Microsoft), COFF file header, optional header, section table.
"""

import struct
from collections.abc import Iterator
from typing import Final

from sonora_machine.errors import ImageFormatError
from veracruz_utils.frozen import frozen

MAX_IMAGE_BYTES: Final = 1 << 30
"""The largest file that is read: a machine image is a twentieth of it."""
MAX_SECTIONS: Final = 96
SECTION_HEADER: Final = struct.Struct("<8sIIIIIIHHI")

_MACHINES: Final = {0x8664: "x86-64", 0xAA64: "aarch64"}
_PE32, _PE32_PLUS = 0x10B, 0x20B
_COFF: Final = struct.Struct("<HHIIIHH")
_CHECKSUM: Final = 64
"""Where the checksum is in an optional header, of either kind."""
_DIRECTORIES: Final = {_PE32: 92, _PE32_PLUS: 108}
"""Where the number of data directories is in an optional header."""
_CERTIFICATES: Final = 4
_MAX_ALIGNMENT: Final = 1 << 16


@frozen
class PeSection:
    """A section: its name, where it is in memory, and where in the file."""

    name: str
    address: int
    virtual_size: int
    offset: int
    raw_size: int

    @property
    def size(self) -> int:
        """How many bytes of the file are its content; the rest of its raw data is padding."""
        return min(self.virtual_size, self.raw_size)


@frozen
class PeFile:
    """The headers of a PE file.

    Attributes:
        machine: the kind of processor, as `x86-64`.
        coff: where the COFF file header is.
        optional: where the optional header is.
        table: where the table of sections is.
        headers_size: the size of all headers, padding included.
        section_alignment: of addresses in memory.
        file_alignment: of offsets in the file.
        checksum: where the checksum is.
        certificate_entry: where the entry of the certificate table is; None if there is none.
        certificates: offset and size of the certificate table; zeros if there is none.
        sections: in the order of the table.
        file_size: the size of the whole file.
    """

    machine: str
    coff: int
    optional: int
    table: int
    headers_size: int
    section_alignment: int
    file_alignment: int
    checksum: int
    certificate_entry: int | None
    certificates: tuple[int, int]
    sections: tuple[PeSection, ...]
    file_size: int

    @staticmethod
    def parse(data: bytes | memoryview, *, what: str = "file") -> "PeFile":
        """Read the headers of a file.

        Args:
            data: the whole file.
            what: for the error, such as `kernel`.

        Raises:
            ImageFormatError: it is not such a file, or contradicts itself.
        """
        if len(data) > MAX_IMAGE_BYTES:
            raise ImageFormatError(f"the {what} has more than {MAX_IMAGE_BYTES} bytes")
        try:
            return _parse(data)
        except (struct.error, ValueError) as error:
            raise ImageFormatError(f"the {what} is no whole PE file: {error}") from error

    def section(self, name: str) -> PeSection | None:
        """The section of this name, if there is one."""
        return next((each for each in self.sections if each.name == name), None)

    def content(self, data: bytes | memoryview, name: str) -> memoryview | None:
        """The content of a section, without the padding behind it; None if there is none.

        Raises:
            ImageFormatError: it is larger in memory than in the file: what runs sees zeros.
        """
        found = self.section(name)
        if found is None:
            return None
        if found.virtual_size > found.raw_size:
            raise ImageFormatError(
                f"section {name} has {found.raw_size} bytes in the file and {found.virtual_size} "
                "in memory: its content is not in the file alone"
            )
        return memoryview(data)[found.offset : found.offset + found.virtual_size]


def _parse(data: bytes | memoryview) -> PeFile:
    if bytes(data[:2]) != b"MZ":
        raise ValueError("it does not start with MZ")
    (at,) = struct.unpack_from("<I", data, 0x3C)
    if bytes(data[at : at + 4]) != b"PE\0\0":
        raise ValueError(f"there is no PE signature at {at}")
    coff = at + 4
    machine, count, _, _, _, optional_size, _ = _COFF.unpack_from(data, coff)
    if machine not in _MACHINES:
        raise ValueError(f"it is for machine {machine:#06x}, known are {_known_machines()}")
    if not 0 < count <= MAX_SECTIONS:
        raise ValueError(f"it has {count} sections, expected are 1 to {MAX_SECTIONS}")
    optional = coff + _COFF.size
    (magic,) = struct.unpack_from("<H", data, optional)
    if magic not in _DIRECTORIES:
        raise ValueError(f"its optional header is of kind {magic:#06x}")
    section_alignment, file_alignment = struct.unpack_from("<II", data, optional + 32)
    for alignment in (section_alignment, file_alignment):
        if alignment & (alignment - 1) or not 0 < alignment <= _MAX_ALIGNMENT:
            raise ValueError(f"its alignment is {alignment}, no power of two up to 65536")
    (headers_size,) = struct.unpack_from("<I", data, optional + 60)
    entry, certificates = _certificate_table(data, optional, optional_size, magic)
    table = optional + optional_size
    if not table + count * SECTION_HEADER.size <= headers_size <= len(data):
        raise ValueError(
            f"its headers are said to have {headers_size} bytes, its section table ends at "
            f"{table + count * SECTION_HEADER.size} and the file at {len(data)}"
        )
    sections = tuple(_sections(data, table, count))
    _check_layout(sections, headers_size, certificates, len(data))
    return PeFile(
        machine=_MACHINES[machine],
        coff=coff,
        optional=optional,
        table=table,
        headers_size=headers_size,
        section_alignment=section_alignment,
        file_alignment=file_alignment,
        checksum=optional + _CHECKSUM,
        certificate_entry=entry,
        certificates=certificates,
        sections=sections,
        file_size=len(data),
    )


def _certificate_table(
    data: bytes | memoryview, optional: int, optional_size: int, magic: int
) -> tuple[int | None, tuple[int, int]]:
    """Where its entry is, and where that says that it is itself."""
    start = _DIRECTORIES[magic]
    (directories,) = struct.unpack_from("<I", data, optional + start)
    if start + 4 + directories * 8 > optional_size:
        raise ValueError(
            f"its optional header of {optional_size} bytes has no room for {directories} entries"
        )
    if directories <= _CERTIFICATES:
        return None, (0, 0)
    entry = optional + start + 4 + _CERTIFICATES * 8
    offset, size = struct.unpack_from("<II", data, entry)
    if size and offset + size != len(data):
        raise ValueError(
            f"its certificates are said to end at {offset + size}, and the file ends at {len(data)}"
        )
    return entry, (offset, size) if size else (0, 0)


def _sections(data: bytes | memoryview, table: int, count: int) -> Iterator[PeSection]:
    for number in range(count):
        name, virtual_size, address, raw_size, offset, *_ = SECTION_HEADER.unpack_from(
            data, table + number * SECTION_HEADER.size
        )
        try:
            text = name.rstrip(b"\0").decode("ascii")
        except UnicodeDecodeError:
            raise ValueError(f"section {number + 1} has the name {name!r}") from None
        yield PeSection(text, address, virtual_size, offset if raw_size else 0, raw_size)


def _check_layout(
    sections: tuple[PeSection, ...],
    headers_size: int,
    certificates: tuple[int, int],
    file_size: int,
) -> None:
    """Refuse raw data that lies outside, in the headers, or twice: hashes would differ by reader.

    It also bounds what hashing all sections reads by the size of the file.
    """
    end = headers_size
    for each in sorted(sections, key=lambda each: each.offset):
        if not each.raw_size:
            continue
        if each.offset < end:
            raise ValueError(
                f"section {each.name!r} starts at {each.offset}, in what ends at {end}"
            )
        end = each.offset + each.raw_size
        if end > (certificates[0] or file_size):
            raise ValueError(f"section {each.name!r} ends at {end}, behind the end of the content")
    if certificates[1] and certificates[0] < end:
        raise ValueError(f"its certificates start at {certificates[0]}, in what ends at {end}")


def _known_machines() -> str:
    return ", ".join(f"{code:#06x} ({name})" for code, name in _MACHINES.items())
