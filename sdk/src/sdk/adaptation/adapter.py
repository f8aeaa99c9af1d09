"""The adapter: the module that answers WASI 0.1 by Veracruz's host calls, and its source.

It is written in C, in the SDK's folder `wasi`, and the same source builds the same bytes
everywhere: `veracruz-sdk build-adapter --check` shows that what is shipped is what its source says.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from execution_engine.abi import EXIT, MESSAGE, FunctionType
from execution_engine.reader import WasmReader
from execution_engine.wasm.binary import Binary, parse
from execution_engine.wasm.instructions import STEPS
from sdk.errors import BuildError, StaleModuleError
from sdk.toolchains.sources import source_folder
from sdk.toolchains.zig import compile_adapter
from veracruz_shells.files import write_new_file
from veracruz_utils.digest import Digest

WASI: Final = "wasi_snapshot_preview1"
LINK: Final = "link"
MEMORY_SIZE: Final = "program_memory_size"
MEMORY_GROW: Final = "program_memory_grow"
_SHIPPED: Final = Path(str(files("sdk.adaptation").joinpath("adapter.wasm")))
# What it exports besides the functions of WASI.
_ELEMENTS, _DATA = 9, 11
_ACCESSES: Final = range(0x28, 0x3F)
_CONSTANT: Final = 0x41
_POINTERS: Final = frozenset({_CONSTANT, 0x23, 0x24})
_IN_FULL: Final = 5
_OTHERS: Final = frozenset({"main", MEMORY_SIZE, MEMORY_GROW, EXIT, MESSAGE})


@cache
def shipped_adapter() -> Binary:
    """The shipped adapter."""
    return parse(_SHIPPED.read_bytes())


@cache
def wasi_functions() -> dict[str, FunctionType]:
    """The functions of WASI 0.1, all of which the adapter has, by their names."""
    module = shipped_adapter()
    found = {}
    for one in module.exports:
        type_ = module.function_type(one.index) if one.kind == "func" else None
        if type_ is not None and one.name not in _OTHERS:
            found[one.name] = type_
    return dict(sorted(found.items()))


def build_adapter() -> bytes:
    """What the adapter's source builds.

    Raises:
        BuildError: the compiler is missing, or the source builds something that cannot be linked.
    """
    built = compile_adapter(source_folder("wasi"))
    module = parse(built)
    # What it had in memory would lie in the program's.
    if _DATA in module.places or _ELEMENTS in module.places or any(_addresses(module)):
        raise BuildError("the adapter has something in memory: see wasi/adapter.h")
    return built


def _addresses(module: Binary) -> Iterator[int]:
    """Where code uses what the linker gave a place in memory: it writes such numbers in full."""
    for body in module.bodies:
        reader = WasmReader(module.code, body.code, body.offset + body.size)
        while reader.at < reader.end:
            opcode = reader.byte()
            if opcode in _ACCESSES:
                reader.u32()
                start = reader.at
                reader.u32()
                if reader.at - start == _IN_FULL:
                    yield start
            elif (step := STEPS[opcode]) is not None:
                start = reader.at
                step(reader)
                # The linker's pointer to a stack, and constants that it fills in.
                if (
                    opcode in _POINTERS
                    and reader.at - start == _IN_FULL
                    and (
                        opcode == _CONSTANT or WasmReader(module.code, start, reader.at).u32() == 0
                    )
                ):
                    yield start


def write_adapter() -> Digest:
    """Build the adapter where the package ships it.

    Raises:
        BuildError: as for `build_adapter`.
    """
    built = build_adapter()
    write_new_file(_SHIPPED, built, mode=0o644, force=True)
    return Digest.of(built)


def check_adapter() -> Digest:
    """Build the adapter, and compare it with the one that is shipped.

    Raises:
        StaleModuleError: they differ.
    """
    built, found = Digest.of(build_adapter()), Digest.of(_SHIPPED.read_bytes())
    if built != found:
        raise StaleModuleError(
            f"the adapter in {_SHIPPED.parent} is {found.short}, its source builds {built.short}; "
            "run `veracruz-sdk build-adapter`"
        )
    return found
