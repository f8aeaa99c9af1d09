"""Waits for the power button: how an emulator or a cloud asks a machine to end."""

import struct
from pathlib import Path
from typing import Final

_INPUTS: Final = Path("/dev/input")
_EVENT: Final = struct.Struct("<qqHHi")
_KEY, _POWER, _PRESSED = 1, 116, 1


def wait_for_power_button() -> bool:
    """Wait until it is pressed; false if this machine has none."""
    devices = sorted(_INPUTS.glob("event*")) if _INPUTS.is_dir() else []
    if not devices:
        return False
    with devices[0].open("rb", buffering=0) as device:
        while data := device.read(_EVENT.size):
            _, _, kind, code, value = _EVENT.unpack(data)
            if (kind, code, value) == (_KEY, _POWER, _PRESSED):
                return True
    return False
