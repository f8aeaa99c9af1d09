"""What firmware and a UKI's stub extend in a real boot, as the TPM was told it.

swtpm logs the commands that it gets: a machine's registers can be known after its end, and extended
into a TPM outside, where Sonora enrols without a machine.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support import machines
from support.efi_programs import Reset, says_and_ends
from support.patience import PATIENCE_S
from support.stack import SCRIPTS
from support.swtpm import RunningTpm

STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
"""systemd's, as Debian's systemd-boot-efi has it."""
KERNEL = says_and_ends("here is the kernel", Reset.SHUTDOWN)
_COMMAND = re.compile(r"SWTPM_IO_Read: length (\d+)\n((?: [0-9A-F ]+\n)+)")
_PCR_EXTEND = 0x182
_SHA256 = 0x0B
_SIZES = {0x04: 20, _SHA256: 32, 0x0C: 48, 0x0D: 64}

Extension = tuple[int, bytes]
"""A register, and what its SHA-256 bank was extended with."""


@dataclass(frozen=True)
class Recording:
    """A folder in which a TPM leaves what it was told."""

    folder: Path

    def environment(self, usual: Mapping[str, str] = os.environ) -> dict[str, str]:
        """For the command that starts a machine: there is a `swtpm` that writes its log."""
        programs = self.folder / "bin"
        if not programs.exists():
            programs.mkdir(parents=True)
            wrapper = programs / "swtpm"
            log = f"file={self._log},level=20"
            wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("swtpm")} "$@" --log {log}\n')
            wrapper.chmod(0o755)
        return {**usual, "PATH": f"{programs}:{usual['PATH']}"}

    def extensions(self) -> list[Extension]:
        """What was extended so far, in order."""
        text = self._log.read_text() if self._log.exists() else ""
        found = [(int(each[1]), bytes.fromhex(each[2])) for each in _COMMAND.finditer(text)]
        # The last may be half written: swtpm is at work.
        commands = [command[:length] for length, command in found if len(command) >= length]
        return [each for command in commands for each in _extensions_of(command)]

    @property
    def _log(self) -> Path:
        return self.folder / "swtpm.log"


def boot(image: bytes, tpm: Path, folder: Path) -> list[Extension]:
    """Start a machine whose kernel switches it off, and wait for that; what was extended."""
    folder.mkdir(parents=True)
    recording = Recording(folder)
    path = folder / "image.efi"
    path.write_bytes(image)
    command = [
        SCRIPTS / "sonora", "machine", "run", path, machines.policy_file(folder),
        "--tabasco", "127.0.0.1:3010", "--listen", machines.free_address(), "--tpm", tpm,
    ]  # fmt: skip
    done = subprocess.run(
        command, env=recording.environment(), capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip
    assert "it powered itself off" in done.stderr, done.stderr
    return recording.extensions()


def registers(extensions: list[Extension]) -> dict[int, bytes]:
    """What the registers hold after that, those that were extended."""
    found: dict[int, bytes] = {}
    for register, digest in extensions:
        found[register] = hashlib.sha256(found.get(register, bytes(32)) + digest).digest()
    return found


def replay(extensions: list[Extension], tpm: RunningTpm) -> None:
    """Extend the same into a TPM that was just powered on."""
    for register, digest in extensions:
        tpm.extend(register, digest)


def _extensions_of(command: bytes) -> list[Extension]:
    if int.from_bytes(command[6:10]) != _PCR_EXTEND:
        return []
    register = int.from_bytes(command[10:14])
    at = 18 + int.from_bytes(command[14:18])  # behind the authorisation
    count, at = int.from_bytes(command[at : at + 4]), at + 4
    found = []
    for _ in range(count):
        algorithm, at = int.from_bytes(command[at : at + 2]), at + 2
        digest, at = command[at : at + _SIZES[algorithm]], at + _SIZES[algorithm]
        if algorithm == _SHA256:
            found.append((register, digest))
    return found
