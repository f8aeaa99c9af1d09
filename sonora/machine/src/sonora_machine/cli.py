"""`sonora machine`: build a machine image, say what it will measure, try it out.

`sonora` loads this with every command of its own: what is heavy is imported by who needs it.
"""

from typing import Final

from veracruz_shells.console import subgroup


@subgroup()
def machine() -> None:
    """Build a machine image, say what platforms will measure of it, try it in an emulator."""


_RUN: Final = "sonora_machine.run.commands"
_IMAGE: Final = "sonora_machine.image.commands"
machine.elsewhere = {
    "build": (
        f"{_IMAGE}:build",
        "Build a machine image in the new folder FOLDER: Sonora, Sinaloa, the runtime, no shell.",
    ),
    "lock": (
        f"{_IMAGE}:lock",
        "Make a lock in FILE: the same packages, in the versions that there are now.",
    ),
    "measure": (
        "sonora_machine.measure.commands:measure",
        "Say what each platform will report of the machine image FILE, without starting it.",
    ),
    "run": (
        f"{_RUN}:run",
        "Start the machine of IMAGE in an emulator, to compute POLICY.",
    ),
    "tpm": (f"{_RUN}:tpm", "Make a TPM in software in FOLDER, or tell of the one that is there."),
}
