"""The two parts of a program on an interpreter's core: which core, and what its author wrote.

The core is the same for all programs of one interpreter and is looked at once; what is left to read
of each program is its author's part. See `execution_engine.author_part`.
"""

import json
from typing import Final, Self

from execution_engine.author_part import parts_of
from execution_engine.compiled_program import core_digest
from execution_engine.reader import BinaryError
from execution_engine.static_limits import is_component
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen

MAX_FILES: Final = 200
"""Listed, of one program."""
_MAX_READ: Final = 16 * 1024 * 1024
"""Bytes of an author's part that is looked into."""


@frozen
class SourceFile:
    """One source in the author's part."""

    name: str
    size: int
    digest: Digest

    def as_json(self) -> dict[str, object]:
        """The source as an object of JSON."""
        return {"name": self.name, "size": self.size, "digest": str(self.digest)}


@frozen
class ProgramParts:
    """Where a program ends that others have too, and what follows.

    Attributes:
        core: digest of the core.
        core_size: its bytes.
        author: digest of the author's part.
        author_size: its bytes.
        file_count: how many sources it has; None if it is not in the form that the SDK writes.
        files: the first `MAX_FILES` of them.
    """

    core: Digest
    core_size: int
    author: Digest
    author_size: int
    file_count: int | None
    files: tuple[SourceFile, ...]

    @classmethod
    def of(cls, code: bytes) -> Self | None:
        """The parts of a program; None of what has no author's part."""
        try:
            if not is_component(code):
                return None
            parts = parts_of(code)
        except BinaryError:
            return None
        if parts.core_bytes == len(code):
            return None
        author = code[parts.author_at :]
        files = _files(author)
        return cls(
            core=core_digest(code, parts),
            core_size=parts.core_bytes,
            author=Digest.of(author),
            author_size=len(author),
            file_count=None if files is None else len(files),
            files=tuple((files or [])[:MAX_FILES]),
        )

    def as_json(self) -> dict[str, object]:
        """The parts as an object of JSON."""
        return {
            "core": {"digest": str(self.core), "size": self.core_size},
            "author": {
                "digest": str(self.author),
                "size": self.author_size,
                "file_count": self.file_count,
                "files": [file.as_json() for file in self.files],
            },
        }


def _files(author: bytes) -> list[SourceFile] | None:
    """The sources in the form that the SDK writes and its core reads."""
    if len(author) > _MAX_READ:
        return None
    try:
        part = json.loads(author)
        files = part["files"]
        sources = [(name, text.encode()) for name, text in files.items()]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return [SourceFile(name, len(text), Digest.of(text)) for name, text in sources]
