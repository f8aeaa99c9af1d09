"""A unified kernel image, taken apart: the stub that it was made with, and the parts behind it."""

import re
from typing import Final

from sonora_machine.errors import ImageFormatError
from sonora_machine.uki.pe import PeFile
from veracruz_utils.frozen import frozen

PARTS: Final = (
    *(".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat"),
    *(".pcrsig", ".pcrpkey", ".profile", ".dtbauto", ".hwids"),
)
"""The sections that mean something to a stub, in the order in which it measures them."""

_MAGIC: Final = re.compile(rb"#### LoaderInfo: (systemd-stub (\d{3})[\w.~+\- ]{0,60}) ####\0?")
_BLANK: Final = b" \t\r\n\0"
_CHOICES: Final = {
    ".profile": "profiles",
    ".dtbauto": "device trees to choose from",
    ".hwids": "device trees to choose from",
}


@frozen
class UnifiedImage:
    """The parts of an image.

    Attributes:
        stub: what the stub says that it is, such as `systemd-stub 257.13-1~deb13u1`.
        generation: its first number, which says how it measures.
        machine: the kind of processor, as `x86-64`.
        data: the whole file.
        parts: the content of those sections that mean something to a stub, by their names.
    """

    stub: str
    generation: int
    machine: str
    data: memoryview
    parts: dict[str, memoryview]

    @staticmethod
    def parse(data: bytes) -> "UnifiedImage":
        """Take an image apart.

        Raises:
            ImageFormatError: it is none, has a part twice, or leaves it to whoever starts it what
                runs: by profiles, or because there is no kernel, command line or initramfs in it.
        """
        pe = PeFile.parse(data, what="image")
        magic = pe.content(data, ".sdmagic")
        found = _MAGIC.match(magic[:200]) if magic is not None else None
        if found is None:
            raise ImageFormatError(
                "the image has no stub of systemd's (section .sdmagic): it is no unified kernel "
                "image, or its stub measures in a way that is not known here"
            )
        names = [each.name for each in pe.sections]
        for name in PARTS:
            if names.count(name) > 1:
                raise ImageFormatError(f"the image has {names.count(name)} sections {name}")
        parts = {}
        for name in PARTS:
            content = pe.content(data, name)
            if content is not None and len(content):
                parts[name] = content
        for name, what in _CHOICES.items():
            if name in parts:
                raise ImageFormatError(
                    f"the image has {what} ({name}): what it measures is not in the file alone"
                )
        for name in (".linux", ".cmdline", ".initrd"):
            if name not in parts:
                raise ImageFormatError(
                    f"the image has no {name}: whoever starts it could give one of their own"
                )
        return UnifiedImage(
            found[1].decode("ascii"), int(found[2]), pe.machine, memoryview(data), parts
        )

    @property
    def command_line(self) -> str:
        """The command line as the stub hands it to the kernel.

        Raises:
            ImageFormatError: it has other than printable ASCII in it, or starts with a blank:
                stubs change that, each generation in its own way.
        """
        raw = bytes(self.parts[".cmdline"]).rstrip(_BLANK)
        try:
            text = raw.decode("ascii")
        except UnicodeDecodeError:
            text = ""
        if not text.isprintable() or not text or text.startswith(" "):
            raise ImageFormatError(
                f"the command line {raw[:60]!r} is not one line of printable ASCII: the stub would "
                "change it, and measure that"
            )
        return text
