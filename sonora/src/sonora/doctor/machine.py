"""What Sonora needs of the machine besides layers: memory, files, the clock, its user."""

import ctypes
import fcntl
import os
import resource
import sys
from pathlib import Path
from typing import Final

from colima.isolate import MAX_PLACES, sessions_of_isolate
from mexico_city.sandbox import kernel
from psa_attestation.receipts.receipt import MAX_RECEIPT_INPUTS
from sonora.doctor.findings import FindingState, HostFinding
from sonora.doctor.hardware import look_at_hardware
from sonora.doctor.throwaway import Unable, attempt
from sonora.evidence.tpm.source import TpmSettings
from sonora.image.kernel_calls import unreadable
from sonora.image.source import installed_archive
from sonora.users import ROOT, own_user
from veracruz_image import Manifest, verify_image
from veracruz_image.archive import check_archive
from veracruz_utils.errors import VeracruzError

_YAMA: Final = Path("/proc/sys/kernel/yama/ptrace_scope")
_CGROUPS: Final = Path("/sys/fs/cgroup/cgroup.controllers")
_MEMFD_SECRET: Final = {"x86_64": 447, "aarch64": 447}
_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK
_OTHER_FILES: Final = 128
"""Open files of a front process besides sessions and inputs, well counted."""
_MOST_SESSIONS: Final = sessions_of_isolate(MAX_PLACES)
_FEW: Final = 3
"""Principals of a usual policy."""
_CONTROLLERS: Final = {"memory", "pids", "cpu"}
_CLOCK_BYTES: Final = 256
_STA_UNSYNC: Final = 0x40
_TIME_ERROR: Final = 5


def look_at_machine(image: Path | None, tpm: TpmSettings) -> tuple[HostFinding, ...]:
    """A finding for each thing.

    Args:
        image: what isolates are to run from, if not the release's.
        tpm: which TPM is to vouch for this machine.
    """
    return (
        _image(image),
        _user(),
        _memory_files(),
        _unreadable_programs(),
        _secret_memory(),
        _tracing(),
        _cgroups(),
        _open_files(),
        _clock(),
        *look_at_hardware(tpm),
    )


def _image(path: Path | None) -> HostFinding:
    means = "What isolates run from, and nothing else; policies pin its measurement."
    name = "runtime image"
    chosen = installed_archive() if path is None else path
    if chosen is None:
        remedy = "install veracruz-runtime-image, or build one: sonora image build FOLDER"
        return HostFinding(name, FindingState.MISSING, "none", means, remedy, needed=True)
    try:
        measurement = _whole(chosen).measurement
    except (VeracruzError, OSError) as error:
        remedy = "build or install it again"
        return HostFinding(name, FindingState.MISSING, str(error), means, remedy, needed=True)
    return HostFinding(name, FindingState.GOOD, f"{measurement} in {chosen}", means, needed=True)


def _whole(image: Path) -> Manifest:
    """The manifest of an image that can be started: what it says is there, and unchanged."""
    if image.is_dir():
        return verify_image(image)
    with image.open("rb") as file:
        return check_archive(file, what=str(image))


def _user() -> HostFinding:
    user = own_user()
    means = "Who has Sonora's user id has its isolates; who has root has the machine."
    if user.uid == ROOT:
        remedy = "give Sonora and the bridge a user each: sonora serve --user A --bridge-user B"
        return HostFinding("user", FindingState.NOTE, "root", means, remedy)
    remedy = "give the bridge another one: sonora serve --bridge-user NAME"
    return HostFinding("user", FindingState.NOTE, str(user), means, remedy)


def _memory_files() -> HostFinding:
    means = "Programs, inputs and results are anonymous files that nobody can change any more."
    done, said = attempt(_seal_a_file)
    if done:
        return HostFinding("memory files", FindingState.GOOD, "yes, and they can be sealed", means)
    return HostFinding(
        "memory files", FindingState.MISSING, said, means, "use a kernel from 3.17 on"
    )


def _seal_a_file() -> None:
    descriptor = os.memfd_create("probe", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, 1)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    try:
        os.write(descriptor, b"x")
    except PermissionError:
        return
    raise Unable("a sealed file was written")


def _unreadable_programs() -> HostFinding:
    name = "unreadable programs"
    means = "The zygote is closed to Sonora's own user from its first instruction on."
    done, said = attempt(_execute_unreadable)
    if done:
        return HostFinding(name, FindingState.GOOD, "yes, out of memory files", means)
    remedy = "let memory files be executed: sysctl vm.memfd_noexec=1 (or 0)"
    return HostFinding(name, FindingState.NOTE, said, means, remedy)


def _execute_unreadable() -> None:
    program = os.open(sys.executable, os.O_RDONLY)
    copy = unreadable(program)
    if os.path.sameopenfile(program, copy):
        raise Unable("memory files are not executed here")
    # What is executed takes this child's place, and ends as it should or not.
    os.execve(copy, [sys.executable, "-I", "-S", "-c", ""], {})  # noqa: S606 - our own interpreter


def _secret_memory() -> HostFinding:
    means = "Memory that even root's debugger does not read; nothing here relies on it."

    def make() -> None:
        os.close(kernel.system_call(_MEMFD_SECRET[os.uname().machine], 0))

    done, said = attempt(make)
    if done:
        return HostFinding("memfd_secret", FindingState.NOTE, "there", means)
    remedy = "start the kernel with secretmem.enable=1 (from 5.14 on; by default from 6.5 on)"
    return HostFinding("memfd_secret", FindingState.NOTE, f"not there: {said}", means, remedy)


def _tracing() -> HostFinding:
    means = "Yama keeps processes of one user from tracing each other, also before they are closed."
    try:
        scope = int(_YAMA.read_text("ascii"))
    except (OSError, ValueError):
        remedy = "use a kernel with yama in its list of modules, or one user for each service"
        return HostFinding("Yama", FindingState.NOTE, "not there", means, remedy)
    if scope == 0:
        return HostFinding(
            "Yama", FindingState.NOTE, "off", means, "sysctl kernel.yama.ptrace_scope=1"
        )
    return HostFinding("Yama", FindingState.GOOD, f"ptrace_scope {scope}", means)


def _cgroups() -> HostFinding:
    means = "Limits for Sonora and all its isolates together; Sonora sets none itself."
    remedy = "start Sonora in a cgroup with memory.max and pids.max, as by systemd's MemoryMax="
    try:
        controllers = set(_CGROUPS.read_text("ascii").split())
    except OSError:
        return HostFinding("cgroups", FindingState.NOTE, "no version 2 here", means, remedy)
    there = sorted(controllers & _CONTROLLERS)
    return HostFinding(
        "cgroups", FindingState.NOTE, f"version 2 with {', '.join(there)}", means, remedy
    )


def _open_files() -> HostFinding:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    means = f"An isolate has two files for each session, and two for each input of its policy. \
A policy has {MAX_RECEIPT_INPUTS} inputs at most, and its isolate {_MOST_SESSIONS} sessions."
    needed = 2 * (MAX_RECEIPT_INPUTS + _MOST_SESSIONS) + _OTHER_FILES
    if most >= needed:
        return HostFinding(
            "open files", FindingState.GOOD, f"{most}, enough for every policy", means
        )
    inputs = (most - _OTHER_FILES) // 2 - sessions_of_isolate(_FEW)
    remedy = f"start Sonora with a higher limit: ulimit -Hn {needed}"
    if inputs <= 0:
        found = f"{most}: not enough for a policy of {_FEW} principals"
        return HostFinding("open files", FindingState.MISSING, found, means, remedy)
    found = f"{most}: policies of {_FEW} principals and up to {inputs} inputs"
    return HostFinding("open files", FindingState.NOTE, found, means, remedy)


def _clock() -> HostFinding:
    """By adjtimex(2), which changes nothing when it is asked for no mode."""
    means = "Policies, certificates and enrolments end by the clock: a wrong one ends them wrongly."
    remedy = "synchronise it, as by chrony or timedatectl set-ntp true"
    # `struct timex`: modes (int), four longs of which maxerror is the third, status (int).
    timex = ctypes.create_string_buffer(_CLOCK_BYTES)
    try:
        state = kernel.call("adjtimex", ctypes.addressof(timex))
    except OSError as error:
        return HostFinding(
            "clock", FindingState.NOTE, f"not known: {error.strerror}", means, remedy
        )
    long = ctypes.sizeof(ctypes.c_long)
    status = ctypes.c_int.from_buffer(timex, 5 * long).value
    if state == _TIME_ERROR or status & _STA_UNSYNC:
        return HostFinding(
            "clock", FindingState.NOTE, "the kernel calls it not synchronised", means, remedy
        )
    error_us = ctypes.c_long.from_buffer(timex, 3 * long).value
    return HostFinding(
        "clock", FindingState.GOOD, f"synchronised within {error_us / 1000:.0f} ms", means
    )
