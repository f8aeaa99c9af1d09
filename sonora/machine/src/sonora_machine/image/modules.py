"""The kernel's modules that a machine loads, each behind those that it needs."""

import lzma
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from sonora_machine.errors import MachineError

WANTED: Final = (
    # Who carries bytes: emulators and most clouds, then Google's, Amazon's and Microsoft's own.
    "virtio_net", "gve", "ena", "hv_netvsc",
    # Settings that an emulator hands in, and its power button.
    "qemu_fw_cfg", "button", "evdev",
    # Evidence of hardware.
    "configfs", "sev-guest", "tdx-guest", "nsm",
)  # fmt: skip
FOLDER: Final = "usr/lib/modules/veracruz/"
"""Where the machine has them; they are loaded in the order of their names."""
_SUFFIX: Final = ".ko.xz"
_MAX_MODULE: Final = 256 * 1024 * 1024
_DEPENDS: Final = re.compile(rb"(?:^|\0)depends=([^\0]*)\0")


class KernelModules:
    """The modules of a kernel.

    Args:
        files: content by path, compressed by xz.
        builtin: `modules.builtin`, the paths of those that are in the kernel itself.
    """

    def __init__(self, files: Mapping[str, bytes], builtin: str) -> None:
        """Note them by the names that they are asked for."""
        self._files = {_name(path): data for path, data in files.items()}
        self._builtin = {_name(line) for line in builtin.split()}

    def ordered(self, wanted: Iterable[str] = WANTED) -> Iterator[tuple[str, bytes]]:
        """Names and contents of the wanted ones and all that they need, in the order of loading.

        Raises:
            MachineError: there is none of such a name.
        """
        seen: set[str] = set()
        for name in wanted:
            yield from self._with_needed(_plain(name), seen)

    def _with_needed(self, name: str, seen: set[str]) -> Iterator[tuple[str, bytes]]:
        if name in seen or name in self._builtin:
            return
        seen.add(name)
        if name not in self._files:
            raise MachineError(f"the kernel has no module {name}")
        data = self._files[name]
        for needed in _needed(name, data):
            yield from self._with_needed(needed, seen)
        yield name, data


def is_module(path: str) -> bool:
    """Whether a file of a kernel's package is a module."""
    return path.endswith(_SUFFIX)


def _needed(name: str, data: bytes) -> list[str]:
    try:
        found = _DEPENDS.search(_unpacked(data))
        needed = found[1].decode("ascii") if found else ""
    except (EOFError, ValueError, lzma.LZMAError) as error:
        raise MachineError(f"module {name} cannot be read: {error}") from None
    return [_plain(each) for each in needed.split(",") if each]


def _unpacked(data: bytes) -> bytes:
    unpacking = lzma.LZMADecompressor()
    module = unpacking.decompress(data, _MAX_MODULE)
    if not unpacking.eof:
        raise EOFError(f"it ends too early, or is of more than {_MAX_MODULE} bytes")
    return module


def _name(path: str) -> str:
    return _plain(PurePosixPath(path).name.partition(".")[0])


def _plain(name: str) -> str:
    """Files and lists write both - and _ for what is one name."""
    return name.replace("-", "_")
