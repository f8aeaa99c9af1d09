"""What an SEV-SNP machine reports of its firmware and image: its launch measurement.

The processor measures the memory with which the machine begins: the firmware, some pages of a
known content, a page with the digests of kernel, initramfs and command line that QEMU put there
(`kernel-hashes=on`), and the state in which each virtual processor starts. Firmware that is built
for it starts nothing that has another digest.

Computed by `sev-snp-measure`, the package of those who wrote QEMU's part of it: it is the extra
`snp` of this distribution. Bounds on what it reads are ours.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType
from typing import Final

from sonora_machine.errors import ImageFormatError, MachineError
from sonora_machine.measure.firmware import FirmwareImage

MAX_VCPUS: Final = 512
_MODULES: Final = ("guest", "sev_mode", "vcpu_types")
_FEATURES: Final = 0x1
"""Of a virtual processor at its start, as QEMU and Linux have it: SEV-SNP and nothing else."""


def launch_measurement(
    firmware: FirmwareImage,
    *,
    kernel: bytes | memoryview,
    initramfs: bytes | memoryview,
    command_line: str,
    vcpus: int,
    cpu: str,
) -> bytes:
    """The measurement of a machine that QEMU starts with these.

    Args:
        firmware: of the kind that checks what it starts, such as `OVMF.amdsev.fd`.
        kernel: handed over by QEMU, as are the next two.
        initramfs: likewise.
        command_line: likewise.
        vcpus: how many virtual processors the machine has, 1 to 512.
        cpu: their kind, as QEMU calls it, such as `EPYC-v4`.

    Raises:
        ImageFormatError: the firmware is none for SEV-SNP, or not of that kind.
        MachineError: the extra `snp` is not installed, or it does not know such processors.
    """
    guest, modes, kinds = _package()
    if cpu not in kinds.CPU_SIGS:
        known = ", ".join(kinds.CPU_SIGS)
        raise MachineError(f"there is no processor {cpu[:40]!r}, known are {known}")
    firmware.check_sev()
    with ExitStack() as files:
        paths = [files.enter_context(_as_file(each)) for each in (firmware.data, kernel, initramfs)]
        try:
            found = guest.calc_launch_digest(
                modes.SevMode.SEV_SNP,
                vcpus,
                kinds.CPU_SIGS[cpu],
                *paths,
                command_line,
                _FEATURES,
            )
        except (ValueError, RuntimeError, AssertionError, LookupError) as error:
            raise ImageFormatError(
                f"the firmware is none that checks what SEV-SNP starts: {error}"
            ) from error
    return bytes(found)


def _package() -> list[ModuleType]:
    try:
        return [import_module(f"sevsnpmeasure.{name}") for name in _MODULES]
    except ImportError as error:
        raise MachineError(
            "measuring for SEV-SNP needs an extra: pip install 'veracruz-machine[snp]'"
        ) from error


@contextmanager
def _as_file(content: bytes | memoryview) -> Iterator[str]:
    """A path to this content, in memory: that package reads files."""
    descriptor = os.memfd_create("measured")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
