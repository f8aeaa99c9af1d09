"""Enclave images (EIF), as AWS Nitro starts them: kernel, command line and ramdisks in one file.

A header of a fixed size says where up to 32 sections are; each says again what it is and how long.
All numbers are big-endian. A checksum guards against accidents alone.

Standard: the format as AWS documents it with its builder (`aws-nitro-enclaves-image-format`).
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from sonora_machine.errors import ImageFormatError
from sonora_machine.uki.pe import MAX_IMAGE_BYTES
from veracruz_utils.frozen import frozen

EIF_MAGIC: Final = b".eif"
KERNEL, COMMAND_LINE, RAMDISK, SIGNATURE, METADATA = 1, 2, 3, 4, 5

_HEADER: Final = struct.Struct(">4sHHQQHH32Q32QII")
_SECTION: Final = struct.Struct(">HHQ")
_VERSIONS: Final = range(3, 5)
_MAX_SECTIONS: Final = 32
_CHECKSUM_BYTES: Final = 4


@frozen
class EnclaveImage:
    """The sections of an image, in their order.

    Attributes:
        kernel: the kernel.
        command_line: its command line.
        ramdisks: at least one.
        signed: whether somebody signed it.
    """

    kernel: memoryview
    command_line: memoryview
    ramdisks: tuple[memoryview, ...]
    signed: bool

    @staticmethod
    def parse(data: bytes) -> "EnclaveImage":
        """Take an image apart.

        Raises:
            ImageFormatError: it is none, is damaged, or contradicts itself.
        """
        if len(data) > MAX_IMAGE_BYTES:
            raise ImageFormatError(f"the enclave image has more than {MAX_IMAGE_BYTES} bytes")
        try:
            return _image(list(_sections(data)))
        except (struct.error, ValueError) as error:
            raise ImageFormatError(f"this is no enclave image (EIF): {error}") from error


def _sections(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Kind and content of each section."""
    magic, version, _, _, _, _, count, *tables = _HEADER.unpack_from(data)
    if magic != EIF_MAGIC:
        raise ValueError("it does not start with .eif")
    if version not in _VERSIONS:
        raise ValueError(f"it is of version {version}, known are 3 and 4")
    if not 0 < count <= _MAX_SECTIONS:
        raise ValueError(f"it has {count} sections, expected are 1 to {_MAX_SECTIONS}")
    end = _HEADER.size
    view = memoryview(data)
    for offset, size in list(zip(tables[:32], tables[32:64], strict=True))[:count]:
        if offset != end:
            raise ValueError(f"a section is at {offset}, and what is before it ends at {end}")
        kind, _, again = _SECTION.unpack_from(data, offset)
        if again != size:
            raise ValueError(f"the section at {offset} has {again} bytes, the header says {size}")
        start, end = offset + _SECTION.size, offset + _SECTION.size + size
        if end > len(data):
            raise ValueError(f"the section at {offset} ends at {end}, and the file at {len(data)}")
        yield kind, view[start:end]
    if end != len(data):
        raise ValueError(f"its sections end at {end}, and the file at {len(data)}")
    found = zlib.crc32(view[_HEADER.size :], zlib.crc32(view[: _HEADER.size - _CHECKSUM_BYTES]))
    if found != tables[-1]:
        raise ValueError(f"its checksum is {found:#010x}, and its header says {tables[-1]:#010x}")


def _image(sections: list[tuple[int, memoryview]]) -> EnclaveImage:
    of_kind: dict[int, list[memoryview]] = {}
    for kind, content in sections:
        if kind not in {KERNEL, COMMAND_LINE, RAMDISK, SIGNATURE, METADATA}:
            raise ValueError(f"it has a section of the unknown kind {kind}")
        of_kind.setdefault(kind, []).append(content)
    for kind, what in ((KERNEL, "kernel"), (COMMAND_LINE, "command line")):
        if len(of_kind.get(kind, [])) != 1:
            raise ValueError(f"it has {len(of_kind.get(kind, []))} sections with a {what}, not one")
    if not of_kind.get(RAMDISK):
        raise ValueError("it has no ramdisk")
    # What is measured is measured in the order of the file.
    measured = [kind for kind, _ in sections if kind in {KERNEL, COMMAND_LINE, RAMDISK}]
    if measured != sorted(measured):
        raise ValueError("its kernel, command line and ramdisks are not in that order")
    return EnclaveImage(
        kernel=of_kind[KERNEL][0],
        command_line=of_kind[COMMAND_LINE][0],
        ramdisks=tuple(of_kind[RAMDISK]),
        signed=SIGNATURE in of_kind,
    )
