"""The names of functions, which traps and profiles tell."""

from collections.abc import Mapping
from typing import Final

from execution_engine.reader import BinaryError, WasmReader
from execution_engine.wasm.binary import Binary
from sdk import wasm_writing as writing
from sdk.wasm_writing import section, u32, vector

_SECTION: Final = "name"
_FUNCTIONS: Final = 1


def function_names(module: Binary) -> dict[int, str]:
    """The names of a module's functions, by their numbers; none where they cannot be read."""
    for one in module.custom_sections:
        if one.name == _SECTION:
            try:
                return _read(WasmReader(module.code, one.start, one.end), module)
            except BinaryError:
                return {}
    return {}


def _read(reader: WasmReader, module: Binary) -> dict[int, str]:
    most = module.imported("func") + len(module.functions)
    names: dict[int, str] = {}
    while reader.at < reader.end:
        subsection, part = reader.byte(), reader.part()
        if subsection == _FUNCTIONS:
            for _ in range(part.u32()):
                index, text = part.u32(), part.part()
                if index < most:
                    names[index] = text.data[text.at : text.end].decode(errors="replace")
    return names


def names_section(names: Mapping[int, str]) -> bytes:
    """The custom section that gives functions these names."""
    items = vector(u32(index) + writing.name(text) for index, text in sorted(names.items()))
    return section(0, writing.name(_SECTION) + section(_FUNCTIONS, items))
