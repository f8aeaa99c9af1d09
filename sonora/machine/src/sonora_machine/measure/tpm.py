"""What a TPM's registers hold after an image was started, by the file alone.

Firmware measures the programs that it starts into register 4: the image, and the kernel that the
image's stub starts. The stub measures its parts into register 11. The kernel measures the command
line and the initramfs that it was given into register 9.

Register 0 cannot be had so: firmware measures itself, as it lies in memory, and how that is depends
on the kind of processor and the size of the memory as well. Registers 1 to 3, 5 and 7 hold
configuration of the machine and its firmware.

Standard: TCG PC Client Platform Firmware Profile 1.06 §3.3.4; systemd-stub(7); what the kernel's
EFI stub measures (`drivers/firmware/efi/libstub`).
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from sonora_machine.measure.digests import ImageDigests
from sonora_machine.measure.registers import Extending

CALLING: Final = b"Calling EFI Application from Boot Option"
SEPARATOR: Final = bytes(4)

_MEASURED: Final = {
    252: (".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrpkey"),
    257: (
        *(".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname"),
        *(".sbat", ".pcrpkey"),
    ),
}
"""Which parts a stub measures and in which order, by its generation."""


def tpm_extensions(image: ImageDigests) -> Iterator[Extending]:
    """What is extended into registers 4, 9 and 11 (SHA-256), in the order in which it happens."""
    yield _of("pcr4", "a program is called by a boot option", CALLING)
    yield _of("pcr4", "separator", SEPARATOR)
    yield Extending("pcr4", "the image", image.image)
    for name in _MEASURED[image.generation]:
        if name in image.parts:
            yield _of("pcr11", f"the name {name}", name.encode() + b"\0")
            yield Extending("pcr11", f"the content of {name}", image.parts[name])
    yield Extending("pcr4", "the kernel (.linux)", image.kernel)
    yield _of("pcr9", "the command line", image.command_line.encode("utf-16-le") + bytes(2))
    yield Extending("pcr9", "the initramfs", image.initramfs)


def _of(register: str, what: str, content: bytes) -> Extending:
    return Extending(register, what, hashlib.sha256(content).digest())
