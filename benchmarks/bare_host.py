"""The host calls that the benchmarks' guests make, by the public interface of wasmtime's package.

No checks and no limits: what somebody would write who only wants the guest to run.
"""

import struct
from collections.abc import Callable, Sequence

from wasmtime import Engine, Func, FuncType, Linker, Memory, Module, Store, ValType

from execution_engine.abi import HOST_CALLS


class BareRun:
    """One instance of a module that reads `inputs`, ready to run."""

    def __init__(self, engine: Engine, module: Module, inputs: Sequence[bytes]) -> None:
        self._store = Store(engine)
        self._inputs = inputs
        self.output = b""
        linker = Linker(engine)
        bodies: dict[str, Callable[..., int]] = {
            "input_count": lambda ptr: self._put(ptr, len(inputs)),
            "input_size": lambda index, ptr: self._put(ptr, len(inputs[index])),
            "read_input": self._read_input,
            "write_output": self._write_output,
        }
        wanted = {each.name for each in module.imports}
        for call in HOST_CALLS:
            if call.import_name in wanted:
                kind = FuncType([ValType.i32()] * len(call.params), [ValType.i32()])
                linker.define_func("env", call.import_name, kind, bodies[call.name])
        self._store.set_epoch_deadline(1_000_000)
        instance = linker.instantiate(self._store, module)
        exports = instance.exports(self._store)
        memory, main = exports["memory"], exports["main"]
        assert isinstance(memory, Memory)
        assert isinstance(main, Func)
        self._memory = memory
        self._main = main
        self._arguments = [0] * len(main.type(self._store).params)

    def main(self) -> int:
        """Run the program to its return."""
        code: int = self._main(self._store, *self._arguments)
        return code

    def close(self) -> None:
        """Free the instance and its memory, which the garbage collector would do at some time."""
        self._store.close()

    def _put(self, ptr: int, value: int) -> int:
        self._memory.write(self._store, struct.pack("<I", value), ptr)
        return 0

    def _read_input(self, index: int, buf: int, _size: int) -> int:
        self._memory.write(self._store, self._inputs[index], buf)
        return 0

    def _write_output(self, buf: int, size: int) -> int:
        self.output = bytes(self._memory.read(self._store, buf, buf + size))
        return 0
