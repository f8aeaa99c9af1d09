"""The adapter of WASI by itself: a test stands where the program would, and calls it."""

import struct

import wasmtime

from execution_engine.abi import IMPORTS
from execution_engine.limits import EngineLimits
from execution_engine.module_host import GuestMemory, ModuleHost
from execution_engine.run import RunInputs
from platform_services import LinuxRandomSource
from sdk.adaptation.adapter import shipped_adapter

PAGE = 65536
SUCCESS, AGAIN, BADF, EXIST, FAULT, FBIG, INVAL = 0, 6, 8, 20, 21, 22, 28
ISDIR, MFILE, NOENT, NOMEM, NOSPC, NOSYS, NOTDIR = 31, 33, 44, 48, 51, 52, 54
NOTSOCK, ROFS, SPIPE, NOTCAPABLE = 57, 69, 70, 76
STDIN, STDOUT, STDERR, ROOT = range(4)
CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
READ, WRITE = 1 << 1, 1 << 6
APPEND = 1
FROM_START, FROM_HERE, FROM_END = range(3)
CLOCK = 946_684_800 * 10**9
_ENGINE = wasmtime.Engine()
_ADAPTER = wasmtime.Module(_ENGINE, shipped_adapter().code)


class Wasi:
    """The adapter, and the memory of a program of `pages`, which is the test's."""

    def __init__(self, body, inputs, *, pages, most, arguments, environment, limits):
        self.store = wasmtime.Store(_ENGINE)
        self.store.set_limits(memory_size=limits.memory_bytes)
        self.memory = wasmtime.Memory(self.store, wasmtime.MemoryType(wasmtime.Limits(pages, None)))
        self.host = ModuleHost(inputs, limits=limits, random=LinuxRandomSource())
        self.host.attach(
            GuestMemory(self._view), message_at=lambda: self.number("veracruz_message")
        )
        texts = [b"".join(each.encode() + b"\0" for each in one)
                 for one in (arguments, environment)]  # fmt: skip
        made = {
            "enter_program": lambda: body(self) or 0,
            "most_pages": lambda: most,
            "clock_begin": lambda: CLOCK,
            "arguments_count": lambda: len(arguments),
            "arguments_size": lambda: len(texts[0]),
            "arguments_copy": lambda to: self.write(to, texts[0]),
            "environment_count": lambda: len(environment),
            "environment_size": lambda: len(texts[1]),
            "environment_copy": lambda to: self.write(to, texts[1]),
        }
        items = []
        for one in _ADAPTER.imports:
            if one.module == "link":
                items.append(wasmtime.Func(self.store, one.type, made[one.name]))
            elif one.name in IMPORTS:
                call = self.host.call(IMPORTS[one.name].name)
                items.append(wasmtime.Func(self.store, one.type, _unsigned(call)))
            else:
                items.append(self.memory)
        self._exports = wasmtime.Instance(self.store, _ADAPTER, items).exports(self.store)

    def _view(self):
        return memoryview(self.memory.get_buffer_ptr(self.store)).cast("B")

    def __getattr__(self, name):
        function = self._exports[name]
        return lambda *arguments: function(self.store, *map(_signed, arguments))

    def number(self, name):
        """The value of a global."""
        return self._exports[name].value(self.store) & 0xFFFFFFFFFFFFFFFF

    def write(self, at, data):
        """Put bytes into memory."""
        self.memory.write(self.store, data, at & 0xFFFFFFFF)

    def read(self, at, size):
        """Bytes of memory."""
        return bytes(self.memory.read(self.store, at, at + size))

    def u32(self, at):
        """A number of memory."""
        return int.from_bytes(self.read(at, 4), "little")

    def u64(self, at):
        """A longer one."""
        return int.from_bytes(self.read(at, 8), "little")

    # What programs do with it; vectors are at 0, numbers at 64, texts from 256 on.

    def put(self, file, data):
        """Write to a file: the errno, and how much was taken."""
        self.write(0, struct.pack("<II", 256, len(data)))
        self.write(256, data)
        return self.fd_write(file, 0, 1, 64), self.u32(64)

    def get(self, file, size):
        """Read of a file: the errno, and the bytes."""
        self.write(0, struct.pack("<II", 256, size))
        error = self.fd_read(file, 0, 1, 64)
        return error, self.read(256, self.u32(64)) if error == SUCCESS else b""

    def open(self, path, how=0, rights=READ, flags=0, folder=ROOT):
        """Open a path: the errno, and the descriptor."""
        self.write(256, path)
        error = self.path_open(folder, 0, 256, len(path), how, rights, 0, flags, 64)
        return error, self.u32(64)

    def stat(self, path):
        """What is said of a path: the errno, its type and its size."""
        self.write(256, path)
        error = self.path_filestat_get(ROOT, 0, 256, len(path), 128)
        return error, self.read(144, 1)[0], self.u64(160)

    def names(self, file, room=4096):
        """The names in a folder, asked for in buffers of `room` bytes."""
        names, place = [], 0
        while True:
            assert self.fd_readdir(file, 256, room, place, 64) == SUCCESS
            used, at = self.u32(64), 256
            end = at + used
            while at + 24 <= end and at + 24 + self.u32(at + 16) <= end:
                place = self.u64(at)
                names.append((self.read(at + 24, self.u32(at + 16)), self.read(at + 20, 1)[0]))
                at += 24 + self.u32(at + 16)
            if used < room:
                return names


def run(body, *inputs, pages=1, most=65536, arguments=("program",), environment=(),
        limits=None, **more):  # fmt: skip
    """Let `body` be the program: it gets a `Wasi`, and what it returns is what `main` returned.

    Gives the code, the result and what was said.
    """
    limits = limits or EngineLimits(memory_bytes=64 * 1024 * 1024)
    wasi = Wasi(body, RunInputs(inputs, **more), pages=pages, most=most, arguments=arguments,
                environment=environment, limits=limits)  # fmt: skip
    with wasi.store:
        try:
            code = wasi.main()
        except wasmtime.Trap:
            said = wasi.number("veracruz_exit")
            if said >> 32 != 1:
                raise
            code = _signed(said & 0xFFFFFFFF)
        return code, wasi.host.output, wasi.host.said()


def _unsigned(call):
    return lambda *arguments: int(call(*(each & 0xFFFFFFFF for each in arguments)))


def _signed(number):
    return (
        number - (1 << 32)
        if 0x80000000 <= number < 1 << 32
        else (number - (1 << 64) if number >= 1 << 63 else number)
    )
