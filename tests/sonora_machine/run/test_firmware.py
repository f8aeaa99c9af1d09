"""Which firmware is taken."""

import pytest

from sonora_machine.errors import MachineError
from sonora_machine.run.firmware import PLACES, Firmware, find_firmware


def placed(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"firmware")
    return [
        Firmware(folder / "NEW.fd", folder / "NEW_VARS.fd"),
        Firmware(folder / "OLD.fd", folder / "OLD_VARS.fd"),
    ]


def test_the_first_that_is_there_is_taken(tmp_path):
    new, old = placed(tmp_path, "OLD.fd", "OLD_VARS.fd")
    assert find_firmware([new, old]) == old
    placed(tmp_path, "NEW.fd", "NEW_VARS.fd")
    assert find_firmware([new, old]) == new


def test_code_without_its_variables_is_no_firmware(tmp_path):
    with pytest.raises(MachineError, match=r"ovmf \(Debian, Ubuntu\) or edk2-ovmf \(Fedora\)"):
        find_firmware(placed(tmp_path, "NEW.fd", "OLD_VARS.fd"))


def test_firmware_with_secure_boot_forced_is_not_among_the_places():
    # It needs system management mode, which the command has off.
    assert not [each for each in PLACES if "sec" in each.code.name or "ms" in each.code.name]
