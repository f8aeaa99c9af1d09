"""The firmware that a machine in the emulator starts with: UEFI, which measures what it loads."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sonora_machine.errors import MachineError
from veracruz_utils.frozen import frozen


@frozen
class Firmware:
    """Two files: the code, and the variables that each machine has a copy of."""

    code: Path
    variables: Path


PLACES: Final = (
    # Debian, Ubuntu: ovmf.
    Firmware(
        Path("/usr/share/OVMF/OVMF_CODE_4M.fd"),
        Path("/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ),
    Firmware(
        Path("/usr/share/OVMF/OVMF_CODE.fd"),
        Path("/usr/share/OVMF/OVMF_VARS.fd"),
    ),
    # Fedora: edk2-ovmf.
    Firmware(
        Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"),
        Path("/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ),
)


def find_firmware(places: Iterable[Firmware] = PLACES) -> Firmware:
    """The first firmware that is installed.

    Raises:
        MachineError: there is none.
    """
    for each in places:
        if each.code.is_file() and each.variables.is_file():
            return each
    raise MachineError(
        "there is no UEFI firmware for virtual machines: install ovmf (Debian, Ubuntu) or "
        "edk2-ovmf (Fedora), or name its two files by --firmware and --firmware-vars"
    )
