"""The programs of other people that run a machine, and the packages that they come in."""

import shutil
from typing import Final

from sonora_machine.errors import MachineError

QEMU: Final = "qemu-system-x86_64"
_PACKAGES: Final = {
    QEMU: "qemu-system-x86",
    "swtpm": "swtpm",
    "swtpm_setup": "swtpm-tools",
    "swtpm_localca": "swtpm-tools",
}
"""In Debian and Ubuntu."""


def require_programs(*names: str) -> None:
    """Refuse to begin what could not go on.

    Raises:
        MachineError: one of them is not here; the message says what to install.
    """
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        packages = " ".join(dict.fromkeys(_PACKAGES[name] for name in missing))
        raise MachineError(
            f"{', '.join(missing)} not found: on Debian or Ubuntu, "
            f"apt-get install --no-install-recommends {packages}"
        )


def path_of(name: str) -> str:
    """Where a program is.

    Raises:
        MachineError: it is nowhere.
    """
    require_programs(name)
    found = shutil.which(name)
    assert found is not None
    return found
