"""System calls made by code injected into a running process, as who took it over would make them.

By ptrace, which takes more than the process's own user may: the machine's root does it here. The
code is two instructions put where the process stands, its own registers and memory; what comes back
is what the kernel said to that process. x86-64 only.
"""

import ctypes
import errno
import os
import signal
import struct
from pathlib import Path
from typing import Final

_CONT: Final = 7
_GETREGS: Final = 12
_SETREGS: Final = 13
_ATTACH: Final = 16
_WALL: Final = 0x40000000
# struct user_regs_struct, in order.
_REGISTERS: Final = (
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi",
    "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs",
    "gs",
)  # fmt: skip
_ARGUMENTS: Final = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
_ARGUMENTS_32: Final = ("rbx", "rcx", "rdx", "rsi", "rdi", "rbp")
_U64: Final = 2**64
_MMAP: Final = 9
_SCRATCH_BYTES: Final = 65536
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_LIBC.ptrace.restype = ctypes.c_long


class KilledError(Exception):
    """The process is gone, by this signal or another end."""

    def __init__(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        super().__init__(signal.Signals(-code).name if code < 0 else f"exit {code}")


class Injection:
    """A process that makes the system calls it is told to; it never goes on by itself again.

    Attributes:
        replaced: whether it became another program, and can make no more of them.
    """

    def __init__(self, process_id: int) -> None:
        self.replaced = False
        self.process_id = process_id
        self._ptrace(_ATTACH)
        self._wait()
        self._memory = os.open(f"/proc/{process_id}/mem", os.O_RDWR)
        self._at = self._registers()["rip"]
        self._scratch = 0
        found = self.call(_MMAP, 0, _SCRATCH_BYTES, 3, 0x22, -1 % _U64, 0)
        assert found > 0, errno.errorcode[-found]
        self._scratch = self._next = found

    def close(self) -> None:
        """Let go of it; it is of no use any more, and ends."""
        os.close(self._memory)
        try:
            os.kill(self.process_id, signal.SIGKILL)
            os.waitpid(self.process_id, _WALL)
        except (ProcessLookupError, ChildProcessError):
            pass

    def put(self, data: bytes) -> int:
        """The address of a copy of `data` in the process; its scratch memory is never full."""
        at = self._next
        os.pwrite(self._memory, data, at)
        self._next += -(-len(data) // 16) * 16
        assert self._next < self._scratch + _SCRATCH_BYTES
        return at

    def read(self, address: int, size: int) -> bytes:
        """Memory of the process."""
        return os.pread(self._memory, size, address)

    def call(self, number: int, *arguments: int | bytes) -> int:
        """Make a system call; its result, below 0 an errno.

        Raises:
            KilledError: that was its end.
        """
        return self._make(b"\x0f\x05\xcc", _ARGUMENTS, number, arguments)

    def call_32(self, number: int, *arguments: int | bytes) -> int:
        """Make a system call of i386."""
        return self._make(b"\xcd\x80\xcc", _ARGUMENTS_32, number, arguments)

    def _make(
        self, code: bytes, places: tuple[str, ...], number: int, arguments: tuple[int | bytes, ...]
    ) -> int:
        given = [self.put(each) if isinstance(each, bytes) else each for each in arguments]
        registers = self._registers()
        registers |= {"rax": number, "orig_rax": _U64 - 1, "rip": self._at}
        registers |= {name: value % _U64 for name, value in zip(places, given, strict=False)}
        os.pwrite(self._memory, code, self._at)
        values = struct.pack("27Q", *(registers[name] for name in _REGISTERS))
        buffer = ctypes.create_string_buffer(values, len(values))
        self._ptrace(_SETREGS, ctypes.addressof(buffer))
        while True:
            self._ptrace(_CONT)
            if self._wait() == signal.SIGTRAP:
                break  # else a signal that came meanwhile, which it is not given
        registers = self._registers()
        if registers["rip"] != self._at + len(code):
            self.replaced = True
            return 0
        result = registers["rax"]
        return result - _U64 if result >= _U64 - 4095 else result

    def _registers(self) -> dict[str, int]:
        buffer = ctypes.create_string_buffer(27 * 8)
        self._ptrace(_GETREGS, ctypes.addressof(buffer))
        return dict(zip(_REGISTERS, struct.unpack("27Q", buffer.raw), strict=True))

    def _wait(self) -> int:
        _, status = os.waitpid(self.process_id, _WALL)
        if not os.WIFSTOPPED(status):
            raise KilledError(status)
        return os.WSTOPSIG(status)

    def _ptrace(self, request: int, data: int = 0) -> None:
        if _LIBC.ptrace(request, self.process_id, None, data) == -1:
            number = ctypes.get_errno()
            raise OSError(number, f"ptrace({request}): {os.strerror(number)}")


def readable_address(process_id: int) -> int:
    """Where another process could read something of this one."""
    for line in Path(f"/proc/{process_id}/maps").read_text().splitlines():
        span, mode, *_ = line.split()
        if mode.startswith("r"):
            return int(span.partition("-")[0], 16)
    raise AssertionError(process_id)
