"""The first process of the machine: it brings up what is needed, starts Sonora and then the bridge.

There is no shell, no login and no other service. When either of the two ends, the machine does.
"""

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn, Self

from sonora_machine.guest import kernel, network
from sonora_machine.guest.closing import close_the_kernel
from sonora_machine.guest.network import ENVIRONMENT
from sonora_machine.guest.power_button import wait_for_power_button
from sonora_machine.guest.settings import MachineSettings, MachineSettingsError

RUNTIME: Final = "/usr/lib/veracruz/runtime"
SONORA: Final = "veracruz-sonora"
SINALOA: Final = "veracruz-sinaloa"
PORT: Final = 3011
_MODULES: Final = Path("/usr/lib/modules/veracruz")
_SOCKET: Final = Path("/run/veracruz/sonora.sock")
_POLICY: Final = Path("/run/veracruz/policy.json")
_STATE: Final = Path("/var/lib/veracruz")
_REPORTS: Final = Path("/sys/kernel/config/tsm/report")
_SLOWEST_START_S: Final = 3600
"""Emulated machines are slow, and whoever started this one can end it."""
_GOODBYE_S: Final = 20.0
_LOOK_S: Final = 0.2
_TOGETHER_S: Final = 2.0
_PYTHON: Final = ("/usr/bin/python3.13", "-I", "-m")

_IN_MEMORY: Final = (
    ("proc", "/proc", "proc", ""),
    ("sysfs", "/sys", "sysfs", ""),
    ("devtmpfs", "/dev", "devtmpfs", ""),
    ("devpts", "/dev/pts", "devpts", "mode=620"),
    ("tmpfs", "/dev/shm", "tmpfs", "mode=1777"),  # noqa: S108 - mounted here
    ("tmpfs", "/run", "tmpfs", "mode=755"),
    ("tmpfs", "/tmp", "tmpfs", "mode=1777"),  # noqa: S108 - mounted here
    ("tmpfs", "/var", "tmpfs", "mode=755"),
    ("securityfs", "/sys/kernel/security", "securityfs", ""),
    ("cgroup2", "/sys/fs/cgroup", "cgroup2", ""),
)
_CONFIGFS: Final = ("configfs", "/sys/kernel/config", "configfs", "")


def main() -> NoReturn:
    """Run the machine until there is nothing to run, and switch it off."""
    try:
        _run()
    except (MachineSettingsError, network.NetworkError) as error:
        _say(f"cannot go on: {error}")
    except Exception as error:  # noqa: BLE001 - a first process that just ends says nothing
        _say(f"cannot go on: {type(error).__name__}: {error}")
    _say("power off")
    kernel.power_off()
    sys.exit(1)


def _run() -> None:
    kernel.leave_first_root()
    for row in _IN_MEMORY:
        _mount(*row)
    _load_modules()
    _mount(*_CONFIGFS)
    settings = MachineSettings.read(Path("/proc/cmdline").read_text())
    _say(f"evidence {settings.evidence}, attestation service {settings.tabasco}")
    # Before the first packet from outside.
    close_the_kernel(_say)
    _say(f"network on {network.bring_up(settings.address)}")
    _make_places(settings.policy)
    with _Children() as children:
        children.start("sonora", *_sonora(settings), user=None)
        if children.wait_for(_SOCKET):
            children.start("sinaloa", *_sinaloa(), user=SINALOA)
        children.wait_for_one()
        children.tell_endings()


class _Children:
    """The two services; none outlives the block."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._asked = threading.Event()

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)
        threading.Thread(target=self._ask_by_button, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(self._running):
            self._running[name].terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running[name].wait(_GOODBYE_S)

    def start(self, name: str, *command: str, user: str | None) -> None:
        """Start one; it ends with us."""
        self._running[name] = subprocess.Popen(  # noqa: S603 - of the image
            command, env=ENVIRONMENT, cwd="/", user=user, group=user, stdin=subprocess.DEVNULL,
            extra_groups=[] if user else None, start_new_session=True,
        )  # fmt: skip

    def wait_for(self, socket: Path) -> bool:
        """Whether a service made its socket, before it ended or the machine was asked to."""
        while not socket.exists():
            if self._ended() or self._asked.wait(_LOOK_S):
                return False
        return True

    def wait_for_one(self) -> None:
        """Wait until one ends, or the machine is asked to."""
        while not self._ended() and not self._asked.wait(_LOOK_S):
            _reap_orphans({each.pid for each in self._running.values()})

    def tell_endings(self) -> None:
        """Say how each of them ended that did; who is refused takes the other along."""
        if self._ended():
            time.sleep(_TOGETHER_S)
        for name, process in self._running.items():
            if process.poll() is not None:
                # Whoever tried the machine out reads this line: `sonora machine run`.
                _say(f"{name} ended with status {process.returncode}")

    def _ended(self) -> bool:
        return any(process.poll() is not None for process in self._running.values())

    def _ask(self, number: int, _: FrameType | None) -> None:
        _say(f"asked to end by signal {number}")
        self._asked.set()

    def _ask_by_button(self) -> None:
        if wait_for_power_button():
            _say("asked to end by the power button")
            self._asked.set()


def _reap_orphans(ours: set[int]) -> None:
    """Take note of the end of processes whose parents are gone; the kernel gives them to us."""
    with contextlib.suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid in ours:
                return
            os.waitpid(ended.si_pid, 0)


def _sonora(settings: MachineSettings) -> tuple[str, ...]:
    return (
        *_PYTHON, "sonora", "serve", "--evidence", settings.evidence, "--state", str(_STATE),
        "--socket", str(_SOCKET), "--user", SONORA, "--bridge-user", SINALOA, "--image", RUNTIME,
        "--tabasco", settings.tabasco, "--patience", str(_SLOWEST_START_S),
        "--zygote-start", str(_SLOWEST_START_S), "--isolate-start", str(_SLOWEST_START_S),
        "--kept-cores", "0",
    )  # fmt: skip


def _sinaloa() -> tuple[str, ...]:
    return (
        *_PYTHON, "sinaloa", "serve", str(_POLICY), "--sonora", str(_SOCKET),
        "--listen", f"0.0.0.0:{PORT}", "--launch-timeout", str(_SLOWEST_START_S),
    )  # fmt: skip


def _make_places(policy: bytes) -> None:
    _STATE.mkdir(mode=0o700, parents=True)
    _SOCKET.parent.mkdir(mode=0o711)
    _give(_STATE, SONORA)
    if _REPORTS.is_dir():
        # Asked for evidence at each enrolment, long after root was given up.
        _give(_REPORTS, SONORA)
    _POLICY.write_bytes(policy)


def _give(path: Path, user: str) -> None:
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def _mount(source: str, target: str, kind: str, options: str) -> None:
    Path(target).mkdir(parents=True, exist_ok=True)
    flags = kernel.NO_SETUID | kernel.NO_PROGRAMS | (kernel.NO_DEVICES if kind == "tmpfs" else 0)
    kernel.mount(source, target, kind, flags, options)


def _load_modules() -> None:
    for path in sorted(_MODULES.iterdir()):
        try:
            kernel.load_module(path)
        except OSError as error:
            _say(f"module {path.name}: {error.strerror}")


def _say(text: str) -> None:
    sys.stderr.write(f"[{time.monotonic():7.1f}] veracruz: {text}\n")
    sys.stderr.flush()
