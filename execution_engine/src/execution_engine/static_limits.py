"""What of a program is refused before the compiler sees it: sizes, and functions that start alone.

This is all that is read of a program's bytes where it runs: the heads of its sections, what memory
and tables it has at first, and the size and the locals of each function. Whether the bytes are
valid is the validator's to say. The tools that ask first look closer: see `wasm.examination`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from execution_engine.errors import ModuleRefusedError, Problem, RefusalCode, refuse_first
from execution_engine.limits import PAGE_BYTES, EngineLimits
from execution_engine.reader import (
    COMPONENT_VERSION,
    MAGIC,
    MODULE_VERSION,
    BinaryError,
    TooManyError,
    WasmReader,
    sections,
)

_CORE_MODULE: Final = 1
# Custom, core instances, aliases, types, canonical functions, imports, exports; no components
# inside, where there could be core modules that are not looked at, and adapters between them.
_PARTS: Final = frozenset({0, 2, 6, 7, 8, 10, 11})


@dataclass(slots=True)
class ModuleSizes:
    """What the limits are about in one core module.

    Attributes:
        start: index of the function that it starts by itself, if it does.
        memories: pages of each memory at first.
        tables: elements of each table at first.
        bodies: bytes and locals of each function.
    """

    start: int | None = None
    memories: list[int] = field(default_factory=list)
    tables: list[int] = field(default_factory=list)
    bodies: list[tuple[int, int]] = field(default_factory=list)


def is_component(code: bytes | memoryview) -> bool:
    """Whether the bytes begin as those of a component."""
    return code[:8] == MAGIC + COMPONENT_VERSION


def header_problems(code: bytes | memoryview, limits: EngineLimits) -> Iterator[Problem]:
    """That the bytes do not begin as a module or a component, or are too many."""
    if len(code) > limits.module_bytes:
        detail = (
            f"{len(code)} bytes, the limit is {limits.module_bytes}: "
            "a policy sets it as program_bytes"
        )
        yield RefusalCode.TOO_LARGE, detail
    elif code[:4] != MAGIC:  # the compiler would take the text format too
        yield RefusalCode.NOT_WASM, "it does not begin with the bytes 00 61 73 6d"
    elif code[4:8] not in (MODULE_VERSION, COMPONENT_VERSION):
        detail = (
            f"version bytes are {code[4:8].hex(' ')}, not 01 00 00 00 (a module) or "
            "0d 00 01 00 (a component)"
        )
        yield RefusalCode.VERSION, detail


def check_static_limits(code: bytes | memoryview, limits: EngineLimits) -> None:
    """Check a program's header and sizes, before the validator and the compiler work on it.

    Raises:
        ModuleRefusedError: the first thing that is too large, or not allowed.
    """
    refuse_first(header_problems(code, limits))
    try:
        for module in _core_modules(code):
            refuse_first(size_problems(_read_sizes(module), limits))
    except TooManyError as error:
        raise ModuleRefusedError(RefusalCode.TOO_MANY_ENTRIES, str(error)) from error
    except BinaryError as error:
        raise ModuleRefusedError(RefusalCode.MALFORMED, str(error)) from error


def size_problems(
    sizes: ModuleSizes, limits: EngineLimits, *, imported: int = 0
) -> Iterator[Problem]:
    """What is too large in a core module; function indexes count `imported` functions first."""
    if sizes.start is not None:
        # It would call the host before the host knows the memory of the instance.
        yield RefusalCode.START_SECTION, f"it starts function {sizes.start} by itself"
    for pages in sizes.memories:
        if (size := pages * PAGE_BYTES) > limits.memory_bytes:
            detail = f"{size} bytes of memory at first, the limit is {limits.memory_bytes}"
            yield RefusalCode.MEMORY_SIZE, detail
    for elements in sizes.tables:
        if elements > limits.table_elements:
            detail = f"a table of {elements} elements, the limit is {limits.table_elements}"
            yield RefusalCode.TABLE_SIZE, detail
    for index, (size, count) in enumerate(sizes.bodies, imported):
        if size > limits.function_bytes:
            detail = f"function {index} has {size} bytes, the limit is {limits.function_bytes}"
            yield RefusalCode.FUNCTION_SIZE, detail
        if count > limits.locals:
            detail = f"function {index} has {count} locals, the limit is {limits.locals}"
            yield RefusalCode.LOCALS, detail


def _core_modules(code: bytes | memoryview) -> Iterator[WasmReader]:
    view = cast("bytes", code)  # what of a mapped file is read is numbers
    if not is_component(code):
        yield WasmReader(view, 0, len(code))
        return
    for offset, section, content in sections(view, 0, len(code)):
        if section == _CORE_MODULE:
            yield content
        elif section not in _PARTS:
            raise ModuleRefusedError(
                RefusalCode.FORBIDDEN_PART, f"section {section} of a component at offset {offset}"
            )


def _read_sizes(module: WasmReader) -> ModuleSizes:
    sizes = ModuleSizes()
    for _, section, content in sections(module.data, module.at, module.end):
        match section:
            case 4:
                for _ in content.vector():
                    content.byte()  # the type of its elements
                    sizes.tables.append(_minimum(content))
            case 5:
                sizes.memories.extend(_minimum(content) for _ in content.vector())
            case 8:
                sizes.start = content.u32()
            case 10:
                sizes.bodies.extend(_bodies(content))
    return sizes


def _minimum(reader: WasmReader) -> int:
    has_maximum = reader.byte()
    minimum = reader.u32()
    if has_maximum:
        reader.u32()
    return minimum


def _bodies(section: WasmReader) -> Iterator[tuple[int, int]]:
    """Size and locals of each function; an interpreter has ten thousand."""
    content = bytes(section.data[section.at : section.end])  # read faster than a view
    reader = WasmReader(content, 0, len(content))
    for _ in reader.vector():
        yield _body(reader.part())


def _body(body: WasmReader) -> tuple[int, int]:
    size, count = body.end - body.at, 0
    for _ in body.vector():
        count += body.u32()
        body.byte()  # their type
    return size, count
