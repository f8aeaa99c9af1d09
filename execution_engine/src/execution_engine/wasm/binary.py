"""The WebAssembly binary format: what a module declares.

`parse` walks over the sections once. It reads those that say what a module asks for and offers
(types, imports, functions, tables, memories, exports, start, and the head of each body), and says
where the others are: `segments`, `custom_sections` and `instructions` read those. It is strict
where it looks: every length inside its enclosing one, every number within 32 bits, every vector
bounded before it is read, sections once and in order. It does not replace the validator, which
runs after it.
"""

from dataclasses import dataclass, field
from typing import Final

from execution_engine.abi import FunctionType
from execution_engine.interface import Import
from execution_engine.reader import MAX_ENTRIES, BinaryError, TooManyError, WasmReader, sections
from execution_engine.static_limits import ModuleSizes
from execution_engine.wasm.reading import expect_end, read_name
from veracruz_utils.frozen import frozen

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
# The limit on parameters and results in the JavaScript interface, which engines share.
_MAX_ARITY: Final = 1000
# Section ids in the order the standard gives them; 0 (custom) may stand anywhere.
_SECTION_ORDER: Final = {
    section: place for place, section in enumerate((1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11))
}


@frozen
class Export:
    """Something the module offers; `index` counts in the index space of its kind."""

    name: str
    kind: str
    index: int


@frozen
class Extent:
    """The size of a table (elements) or memory (64 KiB pages) at first, and at most."""

    minimum: int
    maximum: int | None


@frozen
class Body:
    """One function: where its body is in the module, its locals, and where its code begins."""

    offset: int
    size: int
    locals: int
    code: int


@frozen
class CustomSection:
    """A section that means nothing to the engine: its name, and where its content is."""

    name: str
    start: int
    end: int


@dataclass(slots=True)
class Binary:
    """What a module declares; indexes count imports first, as the format does.

    `imported_extents` are the kinds of imported tables and memories, and the sizes that they have
    to have; `places` says by its id where the content of each section is that is not custom.
    """

    code: bytes
    types: list[FunctionType] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    functions: list[FunctionType] = field(default_factory=list)
    tables: list[Extent] = field(default_factory=list)
    memories: list[Extent] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    custom_sections: list[CustomSection] = field(default_factory=list)
    imported_extents: list[tuple[str, Extent]] = field(default_factory=list)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    start: int | None = None

    def extents(self, kind: str) -> list[Extent]:
        """The sizes of all tables or memories (`kind`), by index."""
        own = self.tables if kind == "table" else self.memories
        return [extent for of, extent in self.imported_extents if of == kind] + own

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

    def section(self, number: int) -> WasmReader:
        """A reader of this section's content, which is an empty vector where there is none."""
        if number not in self.places:
            return WasmReader(b"\0", 0, 1)
        return WasmReader(self.code, *self.places[number])

    def sizes(self) -> ModuleSizes:
        """What the limits are about."""
        return ModuleSizes(
            start=self.start,
            memories=[memory.minimum for memory in self.memories],
            tables=[table.minimum for table in self.tables],
            bodies=[(body.size, body.locals) for body in self.bodies],
        )

    def exported(self, name: str, kind: str) -> Export | None:
        """The first export of this name and kind."""
        return next((one for one in self.exports if one.name == name and one.kind == kind), None)


def parse(code: bytes) -> Binary:
    """What the module declares; `code` begins with magic and version, checked by the caller.

    Raises:
        BinaryError: where and how the bytes are not a module.
    """
    binary, last = Binary(code), -1
    for offset, section, reader in sections(code, 0, len(code)):
        if section == 0:
            _read_custom(reader, binary)
            continue
        place = _SECTION_ORDER.get(section, -1)
        if place <= last:
            raise BinaryError(f"section {section} is unknown, repeated or out of order", offset)
        last = place
        binary.places[section] = reader.at, reader.end
        _read_section(section, reader, binary)
    # Whoever pairs types with bodies by their place must not run past the shorter list.
    if (declared := len(binary.functions)) != (defined := len(binary.bodies)):
        raise BinaryError(f"{declared} functions are declared, {defined} have code", len(code))
    return binary


def _read_section(section: int, reader: WasmReader, binary: Binary) -> None:
    match section:
        case 1:
            binary.types.extend(_type(reader) for _ in reader.vector())
        case 2:
            binary.imports.extend(_import(reader, binary) for _ in reader.vector())
        case 3:
            binary.functions.extend(_declaration(reader, binary.types) for _ in reader.vector())
        case 4:
            binary.tables.extend(_table(reader) for _ in reader.vector())
        case 5:
            binary.memories.extend(_extent(reader) for _ in reader.vector())
        case 7:
            binary.exports.extend(_export(reader) for _ in reader.vector())
        case 8:
            binary.start = reader.u32()
        case 10:
            binary.bodies.extend(_body(reader) for _ in reader.vector())
        case _:  # globals, elements, data and tags: nothing here depends on them
            return
    expect_end(reader, f"section {section}")


def _read_custom(reader: WasmReader, binary: Binary) -> None:
    if len(binary.custom_sections) >= MAX_ENTRIES:
        raise TooManyError(f"more than {MAX_ENTRIES} custom sections", reader.at)
    binary.custom_sections.append(CustomSection(read_name(reader), reader.at, reader.end))


def _declaration(reader: WasmReader, types: list[FunctionType]) -> FunctionType:
    return _type_at(reader.u32(), types, reader)


def _value_type(reader: WasmReader) -> str:
    byte = reader.byte()
    try:
        return _VALUE_TYPES[byte]
    except KeyError:
        raise BinaryError(f"unsupported value type 0x{byte:02x}", reader.at - 1) from None


def _value_types(reader: WasmReader) -> tuple[str, ...]:
    count = reader.u32()
    if count > _MAX_ARITY:
        raise BinaryError(f"function type with {count} values, at most {_MAX_ARITY}", reader.at)
    return tuple(_value_type(reader) for _ in range(count))


def _type(reader: WasmReader) -> FunctionType:
    if (form := reader.byte()) != 0x60:
        raise BinaryError(f"unsupported type form 0x{form:02x}", reader.at - 1)
    return FunctionType(_value_types(reader), _value_types(reader))


def _type_at(index: int, types: list[FunctionType], reader: WasmReader) -> FunctionType:
    if index >= len(types):
        raise BinaryError(f"type {index} is used, {len(types)} are declared", reader.at)
    return types[index]


def _extent(reader: WasmReader) -> Extent:
    flags = reader.byte()
    if flags > 1:  # 2 and 3 are shared, 4 and above 64-bit or with pages of another size
        raise BinaryError(f"unsupported limits 0x{flags:02x}", reader.at - 1)
    return Extent(reader.u32(), reader.u32() if flags else None)


def _table(reader: WasmReader) -> Extent:
    if (element := reader.byte()) not in _REFERENCE_TYPES:
        raise BinaryError(f"unsupported table type 0x{element:02x}", reader.at - 1)
    return _extent(reader)


def _kind(reader: WasmReader) -> str:
    byte = reader.byte()
    if byte >= len(KINDS):
        raise BinaryError(f"unknown kind 0x{byte:02x}", reader.at - 1)
    return KINDS[byte]


def _import(reader: WasmReader, binary: Binary) -> Import:
    module, name, kind = read_name(reader), read_name(reader), _kind(reader)
    type_: FunctionType | None = None
    match kind:
        case "func":
            type_ = _type_at(reader.u32(), binary.types, reader)
        case "table":
            binary.imported_extents.append((kind, _table(reader)))
        case "memory":
            binary.imported_extents.append((kind, _extent(reader)))
        case "global":
            _value_type(reader)
            reader.byte()
        case _:
            reader.byte()
            reader.u32()
    return Import(module, name, kind, type_)


def _export(reader: WasmReader) -> Export:
    return Export(read_name(reader), _kind(reader), reader.u32())


def _body(reader: WasmReader) -> Body:
    body, count = reader.part(), 0
    start, size = body.at, body.end - body.at
    for _ in body.vector():
        # Locals are counted by runs: a few bytes declare four billion, which the limits refuse.
        count += body.u32()
        _value_type(body)
    return Body(offset=start, size=size, locals=count, code=body.at)
