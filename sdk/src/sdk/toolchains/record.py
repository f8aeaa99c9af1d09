"""The record of a build, beside the module: what it was built from, by what, and how.

`NAME.build.json` says it of `NAME.wasm`. Whoever has the folder, the record and the same tools
builds the same module; who has other tools is told which.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from platform import machine
from sys import platform
from typing import Final, Self

from sdk.errors import ProjectError
from sdk.toolchains.made import Made, Tool, file_digest
from veracruz_shells.files import read_file
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonValue, read_json

SUFFIX: Final = ".build.json"
FORMAT: Final = 1
MOST_BYTES: Final = 4 * 1024 * 1024
LOCKS: Final = ("Cargo.lock", "go.sum", "package-lock.json")
"""Files that pin what others published."""
_MOST_FILES: Final = 10_000
_LEFT_OUT: Final = frozenset({"target", "tests", "node_modules", "__pycache__", "zig-out"})
_BUILT: Final = (".wasm", SUFFIX)


@frozen
class BuildRecord:
    """What a module was built from, by what, and how.

    Attributes:
        language: the project's.
        machine: the kind of machine that compiled, as compilers may give other bytes on another.
        tools: what made it, the compiler first.
        target: what it was compiled for.
        flags: what the compiler was told.
        debug: whether it reports panics and what it prints.
        sources: the digest of each file in the project's folder, by its path there.
        lock: the digest of the file that pins what others published, if there is one.
        guest_library: the digest of the SDK's guest library for the language.
        sdk: the SDK's version.
        module: the module's digest.
    """

    language: str
    machine: str
    tools: tuple[Tool, ...]
    target: str
    flags: tuple[str, ...]
    debug: bool
    sources: Mapping[str, Digest]
    lock: Digest | None
    guest_library: Digest
    sdk: str
    module: Digest

    @classmethod
    def of(cls, made: Made, *, language: str, folder: Path, libraries: Iterable[Path]) -> Self:
        """The record of a build.

        Args:
            made: what was built; its code is what will be the module.
            language: the project's.
            folder: the project's.
            libraries: the folders of the SDK's guest library that it was built with.

        Raises:
            ProjectError: the folder has more files than a program has.
            BuildError: a file cannot be read.
        """
        sources = source_digests(folder)
        return cls(
            language=language,
            machine=this_machine(),
            tools=made.tools,
            target=made.target,
            flags=made.flags,
            debug=made.debug,
            sources=sources,
            lock=next((sources[each] for each in LOCKS if each in sources), None),
            guest_library=tree_digest(
                {
                    f"{one.name}/{name}": each
                    for one in libraries
                    for name, each in source_digests(one).items()
                }
            ),
            sdk=version("veracruz-sdk"),
            module=Digest.of(made.code),
        )

    def to_json(self) -> bytes:
        """The record as it is kept in a file; the same record gives the same bytes."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return json_of({"format": FORMAT, **said})

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """A record that was kept in a file.

        Raises:
            ProjectError: it is malformed.
        """
        try:
            said = _object(read_json(raw, max_bytes=MOST_BYTES), "the record")
            if (found := said.pop("format", None)) != FORMAT:
                raise ProjectError(f"its format is {found!r}, expected {FORMAT}")
            names = {each.name for each in fields(cls)}
            if differ := sorted(names ^ said.keys()):
                raise ProjectError(f"{differ[0]!r} is missing or unknown")
            return cls(
                language=_text(said["language"], "language"),
                machine=_text(said["machine"], "machine"),
                tools=tools_of(said["tools"]),
                target=_text(said["target"], "target"),
                flags=tuple(_text(each, "flags") for each in _list(said["flags"], "flags")),
                debug=_bool(said["debug"], "debug"),
                sources=_digests(said["sources"], "sources"),
                lock=None if said["lock"] is None else _digest(said["lock"], "lock"),
                guest_library=_digest(said["guest_library"], "guest_library"),
                sdk=_text(said["sdk"], "sdk"),
                module=_digest(said["module"], "module"),
            )
        except VeracruzError as error:
            raise ProjectError(f"the record of the build is malformed: {error}") from None


def read_record(path: Path) -> BuildRecord:
    """The record in a file.

    Raises:
        ProjectError: it is malformed.
        VeracruzError: the file cannot be read.
    """
    return BuildRecord.from_json(read_file(path, limit=MOST_BYTES, what="record of the build"))


def this_machine() -> str:
    """The kind of this machine, as `x86_64-linux`."""
    return f"{machine()}-{platform}"


def source_digests(folder: Path) -> dict[str, Digest]:
    """The digest of each file of a program, by its path in the folder, in order.

    Tests, what is hidden, what was built and what a lock file pins are left out.

    Raises:
        ProjectError: there are more files than a program has, or one has no name or content that
            could be recorded.
        BuildError: one cannot be read.
    """
    names = sorted(_files(folder))
    return {name: file_digest(folder / name) for name in names}


def _files(folder: Path) -> Iterator[str]:
    count = 0
    for where, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if each not in _LEFT_OUT and each[0] != "."]
        for name in names:
            if name[0] != "." and not name.endswith(_BUILT):
                count += 1
                if count > _MOST_FILES:
                    raise ProjectError(f"{folder} has more than {_MOST_FILES} files")
                yield _recordable(Path(where, name)).relative_to(folder).as_posix()


def _recordable(file: Path) -> Path:
    try:
        str(file).encode()
    except UnicodeEncodeError:
        raise ProjectError(f"the name of {file} is not UTF-8: rename it") from None
    if file.exists() and not file.is_file():  # a device or a pipe has no end
        raise ProjectError(f"{file} is no file that a record could have: move it elsewhere")
    return file


def tree_digest(files: Mapping[str, Digest]) -> Digest:
    """One digest of many files and their names."""
    return Digest.of("".join(f"{digest}  {name}\n" for name, digest in files.items()).encode())


def differences(record: BuildRecord, other: BuildRecord) -> list[str]:
    """In what a build differs from what the record says: each in words, the module not among them.

    Args:
        record: what was kept.
        other: what is found.
    """
    said = []
    for name in sorted(record.sources.keys() | other.sources.keys()):
        said += _source(name, record.sources.get(name), other.sources.get(name))
    if record.guest_library != other.guest_library:
        said.append(
            f"another guest library: found {other.guest_library.short} (SDK {other.sdk}), "
            f"the record says {record.guest_library.short} (SDK {record.sdk})"
        )
    said += tool_differences(record.tools, other.tools)
    for name in ("language", "machine", "target", "flags"):
        then, now = getattr(record, name), getattr(other, name)
        if then != now:
            said.append(f"another {name}: found {_words(now)}, the record says {_words(then)}")
    return said


def tool_differences(then: tuple[Tool, ...], now: tuple[Tool, ...]) -> list[str]:
    """In what the tools of two builds differ, in words; `then` is what the record says."""
    if [(one.name, one.version) for one in then] != [(one.name, one.version) for one in now]:
        found, recorded = (", ".join(map(str, tools)) for tools in (now, then))
        return [f"another compiler (found {found}, the record says {recorded})"]
    return [
        f"another compiler of the same version (found a {one} whose {file} is "
        f"{_short(one.files.get(file))}, the record says {_short(kept.files.get(file))})"
        for kept, one in zip(then, now, strict=True)
        for file in sorted(kept.files.keys() | one.files.keys())
        if kept.files.get(file) != one.files.get(file)
    ]


def _source(name: str, then: Digest | None, now: Digest | None) -> list[str]:
    if then == now:
        return []
    if then is None:
        return [f"{name} is not in the record"]
    return [f"{name} is not there" if now is None else f"{name} is not what the record says"]


def _words(value: object) -> str:
    return " ".join(value) or "none" if isinstance(value, tuple) else str(value)


def _short(digest: Digest | None) -> str:
    return "absent" if digest is None else digest.short


def _plain(value: object) -> object:
    if isinstance(value, Tool):
        return {"name": value.name, "version": value.version, "files": dict(value.files)}
    return dict(value) if isinstance(value, Mapping) else str(value)


def tools_of(value: JsonValue) -> tuple[Tool, ...]:
    """The tools that a record lists.

    Raises:
        ProjectError: it lists something else.
        VeracruzError: a digest is none.
    """
    return tuple(_tool(each) for each in _list(value, "tools"))


def json_of(value: object) -> bytes:
    """Values of records in JSON, the same bytes for the same values."""
    return f"{json.dumps(value, default=_plain, ensure_ascii=False, indent=2)}\n".encode()


def _tool(value: JsonValue) -> Tool:
    said = _object(value, "a tool")
    if said.keys() != {"name", "version", "files"}:
        raise ProjectError("a tool has the keys name, version and files")
    name, number = _text(said["name"], "name"), _text(said["version"], "version")
    return Tool(name, number, _digests(said["files"], "files"))


def _digests(value: JsonValue, what: str) -> dict[str, Digest]:
    return {name: _digest(each, what) for name, each in _object(value, what).items()}


def _digest(value: JsonValue, what: str) -> Digest:
    return Digest.from_hex(_text(value, what))


def _text(value: JsonValue, what: str) -> str:
    if not isinstance(value, str):
        raise ProjectError(f"{what} is {str(value)[:40]!r}, expected text")
    return value


def _bool(value: JsonValue, what: str) -> bool:
    if not isinstance(value, bool):
        raise ProjectError(f"{what} is {str(value)[:40]!r}, expected true or false")
    return value


def _list(value: JsonValue, what: str) -> list[JsonValue]:
    if not isinstance(value, list):
        raise ProjectError(f"{what} is {str(value)[:40]!r}, expected a list")
    return value


def _object(value: JsonValue, what: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise ProjectError(f"{what} is {str(value)[:40]!r}, expected an object")
    return dict(value)
