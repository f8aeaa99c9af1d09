"""Waits for the power button: how an emulator or a cloud asks a machine to end."""

import struct
from pathlib import Path
from typing import Final

_INPUTS: Final = Path("/dev/input")
_NAMES: Final = Path("/sys/class/input")
_NAME: Final = "Power Button"
_EVENT: Final = struct.Struct("<qqHHi")
_KEY, _POWER, _PRESSED = 1, 116, 1


def wait_for_power_button() -> bool:
    """Wait until it is pressed; false if this machine has none."""
    named = sorted(_NAMES.glob("event*/device/name"))  # a keyboard may be the first
    for each in named:
        if each.read_text().strip() == _NAME:
            return _wait_at(_INPUTS / each.parent.parent.name)
    return False


def _wait_at(path: Path) -> bool:
    with path.open("rb", buffering=0) as device:
        while data := device.read(_EVENT.size):
            _, _, kind, code, value = _EVENT.unpack(data)
            if (kind, code, value) == (_KEY, _POWER, _PRESSED):
                return True
    return False
