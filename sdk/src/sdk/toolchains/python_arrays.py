"""The compiled part of `libveracruz.arrays`: a module of CPython, written in C, for isolates.

It is shipped as it was built, for who makes a core needs no compiler, and built again by tests: its
bytes depend on the sources, the flags below and the version of the `ziglang` wheel.
"""

import sys
from pathlib import Path
from typing import Final

from sdk.toolchains.scratch import build_folder
from sdk.toolchains.tool import refusal, run_tool
from sdk.toolchains.zig import BUILD_SECONDS, require_compiler

MODULE: Final = "veracruz_arrays.cpython-314-wasm32-wasi.so"
"""What CPython in the core looks for, and componentize-py links into it."""
_COMPILE: Final = (
    "cc", "-c",
    "-target", "wasm32-wasi",
    "-mcpu=mvp+mutable_globals",
    "-std=c17",
    "-O2",
    "-fPIC",
    "-fvisibility=hidden",
    # The same bits everywhere: no two operations become one that rounds once.
    "-ffp-contract=off",
    "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
)  # fmt: skip
_LINK: Final = (
    "wasm-ld", "--shared", "--experimental-pic", "--unresolved-symbols=import-dynamic",
    "--strip-all",
)  # fmt: skip


def compile_arrays(sources: Path) -> bytes:
    """The module of the sources in a folder.

    Raises:
        BuildError: the compiler is missing or refuses them.
    """
    require_compiler()
    with build_folder() as folder:
        objects = []
        for source in sorted(sources.resolve().glob("*.c")):
            output = folder / f"{source.stem}.o"
            _run(folder, *_COMPILE, str(source), "-o", str(output))
            objects.append(str(output))
        _run(folder, *_LINK, *objects, "-o", str(folder / MODULE))
        return (folder / MODULE).read_bytes()


def _run(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "ziglang", *words]
    ran = run_tool(command, folder, name="the compiler", timeout_s=BUILD_SECONDS)
    if not ran.succeeded:
        raise refusal("the compiler", "arrays for Python", ran.words or ran.output.strip())
