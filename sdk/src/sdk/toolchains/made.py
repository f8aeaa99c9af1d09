"""What a build gives: a module, and by what it was made.

A builder of any language returns `Made`. The record of a build (`sdk.toolchains.record`) is written
from it, and the module's section `producers`, which names the compiler to whoever has the module.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from execution_engine.reader import HEADER_BYTES, MAGIC, BinaryError, WasmReader, sections
from execution_engine.wasm.reading import read_name
from sdk.errors import BuildError
from sdk.wasm_writing import section, sized, vector
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen

_CUSTOM: Final = 0
_PRODUCERS: Final = "producers"


@frozen
class Tool:
    """A program that took part in a build: a compiler, a linker.

    Attributes:
        name: as it is called.
        version: as it says itself.
        files: digests of its executable, and of what goes with it, by their names.
    """

    name: str
    version: str
    files: Mapping[str, Digest]

    @classmethod
    def of(cls, name: str, version: str, *files: Path) -> "Tool":
        """A tool and the files it consists of.

        Raises:
            BuildError: a file cannot be read.
        """
        return cls(name, version, {each.name: file_digest(each) for each in files})

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@frozen
class Made:
    """A module, and what repeats its build.

    Attributes:
        code: the module, or component.
        language: what it was written in, as the section `producers` calls it.
        tools: what made it, the compiler first.
        target: what it was compiled for, as the compiler calls it.
        flags: what the compiler was told, without names of this machine's folders.
        debug: it reports panics and what it prints.
        warnings: what the compiler says of the program although it builds.
    """

    code: bytes
    language: str
    tools: tuple[Tool, ...]
    target: str
    flags: tuple[str, ...]
    debug: bool = False
    warnings: str = ""


def file_digest(path: Path) -> Digest:
    """The digest of a file, which may be large.

    Raises:
        BuildError: it cannot be read.
    """
    try:
        facts = path.stat()
        return _digest(path, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise BuildError(f"cannot read {path}: {(error.strerror or '').lower()}") from None


@lru_cache(maxsize=256)  # a compiler's is some 200 MB, and builds many modules
def _digest(path: Path, _mtime_ns: int, _size: int) -> Digest:
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").digest())


def with_producers(made: Made) -> Made:
    """The same, with the language and the tools in the module's section `producers`.

    What a compiler has put there stays.

    Raises:
        BuildError: it is no module.

    Standard: WebAssembly tool conventions, "Producers Section".
    """
    try:
        kept, fields = _apart(made.code)
    except BinaryError as error:
        raise BuildError(f"{made.tools[0]} gives no module: {error}") from None
    fields.setdefault("language", {}).setdefault(made.language, "")
    for tool in made.tools:
        fields.setdefault("processed-by", {}).setdefault(tool.name, tool.version)
    content = sized(_PRODUCERS.encode()) + vector(
        sized(field.encode())
        + vector(sized(tool.encode()) + sized(version.encode()) for tool, version in values.items())
        for field, values in fields.items()
    )
    code = kept + section(_CUSTOM, content)
    return replace(made, code=code)


def producers(code: bytes) -> dict[str, dict[str, str]]:
    """What a module says of its tools: by field, names and versions; empty if it says nothing."""
    try:
        return _apart(code)[1]
    except BinaryError:
        return {}


def _apart(code: bytes) -> tuple[bytes, dict[str, dict[str, str]]]:
    """A module without the section, and what the section says."""
    if not code.startswith(MAGIC):
        raise BinaryError("no magic number", 0)
    kept, fields = [code[:HEADER_BYTES]], dict[str, dict[str, str]]()
    for offset, number, within in sections(code, 0, len(code)):
        whole = code[offset : within.end]
        if number == _CUSTOM and read_name(within) == _PRODUCERS:
            fields = _fields(within)
        else:
            kept.append(whole)
    return b"".join(kept), fields


def _fields(reader: WasmReader) -> dict[str, dict[str, str]]:
    return {
        read_name(reader): {read_name(reader): read_name(reader) for _ in reader.vector()}
        for _ in reader.vector()
    }
