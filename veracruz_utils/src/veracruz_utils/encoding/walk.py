"""Whether bytes are of a type, part by part, in memory that does not grow with them.

A walk makes no values. It keeps one frame for each level that it is inside of, and a type has at
most `grammar.MAX_DEPTH`. `step` goes a part of the way, so that hostile bytes keep nobody waiting.
Of a set, and of the keys of a map, it remembers what it saw only where it is to find repeats.
"""

import codecs
import hashlib
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Final, TypeAlias

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import PineconeError, RepeatedError
from veracruz_utils.encoding.passing import MOST_COST, Pass, cost, free_size, pass_of
from veracruz_utils.encoding.wire import Buffer, WireReader, record_distinct

OnInteger: TypeAlias = Callable[[int, kinds.Integer], None]

_PIECE_BYTES: Final = 128 * 1024
_DIGEST_BYTES: Final = 16
_SEVERAL: Final = 4096

# What is next inside a frame, and its place there; None where a piece of the way was gone already.
_Part: TypeAlias = tuple[int | str | None, kinds.TypeKind | None]
_Frame: TypeAlias = Iterator[_Part]


def check(kind: kinds.TypeKind, data: Buffer) -> None:
    """Accept bytes that are the one encoding of a value of a type.

    Raises:
        PineconeError: they are not; with the place in the value and in the bytes.
    """
    walk = Walk(kind, data, distinct=True)
    while not walk.step(_SEVERAL):
        pass


class Walk:
    """One walk along bytes that are to be the encoding of one value of a type."""

    def __init__(
        self,
        kind: kinds.TypeKind,
        data: Buffer,
        *,
        on_integer: OnInteger | None = None,
        distinct: bool = False,
    ) -> None:
        """Begin it.

        Args:
            kind: the type.
            data: all of the bytes.
            on_integer: is told where each integer is, and its type.
            distinct: whether a repeat, in a set or of a key of a map, is refused too. That takes
                some 100 bytes of memory for each element.
        """
        self._reader = WireReader(data)
        self._on_integer = on_integer
        self._distinct = distinct
        self._passes: dict[int, Pass | None] = {}
        self._elements_of: dict[int, tuple[int, int | None, int]] = {}
        self._frames: list[_Frame] = [iter([(None, kind)])]
        self._steps: list[int | str | None] = [None]

    @property
    def position(self) -> int:
        """How far it has come, in bytes."""
        return self._reader.position

    def step(self, most: int) -> bool:
        """Go on by at most `most` parts of the value; whether that was the end.

        Each takes about as long as any other can: some tenths of a millisecond.

        Raises:
            PineconeError: the bytes are cut off, left over, or not of the type; with the place in
                the value and in the bytes. The walk is over.
        """
        start = self.position
        try:
            for _ in range(most):
                if not self._frames:
                    return self._end()
                start = self.position
                self._go()
        except PineconeError as error:
            error.steps = tuple(step for step in self._steps if step is not None)
            error.offset = start if error.offset is None else error.offset
            raise
        return False

    def _end(self) -> bool:
        if self._reader.remaining:
            raise PineconeError(f"{self._reader.remaining} bytes are left over after the value")
        return True

    def _go(self) -> None:
        part = next(self._frames[-1], None)
        if part is None:
            self._frames.pop()
            self._steps.pop()
            return
        self._steps[-1], kind = part
        if kind is not None:
            self._visit(kind)

    def _visit(self, kind: kinds.TypeKind) -> None:  # noqa: C901, PLR0912 - one case for each kind
        reader = self._reader
        if self._passed(self._pass_of(kind)):
            return
        match kind:
            case kinds.Integer():
                reader.skip(kind.layout.size)
                if self._on_integer is not None:
                    self._on_integer(reader.position - kind.layout.size, kind)
            case kinds.Float():
                reader.skip(kind.layout.size)
            case kinds.Bool():
                reader.boolean()
            case kinds.Char():
                reader.char()
            case kinds.Text():
                self._enter(self._text(reader.count(1)))
            case kinds.Option():
                if reader.presence():
                    self._enter(iter([(None, kind.content)]))
            case kinds.Enum():
                name, content = kind.variants[reader.variant(kind)]
                self._enter(iter([(name, content)]))
            case kinds.Sequence():
                self._enter(self._elements(kind))
            case kinds.Mapping():
                self._enter(self._pairs(kind))
            case kinds.Array():
                self._enter(enumerate(repeat(kind.element, kind.size)))
            case kinds.Tuple():
                self._enter(iter(enumerate(kind.parts)))
            case _:
                assert isinstance(kind, kinds.Struct)  # there is no other kind
                self._enter(iter(kind.fields))

    def _pass_of(self, kind: kinds.TypeKind) -> Pass | None:
        """What goes past a value of a type, unless its integers are to be told of."""
        if self._on_integer is not None:
            return None
        key = id(kind)  # it lives as long as the whole type; its hash would be made of all of it
        if key not in self._passes:
            self._passes[key] = pass_of(kind)
        return self._passes[key]

    def _measures(self, kind: kinds.TypeKind) -> tuple[int, int | None, int]:
        """Of an element: its least size, its free size, how many are passed in one part."""
        key = id(kind)
        if key not in self._elements_of:
            at_once = max(1, MOST_COST // (cost(kind) or MOST_COST))
            self._elements_of[key] = kinds.least_size(kind), free_size(kind), at_once
        return self._elements_of[key]

    def _passed(self, go_past: Pass | None) -> bool:
        """Whether the next value was passed at once; if not, nothing has changed."""
        if go_past is None:
            return False
        start = self._reader.position
        try:
            go_past(self._reader)
        except PineconeError:
            self._reader.rewind(start)
            return False
        return True

    def _enter(self, frame: _Frame) -> None:
        self._frames.append(frame)
        self._steps.append(None)

    # Frames. Each goes on when what it gave was walked along.

    def _elements(self, kind: kinds.Sequence) -> _Frame:
        reader, element = self._reader, kind.element
        least, size, at_once = self._measures(element)
        count = reader.count(least)
        seen: dict[bytes, None] | None = {} if kind.distinct and self._distinct else None
        if seen is None and size is not None and self._on_integer is None:
            reader.skip(count * size)
            return
        go_past = self._pass_of(element)
        for index in range(count):
            start = reader.position
            if not self._passed(go_past):
                yield index, element
            elif index % at_once == 0:
                yield index, None
            if seen is not None:
                self._record(index, start, seen)

    def _pairs(self, kind: kinds.Mapping) -> _Frame:
        reader = self._reader
        count = reader.count(self._measures(kind.key)[0] + self._measures(kind.content)[0])
        seen: dict[bytes, None] = {}
        for index in range(count):
            start = reader.position
            yield index, kind.key
            if self._distinct:
                self._record(index, start, seen)
            yield index, kind.content

    def _text(self, size: int) -> _Frame:
        decoder = codecs.getincrementaldecoder("utf-8")()
        done = 0
        while done < size:
            piece = self._reader.take(min(_PIECE_BYTES, size - done))
            held = len(decoder.getstate()[0])  # of a character that the last piece cut
            try:
                decoder.decode(piece, final=done + len(piece) == size)
            except UnicodeDecodeError as error:
                at = done - held + error.start
                raise PineconeError(f"text is not UTF-8 at its byte {at}") from None
            done += len(piece)
            yield None, None

    def _record(self, index: int, start: int, seen: dict[bytes, None]) -> None:
        encoded = self._reader.since(start)
        if len(encoded) > _DIGEST_BYTES:
            encoded = b"\0" + hashlib.blake2b(encoded, digest_size=_DIGEST_BYTES).digest()
        try:
            record_distinct(encoded, seen)
        except RepeatedError as error:
            self._steps[-1] = index
            error.offset = start
            raise
