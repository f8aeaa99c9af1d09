"""Which files become inputs, and whose they are."""

import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final, Self

from mexico_city.content import Content, ContentWriter, content_of
from sdk.errors import SdkError, UsageError
from veracruz_utils.frozen import frozen

_NAMED: Final = re.compile(r"(?P<client>[0-9]{1,10})(:(?P<package>[0-9]{1,10}))?=(?P<file>.+)")
_MAX_U32: Final = 2**32 - 1
_MOST_BYTES: Final = _MAX_U32  # what a program can be told
_PIECE_BYTES: Final = 1024 * 1024
_STDIN: Final = Path("-")


@frozen
class Source:
    """A file that becomes an input.

    Attributes:
        path: the file.
        client_id: whose input it is; None to follow from its place.
        package_id: which of that client's; None for the next one.
    """

    path: Path
    client_id: int | None = None
    package_id: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The source that `[CLIENT[:PACKAGE]=]FILE` names; a file with such a name is `./1=x`.

        Raises:
            UsageError: a number is beyond 32 bits.
        """
        named = _NAMED.fullmatch(text)
        if named is None:
            return cls(Path(text))
        return cls(Path(named["file"]), _u32(named["client"]), _u32(named["package"]))

    def read(self, what: str) -> Content:
        """The content of the file, kept as an isolate keeps it.

        Raises:
            SdkError: it cannot be read, is too large, or changes meanwhile.
        """
        try:
            if self.path == _STDIN:
                return _read_stream(sys.stdin.buffer, what, self.path)
            with self.path.open("rb") as file:
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return _read_file(file, what, self.path)
                return _read_stream(file, what, self.path)
        except (OSError, ValueError) as error:  # a ValueError is a NUL in the name
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise SdkError(f"cannot read {what} {self.path}: {reason.lower()}") from error


def assign(sources: Sequence[Source], order: Sequence[int], *, what: str) -> Iterator[Source]:
    """The sources with their clients and packages.

    Files without a client stand in the policy's order: the first is the first place's, and so on.

    Args:
        sources: all with a client, or none.
        order: the client ids that the policy lists.
        what: for the error, such as `inputs`.

    Raises:
        UsageError: some have a client and some do not, or there are more or fewer than places.
    """
    named = sum(each.client_id is not None for each in sources)
    if named not in (0, len(sources)):
        raise UsageError(
            f"{named} of {len(sources)} {what} name their client: name it for all or for none"
        )
    if len(sources) != len(order):
        raise UsageError(f"expected {len(order)} {what}, as the policy orders, got {len(sources)}")
    provided: Counter[int] = Counter()
    for each, place in zip(sources, order, strict=True):
        client = place if each.client_id is None else each.client_id
        package = provided[client] if each.package_id is None else each.package_id
        provided[client] = package + 1
        yield replace(each, client_id=client, package_id=package)


def _u32(text: str | None) -> int | None:
    if text is None:
        return None
    if int(text) > _MAX_U32:
        raise UsageError(f"{text} is too large for a client or package id, which has 32 bits")
    return int(text)


def _read_stream(file: BinaryIO, what: str, path: Path) -> Content:
    data = file.read(_MOST_BYTES + 1)
    _require_fit(len(data), what, path)
    return content_of(data)


def _read_file(file: BinaryIO, what: str, path: Path) -> Content:
    size = os.fstat(file.fileno()).st_size
    _require_fit(size, what, path)
    writer = ContentWriter(size)
    try:
        while piece := file.read(min(_PIECE_BYTES, writer.remaining)):
            writer.write(piece)
        if writer.remaining:
            raise SdkError(f"{what} {path} became shorter while it was read")
        return writer.finish()
    finally:
        writer.close()


def _require_fit(size: int, what: str, path: Path) -> None:
    if size > _MOST_BYTES:
        raise SdkError(
            f"{what} {path} is larger than {_MOST_BYTES} bytes, the most that a program can read"
        )
