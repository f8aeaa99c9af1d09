"""The files of a machine, in memory: what a builder puts together and an archive is written of."""

import stat
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from sonora_machine.errors import MachineError
from veracruz_utils.frozen import frozen

_FOLDER: Final = 0o755


@frozen
class Node:
    """One entry of a tree; everything belongs to root.

    Attributes:
        mode: type and permissions, as in `stat`.
        data: a file's content, or a link's target in UTF-8; else empty.
        device: a device's major and minor number; else zeros.
    """

    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


class Tree:
    """Entries by path, without a leading slash; folders above an entry come by themselves."""

    def __init__(self) -> None:
        """Make an empty tree."""
        self._nodes: dict[str, Node] = {}

    def __iter__(self) -> Iterator[tuple[str, Node]]:
        """All entries, sorted by path, so that a folder comes before what is in it."""
        yield from sorted(self._nodes.items())

    def __contains__(self, path: str) -> bool:
        """Whether there is an entry at the path."""
        return path in self._nodes

    def folder(self, path: str, *, permissions: int = _FOLDER) -> None:
        """Add a folder; one that is there keeps what is in it."""
        self._put(path, Node(stat.S_IFDIR | permissions))

    def file(self, path: str, data: bytes, *, executable: bool = False) -> None:
        """Add a file that everybody may read and nobody may change."""
        self._put(path, Node(stat.S_IFREG | (0o755 if executable else 0o644), data))

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._put(path, Node(stat.S_IFLNK | 0o777, target.encode()))

    def character_device(self, path: str, major: int, minor: int, *, permissions: int) -> None:
        """Add a device."""
        self._put(path, Node(stat.S_IFCHR | permissions, device=(major, minor)))

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The path and content of each file."""
        for path, node in self:
            if stat.S_ISREG(node.mode):
                yield path, node.data

    def names(self) -> set[str]:
        """The last part of each path that is a file or a link."""
        return {
            PurePosixPath(path).name for path, node in self._nodes.items() if not _is_folder(node)
        }

    def _put(self, path: str, node: Node) -> None:
        parts = PurePosixPath(path)
        plain = str(parts) == path and ".." not in parts.parts and path.isprintable()
        if not path or parts.is_absolute() or not plain:
            raise MachineError(f"no path of a machine: {path!r}")
        before = self._nodes.get(path)
        if before is not None and not (_is_folder(before) and _is_folder(node)):
            if before != node:
                raise MachineError(f"two packages bring {path}, and not the same")
            return
        for above in parts.parents[:-1]:
            there = self._nodes.setdefault(str(above), Node(stat.S_IFDIR | _FOLDER))
            if not _is_folder(there):
                raise MachineError(f"{path} is to lie in {above}, which is no folder")
        self._nodes[path] = node


def _is_folder(node: Node) -> bool:
    return stat.S_ISDIR(node.mode)
