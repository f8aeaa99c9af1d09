"""A program in two parts: an interpreter's component, and what its author wrote for it.

The file is the component, and behind it one custom section of the component format that ends the
file. So it is a component as a whole, and its digest covers both. The part in front is the *core*:
the same for all programs of one interpreter, and what compiled code is kept for. The author's part
is data, for the core to ask for.
"""

from dataclasses import dataclass
from typing import Final, cast

from execution_engine.reader import WasmReader, sections

NAME: Final = b"veracruz:program"
_HEAD: Final = bytes([len(NAME)]) + NAME
_CUSTOM: Final = 0
_MAX_SECTIONS: Final = 10_000
"""Of a component on its outermost level; an interpreter's has some two hundred."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the two parts are.

    Attributes:
        core_bytes: of the component in front; of the whole file when there is no author's part.
        author_at: where the content of the author's part begins, which ends with the file.
    """

    core_bytes: int
    author_at: int


def parts_of(code: bytes | memoryview) -> Parts:
    """Where the parts of a component are.

    Raises:
        BinaryError: a section is not all inside.
    """
    whole = len(code)
    view = cast("bytes", code)  # what of a mapped file is read is numbers
    last: tuple[int, WasmReader] | None = None
    for count, (offset, section, content) in enumerate(sections(view, 0, whole)):
        if count >= _MAX_SECTIONS:
            return Parts(whole, whole)
        last = (offset, content) if section == _CUSTOM else None
    if last is None:
        return Parts(whole, whole)
    offset, content = last
    if bytes(code[content.at : content.at + len(_HEAD)]) != _HEAD:
        return Parts(whole, whole)
    return Parts(offset, content.at + len(_HEAD))
