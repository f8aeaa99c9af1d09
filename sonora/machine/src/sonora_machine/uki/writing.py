"""A unified kernel image: a stub of systemd's with kernel, command line and initramfs behind it.

The stub is a program that firmware starts; it finds the parts as sections of itself. Equal parts
make equal bytes: nothing is taken from clock or machine, and the stub's time stamp is cleared.
"""

import struct
from collections.abc import Mapping
from typing import Final

from sonora_machine.errors import ImageFormatError
from sonora_machine.uki.pe import MAX_IMAGE_BYTES, MAX_SECTIONS, SECTION_HEADER, PeFile

_READ_ONLY_DATA: Final = 0x4000_0040
_MAX_NAME: Final = 8
_SECTION_COUNT, _TIME_STAMP, _SYMBOLS = 2, 4, 8
"""Offsets in a COFF file header."""
_DATA_SIZE, _IMAGE_SIZE = 8, 56
"""Offsets in an optional header."""
_PAGE: Final = 4096


def write_uki(stub: bytes, sections: Mapping[str, bytes]) -> bytes:
    """A unified kernel image.

    Args:
        stub: systemd's, unsigned, such as `linuxx64.efi.stub`.
        sections: the content by name, such as `.osrel`, `.cmdline`, `.uname`, `.linux` and
            `.initrd`, in the order in which they are to lie in the file.

    Raises:
        ImageFormatError: the stub is no PE file or is signed, has no room for so many sections, or
            has one of that name already; a name does not fit; or the image becomes too large.
    """
    pe = PeFile.parse(stub, what="stub")
    _check(pe, sections)
    # A symbol table of the stub lies behind its sections: no image has one.
    end = max(each.offset + each.raw_size for each in pe.sections)
    head = bytearray(stub[: pe.headers_size])
    body = [stub[pe.headers_size : end]]
    offset, address, added = end, _end_in_memory(pe), 0
    for number, (name, content) in enumerate(sections.items(), start=len(pe.sections)):
        body.append(bytes(-offset % pe.file_alignment))
        offset += -offset % pe.file_alignment
        padding = -len(content) % pe.file_alignment
        raw_size = len(content) + padding
        address += -address % max(pe.section_alignment, _PAGE)
        SECTION_HEADER.pack_into(
            head,
            pe.table + number * SECTION_HEADER.size,
            name.encode("ascii"),
            *(len(content), address, raw_size, offset),
            *(0, 0, 0, 0, _READ_ONLY_DATA),
        )
        body += [content, bytes(padding)]
        offset, address, added = offset + raw_size, address + len(content), added + raw_size
    if max(offset, address) > MAX_IMAGE_BYTES:
        raise ImageFormatError(
            f"the image would have {offset} bytes, and at most {MAX_IMAGE_BYTES} are read"
        )
    struct.pack_into("<H", head, pe.coff + _SECTION_COUNT, len(pe.sections) + len(sections))
    struct.pack_into("<I", head, pe.coff + _TIME_STAMP, 0)
    struct.pack_into("<II", head, pe.coff + _SYMBOLS, 0, 0)
    (data_size,) = struct.unpack_from("<I", head, pe.optional + _DATA_SIZE)
    struct.pack_into("<I", head, pe.optional + _DATA_SIZE, (data_size + added) & 0xFFFF_FFFF)
    address += -address % max(pe.section_alignment, _PAGE)
    struct.pack_into("<I", head, pe.optional + _IMAGE_SIZE, address)
    struct.pack_into("<I", head, pe.checksum, 0)
    return b"".join([head, *body])


def _check(pe: PeFile, sections: Mapping[str, bytes]) -> None:
    if pe.certificates[1]:
        raise ImageFormatError(
            "the stub is signed, and the signature is not that of an image made with it: "
            "take the unsigned one"
        )
    count = len(pe.sections) + len(sections)
    room = min((pe.headers_size - pe.table) // SECTION_HEADER.size, MAX_SECTIONS)
    if count > room:
        raise ImageFormatError(
            f"the stub's headers have room for {room} sections, and {count} are wanted"
        )
    for name in sections:
        if not name.isascii() or not name.isprintable() or not 0 < len(name) <= _MAX_NAME:
            raise ImageFormatError(f"a section cannot be called {name!r:.40}: 1 to 8 letters")
        if pe.section(name):
            raise ImageFormatError(f"the stub has a section {name} already")


def _end_in_memory(pe: PeFile) -> int:
    return max(each.address + max(each.virtual_size, each.raw_size) for each in pe.sections)
