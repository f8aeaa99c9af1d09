"""An example program in C, built for this machine: the same sources, without WebAssembly."""

import ctypes
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from sdk.toolchains.sources import source_folder


def native_program(name: str) -> Callable[[Sequence[bytes]], bytes]:
    """What runs the program on inputs and gives its result.

    It is in this process and gives no memory back, as a module that runs once need not: run it some
    dozen times, not thousands.
    """
    with tempfile.TemporaryDirectory() as folder:
        library = ctypes.CDLL(str(_built(name, Path(folder))))

    def run(inputs: Sequence[bytes]) -> bytes:
        pointers = (ctypes.c_char_p * len(inputs))(*inputs)
        sizes = (ctypes.c_uint32 * len(inputs))(*map(len, inputs))
        code = library.host_run(len(inputs), pointers, sizes)
        assert code == 0, f"{name}: code {code}"
        size = ctypes.c_uint32()
        return ctypes.string_at(library.host_output(ctypes.byref(size)), size.value)

    library.host_output.restype = ctypes.c_void_p
    return run


def _built(name: str, folder: Path) -> Path:
    """The program as a library, with a libc: veracruz.c takes that for the one of WASI."""
    sdk, output = source_folder("c"), folder / f"{name}.so"
    sources = [sdk / "veracruz.c", source_folder("examples") / name / "main.c"]
    sources.append(Path(__file__).with_name("native_host.c"))
    subprocess.run(  # noqa: S603 - our own command line, no shell
        [sys.executable, "-m", "ziglang", "cc", "-std=c17", "-O2", "-shared", "-fPIC", "-D__wasi__",
         "-Wno-ignored-attributes", "-Wno-unknown-attributes", "-I", str(sdk / "include"),
         *map(str, sources), "-o", str(output)],
        check=True,
    )  # fmt: skip
    return output
