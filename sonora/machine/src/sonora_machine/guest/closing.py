"""Closes what of the kernel nothing in the machine needs once it is up.

Whoever takes over a service finds less to go on with, and whoever holds the serial line finds no
keys that do something. See the kernel's Documentation/admin-guide/sysctl/kernel.rst.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

_KERNEL: Final = Path("/proc/sys")
SETTINGS: Final = {
    "dev/tty/ldisc_autoload": "0",
    "fs/protected_fifos": "2",
    "fs/protected_hardlinks": "1",
    "fs/protected_regular": "2",
    "fs/protected_symlinks": "1",
    "fs/suid_dumpable": "0",
    "kernel/core_pattern": "|/nothing",
    "kernel/dmesg_restrict": "1",
    "kernel/io_uring_disabled": "2",
    "kernel/kexec_load_disabled": "1",
    "kernel/kptr_restrict": "2",
    "kernel/perf_event_paranoid": "3",
    "kernel/sysrq": "0",
    "kernel/unprivileged_bpf_disabled": "1",
    "kernel/yama/ptrace_scope": "3",
    "net/core/bpf_jit_harden": "2",
    # Last, and for good: no module is loaded from now on, whoever asks.
    "kernel/modules_disabled": "1",
}
"""What is written where below `/proc/sys`, in this order."""


def close_the_kernel(say: Callable[[str], object], root: Path = _KERNEL) -> None:
    """Write all settings; one that this kernel does not have is told and passed over.

    Args:
        say: takes a line for the console.
        root: where they are.

    Raises:
        OSError: one that is there does not take its value.
    """
    for name, value in SETTINGS.items():
        path = root / name
        if not path.exists():
            say(f"the kernel has no {name}")
            continue
        path.write_text(f"{value}\n")
