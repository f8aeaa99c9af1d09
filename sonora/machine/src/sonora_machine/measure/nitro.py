"""What a Nitro enclave reports of its image: registers 0 to 2, each of some of its sections.

Register 0 is of all of it, 1 of the kernel, its command line and the first ramdisk, 2 of the other
ramdisks, which are the application. Register 3 and 4 are of the account and machine that start it,
8 of who signed it.

Standard: AWS Nitro Enclaves User Guide, "Cryptographic attestation", "Where to get an enclave's
measurements".
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from sonora_machine.measure.registers import extended

_ZEROS: Final = bytes(48)


def nitro_registers(
    *,
    kernel: bytes | memoryview,
    command_line: bytes | memoryview,
    ramdisks: Sequence[bytes | memoryview],
) -> dict[str, bytes]:
    """Registers 0 to 2 of an image with these parts.

    Args:
        kernel: the kernel.
        command_line: its command line.
        ramdisks: at least one; the first is the one that starts the others.
    """
    first, *others = ramdisks
    return {
        "pcr0": _register([kernel, command_line, *ramdisks]),
        "pcr1": _register([kernel, command_line, first]),
        "pcr2": _register(others),
    }


def _register(contents: Iterable[bytes | memoryview]) -> bytes:
    digest = hashlib.sha384()
    for content in contents:
        digest.update(content)
    return extended(_ZEROS, digest.digest(), algorithm="sha384")
