"""What of CPython's code no program in Python comes to, left out of the core.

An isolate that is the first with a core compiles it, so each function costs. A third of the code is
of no use: it has done its work when the interpreter is frozen, as what wrote addresses into the
data, or is SQLite, whose module is not offered. Such a function keeps its place and its type, and
its body ends the run. Which they are is told by the names that the tool leaves in the modules.
"""

from collections.abc import Iterator
from typing import Final

from execution_engine.reader import HEADER_BYTES, WasmReader, sections
from execution_engine.wasm.binary import Binary, parse
from sdk.wasm_writing import section, sized, u32

# Run before the interpreter is frozen, or as it starts, and long: straight code for each value.
_DONE: Final = frozenset({b"__wasm_apply_data_relocs", b"_PyUnicode_InitStaticStrings"})
# One source file, and so in one row, that is linked last.
_LAST_LIBRARY: Final = b"sqlite3"
_CORE_MODULE, _CODE = 1, 10
_FUNCTION_NAMES: Final = 1
_ENDS_THE_RUN: Final = sized(b"\0\0\x0b")  # no locals, unreachable, end


def trimmed(component: bytes) -> bytes:
    """The component without what its programs never run.

    Raises:
        BinaryError: it is none.
    """
    kept = [component[:HEADER_BYTES]]
    whole = WasmReader(component, HEADER_BYTES, len(component))
    for _, kind, content in sections(component, 0, len(component)):
        begin, whole.at = whole.at, content.end
        inner = component[content.at : content.end]
        kept.append(
            section(_CORE_MODULE, _trimmed_module(inner))
            if kind == _CORE_MODULE
            else component[begin : content.end]
        )
    return b"".join(kept)


def _trimmed_module(code: bytes) -> bytes:
    module = parse(code)
    places = _unreached(module)
    if not places:
        return code
    bodies = b"".join(
        _ENDS_THE_RUN if place in places else sized(code[body.offset : body.offset + body.size])
        for place, body in enumerate(module.bodies)
    )
    _, end = module.places[_CODE]
    begin = next(at for at, kind, _ in sections(code, 0, len(code)) if kind == _CODE)
    return code[:begin] + section(_CODE, u32(len(module.bodies)) + bodies) + code[end:]


def _unreached(module: Binary) -> frozenset[int]:
    """Places among the module's own functions."""
    names = [(index - module.imported("func"), name) for index, name in _function_names(module)]
    found = {place for place, name in names if name in _DONE}
    library = [place for place, name in names if name.startswith(_LAST_LIBRARY)]
    if library:
        found.update(range(min(library), len(module.bodies)))
    return frozenset(found)


def _function_names(module: Binary) -> Iterator[tuple[int, bytes]]:
    for custom in module.custom_sections:
        if custom.name != "name":
            continue
        reader = WasmReader(module.code, custom.start, custom.end)
        while reader.at < reader.end:
            kind, content = reader.byte(), reader.part()
            if kind != _FUNCTION_NAMES:
                continue
            for _ in content.vector():
                index, name = content.u32(), content.part()
                yield index, module.code[name.at : name.end]
