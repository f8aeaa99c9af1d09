"""What a native file needs, and where it looks: as much of ELF as building an image takes.

64-bit little-endian files alone, which is what the machines are that we run on.
"""

import struct
from collections.abc import Iterator
from typing import Final, Self

from sonora.errors import SonoraError
from veracruz_utils.frozen import frozen

MAGIC: Final = b"\x7fELF"
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NULL, _NEEDED, _STRINGS, _NAME, _RPATH, _RUNPATH = 0, 1, 5, 14, 15, 29
_MUCH_BYTES: Final = 1024 * 1024
_ENTRY: Final = struct.Struct("<QQ")


@frozen
class NativeFile:
    """A program or library.

    Attributes:
        interpreter: the dynamic loader that it names, if it is a program.
        name: what others call it (SONAME); empty if it says nothing.
        needed: the names of the libraries it needs.
        search: where it looks for them first; `$ORIGIN` is its own folder.
        plain: its bytes without those places that are no part of an image, and without what is for
            debuggers alone if that is much.
    """

    interpreter: str
    name: str
    needed: tuple[str, ...]
    search: tuple[str, ...]
    plain: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a file.

        Raises:
            SonoraError: it is not such a file.
        """
        try:
            return cls(*_parse(data))
        except (struct.error, IndexError, ValueError) as error:
            raise SonoraError(f"not a native file of this machine: {error}") from error


def _parse(data: bytes) -> tuple[str, str, tuple[str, ...], tuple[str, ...], bytes]:
    if data[:6] != MAGIC + b"\x02\x01":
        raise ValueError("not 64-bit little-endian ELF")
    segments = list(_segments(data))
    interpreter = next((_text(data, at) for kind, at, _, _ in segments if kind == _INTERPRETER), "")
    name, plain = "", _stripped(data, max(at + size for _, at, size, _ in segments))
    dynamic = next(((at, size) for kind, at, size, _ in segments if kind == _DYNAMIC), (0, 0))
    entries = list(_dynamic(data, *dynamic))
    strings = 0
    for tag, value in entries:
        if tag == _STRINGS:
            strings = next(
                at + value - address
                for kind, at, size, address in segments
                if kind == _LOAD and address <= value < address + size
            )
    needed, search, kept = [], [], []
    for tag, value in entries:
        if tag == _NEEDED:
            needed.append(_text(data, strings + value))
        elif tag == _NAME:
            name = _text(data, strings + value)
        elif tag in {_RPATH, _RUNPATH}:
            places = _text(data, strings + value).split(":")
            search += [place for place in places if place.startswith("$ORIGIN")]
            if not all(place.startswith("$ORIGIN") for place in places):
                continue
        kept.append((tag, value))
    if len(kept) < len(entries):
        # A folder of the machine where it was built: nothing may be loaded from there.
        kept += [(_NULL, 0)] * (len(entries) - len(kept))
        at, _ = dynamic
        written = b"".join(_ENTRY.pack(*entry) for entry in kept)
        plain = plain[:at] + written + plain[at + len(written) :]
    return interpreter, name, tuple(needed), tuple(search), plain


def _stripped(data: bytes, end: int) -> bytes:
    """The file up to the end of what is ever loaded, if much is behind that.

    Otherwise as it is: a library of a distribution can then be compared with that distribution's.
    """
    if len(data) - end <= _MUCH_BYTES:
        return data
    header = bytearray(data[:64])
    header[40:48] = bytes(8)  # where the sections are listed, which only tools read; how many; and
    header[60:64] = bytes(4)  # which of them has their names
    return bytes(header) + data[64:end]


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Kind, offset, size and address of each."""
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for number in range(count):
        kind, _, offset, address, _, length = struct.unpack_from(
            "<IIQQQQ", data, start + number * size
        )
        yield kind, offset, length, address


def _dynamic(data: bytes, at: int, size: int) -> Iterator[tuple[int, int]]:
    for tag, value in _ENTRY.iter_unpack(data[at : at + size]):
        if tag == _NULL:
            return
        yield tag, value


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("ascii")
