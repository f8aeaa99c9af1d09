"""What a TDX machine reports of its firmware and image: MRTD, and the registers RTMR 1 and 2.

MRTD is made by the processor of the memory with which the machine begins: of each page that it is
there and where, and of the firmware's code what is in it. Into RTMR 1 the firmware extends what it
starts, into RTMR 2 the kernel what it was given. They are of a machine whose kernel, initramfs and
command line QEMU hands over (`-kernel`, `-initrd`, `-append`), which is how a machine starts
without a disk. RTMR 3 stays zeros.

RTMR 0 cannot be had from the files: the firmware extends into it what QEMU tells it of memory,
devices (ACPI tables) and boot order, which differ with size, devices and version of QEMU.

Standard: Intel TDX Module 1.5 ABI, TDH.MEM.PAGE.ADD, TDH.MR.EXTEND, TDH.MR.FINALIZE; UEFI 2.10
§38.4.1 (which register of a TPM is which of TDX).
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from sonora_machine.measure.firmware import FirmwareImage, TdxSection
from sonora_machine.measure.registers import extended
from sonora_machine.measure.tpm import CALLING, SEPARATOR
from sonora_machine.uki.authenticode import authenticode_digest

EXITING: Final = b"Exit Boot Services Invocation"
EXITED: Final = b"Exit Boot Services Returned with Success"

_PAGE: Final = 4096
_CHUNK: Final = 256
_RECORD: Final = struct.Struct("<16sQ104x")
_ADD: Final = b"MEM.PAGE.ADD"
_EXTEND: Final = b"MR.EXTEND"
_FILE: Final = "initrd=initrd"
"""What firmware adds to the command line, so that the kernel finds the initramfs."""


def mrtd(firmware: FirmwareImage) -> bytes:
    """The measurement of a machine at its start.

    Raises:
        ImageFormatError: the firmware is none for TDX.
    """
    digest = hashlib.sha384()
    for section in firmware.tdx_sections():
        for record in _records(section, firmware.data):
            digest.update(record)
    return digest.digest()


def runtime_registers(
    *, kernel: bytes | memoryview, initramfs: bytes | memoryview, command_line: str
) -> dict[str, tuple[bytes, ...]]:
    """RTMR 1 and 2 of a machine that QEMU hands these; 2 has two values, by the firmware's age.

    Raises:
        ImageFormatError: the kernel is no PE file.
    """
    started = authenticode_digest(kernel, algorithm="sha384", what="kernel")
    handed = hashlib.sha384(initramfs).digest()
    # EDK II appends it up to 2025.02, and later puts it first.
    lines = (f"{command_line} {_FILE}", f"{_FILE} {command_line}")
    return {
        "rtmr1": (rtmr1(started),),
        "rtmr2": tuple(rtmr2(_of_line(line), handed) for line in lines),
    }


def rtmr1(kernel: bytes) -> bytes:
    """RTMR 1 after this kernel (Authenticode, SHA-384) was started and took over the machine."""
    said = (CALLING, SEPARATOR, EXITING, EXITED)
    return _value([kernel, *(hashlib.sha384(each).digest() for each in said)])


def rtmr2(command_line: bytes, initramfs: bytes) -> bytes:
    """RTMR 2 after a kernel was given a command line and an initramfs with these digests."""
    return _value([command_line, initramfs])


def _records(section: TdxSection, data: bytes) -> Iterator[bytes | memoryview]:
    """What is hashed of a section: page by page, each added and then measured."""
    if not section.is_added and not section.is_extended:
        return
    view = memoryview(data)
    for page in range(0, section.size, _PAGE):
        if section.is_added:
            yield _RECORD.pack(_ADD, section.address + page)
        if section.is_extended:
            for chunk in range(page, page + _PAGE, _CHUNK):
                yield _RECORD.pack(_EXTEND, section.address + chunk)
                yield view[section.offset + chunk : section.offset + chunk + _CHUNK]


def _of_line(line: str) -> bytes:
    return hashlib.sha384(line.encode("utf-16-le") + bytes(2)).digest()


def _value(digests: Iterable[bytes]) -> bytes:
    value = bytes(48)
    for digest in digests:
        value = extended(value, digest, algorithm="sha384")
    return value
