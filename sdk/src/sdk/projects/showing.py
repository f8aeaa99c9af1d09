"""What a program gave beside what was expected, for people: values, text as a diff, or hex."""

import json
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import Final

from execution_engine.message import is_plain
from sdk.projects.cases import Datum
from veracruz_utils.encoding import kinds, pinecone
from veracruz_utils.encoding.errors import PineconeError

_SHORT: Final = 200
_MOST_BYTES: Final = 64
_WINDOW_BYTES: Final = 32
_MOST_COMPARED: Final = 4 * 1024 * 1024
_MOST_LINES: Final = 40
_LINE_CHARS: Final = 160
_CONTEXT: Final = 3
_COMPARED_LINES: Final = 1000
"""From the first line that differs: comparing takes the square of their number."""


def difference(expected: Datum, found: bytes) -> list[str]:
    """How a result differs from the expected one, in lines, of which there are not many."""
    if expected.kind is not None:
        return _of_values(expected, expected.kind, found)
    before, after = _as_text(expected.data), _as_text(found)
    if expected.readable and before is not None and after is not None:
        return list(_of_texts(before, after))
    return _of_bytes(expected.data, found)


def shown(datum: Datum) -> str:
    """A datum in a line."""
    text = None if datum.kind is None else _as_json(datum.kind, datum.data)
    if text is None and datum.readable and (said := _as_text(datum.data)) is not None:
        text = json.dumps(said, ensure_ascii=False)
    if text is not None and len(text) <= _SHORT:
        return text
    return _hex(datum.data, 0)


def _of_values(expected: Datum, kind: pinecone.TypeKind, found: bytes) -> list[str]:
    before, after = _as_json(kind, expected.data), _as_json(kind, found)
    if after is None:
        return [
            f"result   {_hex(found, 0)}: not {str(kind)[:_SHORT]}{_why_not(kind, found)}",
            f"expected {shown(expected)}",
        ]
    if before is None or before == after:
        return _of_bytes(expected.data, found)
    if max(len(before), len(after)) <= _SHORT:
        return [f"result   {after}", f"expected {before}"]
    if max(len(before), len(after)) > _MOST_COMPARED:
        return _of_bytes(expected.data, found)
    return list(_of_texts(_laid_out(kind, before), _laid_out(kind, after)))


def _as_json(kind: pinecone.TypeKind, data: bytes) -> str | None:
    try:
        return pinecone.decode_to_json(kind, data)
    except PineconeError:
        return None


def _why_not(kind: pinecone.TypeKind, data: bytes) -> str:
    try:
        pinecone.decode(kind, data)
    except PineconeError as error:
        return f", {error}"
    return ""


def _laid_out(kind: pinecone.TypeKind, text: str) -> str:
    """JSON with an item on every line; a set's in one order, as theirs does not matter."""
    value = json.loads(text)
    if isinstance(kind, kinds.Sequence) and kind.distinct:
        value = sorted(value, key=repr)
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _as_text(data: bytes) -> str | None:
    if len(data) > _MOST_COMPARED:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if is_plain(text.replace("\r\n", "\n")) else None


def _of_texts(before: str, after: str) -> Iterator[str]:
    """A unified diff, from the expected text to the one that came."""
    old, new = _lines(before), _lines(after)
    same = next(
        (at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )
    first = max(same - _CONTEXT, 0)
    last = same + _COMPARED_LINES
    lines = list(_hunks(old[first:last], new[first:last], first))
    yield "--- expected"
    yield "+++ result"
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES or max(len(old), len(new)) > last:
        yield f"... there is more: {len(old)} lines were expected, {len(new)} came"


def _hunks(old: Sequence[str], new: Sequence[str], first: int) -> Iterator[str]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        yield (
            f"@@ -{_range(group[0][1], group[-1][2], first)} "
            f"+{_range(group[0][3], group[-1][4], first)} @@"
        )
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                yield from (" " + _cut(line) for line in old[old_from:old_to])
                continue
            yield from ("-" + _cut(line) for line in old[old_from:old_to])
            yield from ("+" + _cut(line) for line in new[new_from:new_to])


def _range(start: int, stop: int, first: int) -> str:
    """A range of lines as a unified diff has it: an empty one names the line before."""
    length = stop - start
    line = first + start + (1 if length else 0)
    return str(line) if length == 1 else f"{line},{length}"


def _lines(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*lines, last, "\\ no end of line"] if last else lines


def _cut(line: str) -> str:
    line = line.replace("\r", "\\r")
    return line if len(line) <= _LINE_CHARS else f"{line[:_LINE_CHARS]}..."


def _of_bytes(expected: bytes, found: bytes) -> list[str]:
    if max(len(expected), len(found)) <= _MOST_BYTES:
        return [f"result   {_hex(found, 0)}", f"expected {_hex(expected, 0)}"]
    at = _first_difference(expected, found)
    return [
        f"the first byte that differs is {at} ({at:#x})",
        f"result   {_hex(found, at)}",
        f"expected {_hex(expected, at)}",
    ]


def _first_difference(one: bytes, other: bytes) -> int:
    piece = 64 * 1024
    for start in range(0, min(len(one), len(other)), piece):
        here, there = one[start : start + piece], other[start : start + piece]
        if here != there:
            pairs = enumerate(zip(here, there, strict=False))
            return start + next((at for at, (a, b) in pairs if a != b), min(len(here), len(there)))
    return min(len(one), len(other))


def _hex(data: bytes, at: int) -> str:
    """Bytes in hex: all of a few, else those around a place, with their offset."""
    if len(data) <= _MOST_BYTES:
        return f"{data.hex()} ({len(data)} bytes)"
    start = max(at - _WINDOW_BYTES // 2, 0) // 16 * 16
    piece = bytes(islice(data, start, start + _WINDOW_BYTES))
    offset = f"{start:08x}: " if start else ""
    return f"{offset}{piece.hex()}... ({len(data)} bytes)"
