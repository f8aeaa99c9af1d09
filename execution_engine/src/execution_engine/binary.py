"""The WebAssembly binary format, as far as it must be known before a module is compiled.

`parse` reads the sections that say what a module asks for and offers (types, imports, functions,
tables, memories, exports, start, and the outline of each body) and steps over the others. It is
strict where it looks: every length inside its enclosing one, every number within 32 bits, every
vector bounded before it is read, sections once and in order. It does not replace the validator,
which runs after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from execution_engine.abi import FunctionType
from execution_engine.reader import MAX_ENTRIES, BinaryError, Reader, TooManyError

MAGIC: Final = b"\0asm"
VERSION: Final = b"\1\0\0\0"

KINDS: Final = ("func", "table", "memory", "global", "tag")
_VALUE_TYPES: Final = {
    0x7F: "i32",
    0x7E: "i64",
    0x7D: "f32",
    0x7C: "f64",
    0x7B: "v128",
    0x70: "funcref",
    0x6F: "externref",
}
_REFERENCE_TYPES: Final = frozenset({0x70, 0x6F})
_MAX_ARITY: Final = 1000
# Section ids in the order the standard gives them; 0 (custom) may stand anywhere.
_SECTION_ORDER: Final = {
    section: place for place, section in enumerate((1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11))
}


@dataclass(frozen=True, slots=True)
class Import:
    """Something the module wants from its host; `type` is set when it is a function."""

    module: str
    name: str
    kind: str
    type: FunctionType | None


@dataclass(frozen=True, slots=True)
class Export:
    """Something the module offers; `index` counts in the index space of its kind."""

    name: str
    kind: str
    index: int


@dataclass(frozen=True, slots=True)
class Extent:
    """The size of a table (elements) or memory (64 KiB pages) at first, and at most."""

    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Body:
    """One function: where its body is in the module, its locals, and where its code begins."""

    offset: int
    size: int
    locals: int
    code: int


@dataclass(slots=True)
class Binary:
    """What a module declares; indexes count imports first, as the format does."""

    types: list[FunctionType] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    functions: list[FunctionType] = field(default_factory=list)
    tables: list[Extent] = field(default_factory=list)
    memories: list[Extent] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    custom_sections: list[str] = field(default_factory=list)
    start: int | None = None

    def imported(self, kind: str) -> int:
        """How many of the imports are of this kind."""
        return sum(one.kind == kind for one in self.imports)

    def function_type(self, index: int) -> FunctionType | None:
        """The type of the function with this index, or None if there is no such function."""
        imported = [one.type for one in self.imports if one.kind == "func"]
        if index < len(imported):
            return imported[index]
        index -= len(imported)
        return self.functions[index] if index < len(self.functions) else None

    def exported(self, name: str, kind: str) -> Export | None:
        """The first export of this name and kind."""
        return next((one for one in self.exports if one.name == name and one.kind == kind), None)


def parse(code: bytes) -> Binary:
    """What the module declares; `code` begins with magic and version, checked by the caller.

    Raises:
        BinaryError: where and how the bytes are not a module.
    """
    binary = Binary()
    for section, reader in sections(code):
        _read_section(section, reader, binary)
    if (declared := len(binary.functions)) != (defined := len(binary.bodies)):
        raise BinaryError(f"{declared} functions are declared, {defined} have code", len(code))
    return binary


def sections(code: bytes) -> Iterator[tuple[int, Reader]]:
    """The id of each section and a reader of its content, in order; `parse` says of what.

    Raises:
        BinaryError: a section is unknown, out of order, or not inside the module.
    """
    whole, last = Reader(code, len(MAGIC + VERSION), len(code)), -1
    while whole.at < whole.end:
        offset, section = whole.at, whole.byte()
        size = whole.u32()
        start = whole.skip(size)
        if section != 0:
            place = _SECTION_ORDER.get(section, -1)
            if place <= last:
                raise BinaryError(f"section {section} is unknown, repeated or out of order", offset)
            last = place
        yield section, Reader(code, start, whole.at)


def _read_section(section: int, reader: Reader, binary: Binary) -> None:
    match section:
        case 0:
            _read_custom(reader, binary)
        case 1:
            binary.types.extend(_type(reader) for _ in reader.turns())
        case 2:
            binary.imports.extend(_import(reader, binary.types) for _ in reader.turns())
        case 3:
            binary.functions.extend(_declaration(reader, binary.types) for _ in reader.turns())
        case 4:
            binary.tables.extend(_table(reader) for _ in reader.turns())
        case 5:
            binary.memories.extend(_extent(reader) for _ in reader.turns())
        case 7:
            binary.exports.extend(_export(reader) for _ in reader.turns())
        case 8:
            binary.start = reader.u32()
        case 10:
            binary.bodies.extend(_body(reader) for _ in reader.turns())
        case _:
            # Globals, elements, data and tags: the validator's, nothing here depends on them.
            reader.skip(reader.end - reader.at)
    reader.finish(f"section {section}")


def _read_custom(reader: Reader, binary: Binary) -> None:
    if len(binary.custom_sections) >= MAX_ENTRIES:
        raise TooManyError(f"more than {MAX_ENTRIES} custom sections", reader.at)
    binary.custom_sections.append(reader.name())
    reader.skip(reader.end - reader.at)


def _declaration(reader: Reader, types: list[FunctionType]) -> FunctionType:
    return _type_at(reader.u32(), types, reader)


def _value_type(reader: Reader) -> str:
    byte = reader.byte()
    try:
        return _VALUE_TYPES[byte]
    except KeyError:
        raise BinaryError(f"unsupported value type 0x{byte:02x}", reader.at - 1) from None


def _value_types(reader: Reader) -> tuple[str, ...]:
    count = reader.u32()
    if count > _MAX_ARITY:
        raise BinaryError(f"function type with {count} values, at most {_MAX_ARITY}", reader.at)
    return tuple(_value_type(reader) for _ in range(count))


def _type(reader: Reader) -> FunctionType:
    if (form := reader.byte()) != 0x60:
        raise BinaryError(f"unsupported type form 0x{form:02x}", reader.at - 1)
    return FunctionType(_value_types(reader), _value_types(reader))


def _type_at(index: int, types: list[FunctionType], reader: Reader) -> FunctionType:
    if index >= len(types):
        raise BinaryError(f"type {index} is used, {len(types)} are declared", reader.at)
    return types[index]


def _extent(reader: Reader) -> Extent:
    flags = reader.byte()
    if flags > 1:  # 2 and 3 are shared, 4 and above 64-bit or with pages of another size
        raise BinaryError(f"unsupported limits 0x{flags:02x}", reader.at - 1)
    return Extent(reader.u32(), reader.u32() if flags else None)


def _table(reader: Reader) -> Extent:
    if (element := reader.byte()) not in _REFERENCE_TYPES:
        raise BinaryError(f"unsupported table type 0x{element:02x}", reader.at - 1)
    return _extent(reader)


def _kind(reader: Reader) -> str:
    byte = reader.byte()
    if byte >= len(KINDS):
        raise BinaryError(f"unknown kind 0x{byte:02x}", reader.at - 1)
    return KINDS[byte]


def _import(reader: Reader, types: list[FunctionType]) -> Import:
    module, name, kind = reader.name(), reader.name(), _kind(reader)
    type_: FunctionType | None = None
    match kind:
        case "func":
            type_ = _type_at(reader.u32(), types, reader)
        case "table":
            _table(reader)
        case "memory":
            _extent(reader)
        case "global":
            _value_type(reader)
            reader.byte()
        case _:
            reader.byte()
            reader.u32()
    return Import(module, name, kind, type_)


def _export(reader: Reader) -> Export:
    return Export(reader.name(), _kind(reader), reader.u32())


def _body(reader: Reader) -> Body:
    size = reader.u32()
    start = reader.skip(size)
    body, count = Reader(reader.data, start, reader.at), 0
    for _ in body.turns():
        count += body.u32()
        _value_type(body)
    return Body(offset=start, size=size, locals=count, code=body.at)
