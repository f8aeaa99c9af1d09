"""Writes a tree as a cpio archive, in the form that Linux unpacks as its first root.

Linux, Documentation/driver-api/early-userspace/buffer-format.rst: "newc", magic 070701, thirteen
fields of eight hexadecimal digits, name and content each padded to four bytes.
"""

from collections.abc import Iterator
from typing import Final

from sonora_machine.errors import MachineError
from sonora_machine.image.tree import Node, Tree

_MAGIC: Final = b"070701"
_END: Final = "TRAILER!!!"
_MOST_BYTES: Final = 0xFFFFFFFF


def write_cpio(tree: Tree) -> bytes:
    """The archive; it depends on the tree alone: no time, owner or place of its making is in it.

    Raises:
        MachineError: a file has 4 GiB or more.
    """
    return b"".join(_pieces(tree))


def _pieces(tree: Tree) -> Iterator[bytes]:
    for number, (path, node) in enumerate(tree, 1):
        yield from _entry(path, node, number)
    yield from _entry(_END, Node(0), 0)


def _entry(path: str, node: Node, number: int) -> Iterator[bytes]:
    if len(node.data) > _MOST_BYTES:
        raise MachineError(f"{path} has {len(node.data)} bytes, more than a cpio archive can say")
    name = path.encode() + b"\0"
    fields = (
        number, node.mode, 0, 0, 1, 0, len(node.data), 0, 0, *node.device, len(name), 0,
    )  # fmt: skip
    yield _padded(_MAGIC + b"".join(b"%08X" % field for field in fields) + name)
    yield _padded(node.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
