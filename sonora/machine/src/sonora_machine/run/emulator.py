"""One machine in the emulator, from its start to its end.

Theory of operation. Two processes, swtpm and QEMU, each of which the kernel kills when we end,
however that is. swtpm ends with QEMU. A machine ends by itself (it powers itself off when its
computation is over), or is asked to by the power button, then by its plug. Why it ended QEMU says
on its monitor, which is read while it runs and until it is closed.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Final, Self

from sonora_machine.errors import MachineError
from sonora_machine.run import qemu
from sonora_machine.run.children import Child
from sonora_machine.run.console import failure, last_lines, service_status
from sonora_machine.run.firmware import Firmware
from sonora_machine.run.monitor import Monitor
from sonora_machine.run.programs import QEMU, require_programs
from sonora_machine.run.tpm import SoftwareTpm, locked, swtpm_command
from veracruz_shells.channels import is_serving, open_channel
from veracruz_shells.files import read_file, write_new_file
from veracruz_utils.frozen import frozen

MAX_IMAGE_BYTES: Final = 480 << 20
"""What fits on the disk that QEMU makes of a folder."""
_MAX_FIRMWARE_BYTES: Final = 16 << 20
_HEALTH_S: Final = 1.0
_OFF_S: Final = 10.0
_QUIT_S: Final = 5.0
_LOOK_S: Final = 0.1
_TOGETHER_S: Final = 2.0
"""swtpm sees that QEMU ends before we do."""
_REASONS: Final = {
    "guest-shutdown": "it powered itself off",
    "guest-reset": "it crashed or restarted",
    "host-signal": "QEMU was ended by a signal",
}


@frozen
class MachineContents:
    """What a machine starts with."""

    image: bytes = field(repr=False)
    policy: bytes = field(repr=False)
    firmware: Firmware


class Emulator:
    """A machine; started by `with`, in the main thread, and gone with it.

    Args:
        machine: what it is made of.
        loaded: what it starts with.
        tpm: its TPM.
        folder: an empty one, for what QEMU reads and writes.

    Raises:
        MachineError: QEMU or swtpm do not start; the message has what they said.
    """

    def __init__(
        self, machine: qemu.Emulated, loaded: MachineContents, tpm: SoftwareTpm, folder: Path
    ) -> None:
        self._machine = machine
        self._loaded = loaded
        self._tpm = tpm
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self._log_begins = machine.log.stat().st_size if machine.log.exists() else 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def processes(self) -> dict[str, int]:
        """The numbers of the processes, by their programs' names."""
        return {each.name: each.process_id for each in (self._swtpm, self._qemu)}

    def wait_ready(self, until: Callable[[], bool], *, timeout_s: float) -> bool:
        """Wait until the bridge in the machine answers; whether it does, else `until` came first.

        Raises:
            MachineError: the machine ended, or does not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        with contextlib.closing(open_channel(str(self._machine.listen))) as channel:
            while not is_serving(channel, timeout_s=_HEALTH_S):
                if until():
                    return False
                if self.ended:
                    raise self._failure(
                        f"before its bridge answered, the machine ended: {self._why()}"
                    )
                if time.monotonic() > deadline:
                    raise self._failure(
                        f"the bridge in the machine does not answer within {timeout_s:g} s "
                        "(--timeout)"
                    )
                time.sleep(_HEALTH_S / 4)
        return True

    @property
    def ended(self) -> bool:
        """Whether it is over.

        Raises:
            MachineError: its TPM alone is.
        """
        self._monitor.look()
        if self._swtpm.status is not None and not self._qemu.wait(_TOGETHER_S):
            raise self._failure(f"swtpm ended, which said: {self._swtpm.said()!r}")
        return self._qemu.status is not None

    def require_well(self) -> None:
        """Refuse to take it for well how a machine ended, which is over, unless it was.

        Raises:
            MachineError: it did not power itself off, or because a service in it had failed.
        """
        self._monitor.look()
        well = (self._qemu.status, self._monitor.end) == (0, "guest-shutdown")
        if not well or service_status(self._console()):
            raise self._failure(f"the machine failed: {self._why()}")

    def power_off(self, *, impatient: Callable[[], bool]) -> None:
        """Press the machine's power button, then pull its plug; `impatient` shortens the wait."""
        self._monitor.order("system_powerdown")
        deadline = time.monotonic() + _OFF_S
        while time.monotonic() < deadline and not impatient():
            if self._qemu.wait(_LOOK_S):
                return
        self._monitor.order("quit")
        self._qemu.wait(_QUIT_S)
        self._qemu.stop()

    def _start(self, stack: contextlib.ExitStack) -> None:
        require_programs(QEMU, "swtpm")
        folder = self._folder
        self._fill(folder)
        stack.enter_context(locked(self._tpm))
        watching, monitor = socket.socketpair()
        stack.callback(watching.close)
        to_tpm, tpm = socket.socketpair()
        with monitor, to_tpm, tpm:
            self._swtpm = stack.enter_context(
                Child(
                    swtpm_command(self._tpm, tpm.fileno()), cwd=folder, descriptors=[tpm.fileno()]
                )
            )
            ends = qemu.Ends(monitor.fileno(), to_tpm.fileno())
            self._qemu = stack.enter_context(
                Child(
                    qemu.qemu_command(self._machine, ends),
                    cwd=folder,
                    descriptors=[ends.monitor, ends.tpm],
                )
            )
        self._monitor = Monitor(watching)

    def _fill(self, folder: Path) -> None:
        """Put into a machine's folder what QEMU finds there."""
        image = folder / qemu.IMAGE
        image.parent.mkdir(parents=True)
        write_new_file(image, self._loaded.image, mode=0o600)
        write_new_file(folder / qemu.POLICY, self._loaded.policy, mode=0o600)
        variables = read_file(
            self._loaded.firmware.variables, limit=_MAX_FIRMWARE_BYTES, what="firmware's variables"
        )
        write_new_file(folder / qemu.VARIABLES, variables, mode=0o600)

    def _why(self) -> str:
        self._monitor.look()
        reason = self._monitor.end
        return _REASONS.get(reason or "", reason or f"QEMU left with status {self._qemu.status}")

    def _failure(self, what: str) -> MachineError:
        """What went wrong, and what the machine and QEMU said last."""
        console = self._console()
        said = [f"{what}; its console's last lines:", console or "(none)"]
        if words := self._qemu.said():
            said += ["QEMU said:", words]
        return failure("\n".join(said), console)

    def _console(self) -> str:
        with contextlib.suppress(OSError), self._machine.log.open("rb") as file:
            if os.fstat(file.fileno()).st_size > self._log_begins:
                return last_lines(file.fileno(), begin=self._log_begins)
        return ""
