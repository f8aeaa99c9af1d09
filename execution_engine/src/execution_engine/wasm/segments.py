"""What a module sets up before it runs: constants, references in tables, bytes in memory.

The engine leaves these sections to its validator. Tlaxcala reads them to know which functions an
indirect call may reach, and whether everything has room where it is put at the start.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from execution_engine.reader import BinaryError, WasmReader
from execution_engine.wasm.binary import Binary
from execution_engine.wasm.reading import expect_end
from veracruz_utils.frozen import frozen

_GLOBALS, _ELEMENTS, _DATA = 6, 9, 11
_WORD: Final = 1 << 32
# i32.add, sub and mul, then those of i64: extended constant expressions (WebAssembly 3.0).
_ARITHMETIC: Final[dict[int, Callable[[int, int], int]]] = {
    0x6A: lambda left, right: left + right,
    0x6B: lambda left, right: left - right,
    0x6C: lambda left, right: left * right,
}
_LONG_ARITHMETIC: Final = frozenset({0x7C, 0x7D, 0x7E})


@frozen
class Segment:
    """Bytes of memory or elements of a table.

    Attributes:
        size: bytes, or elements.
        target: index of the memory or table it is put into at the start, or None.
        offset: where it is put there; None where that is nowhere or no plain number.
    """

    size: int
    target: int | None
    offset: int | None


@dataclass(slots=True)
class Setup:
    """All that is set up; `references` are the functions that may come to be in a table by it."""

    data: list[Segment] = field(default_factory=list)
    elements: list[Segment] = field(default_factory=list)
    references: set[int] = field(default_factory=set)


def read_setup(module: Binary) -> Setup:
    """What a valid module sets up.

    Raises:
        BinaryError: the module is not valid.
    """
    setup = Setup()
    reader = module.section(_GLOBALS)
    for _ in range(reader.u32()):
        reader.skip(2)  # its type, and whether it changes
        _constant(reader, setup.references)
    expect_end(reader, "section of globals")
    reader = module.section(_ELEMENTS)
    for _ in range(reader.u32()):
        setup.elements.append(_element_segment(reader, setup.references))
    expect_end(reader, "section of elements")
    reader = module.section(_DATA)
    for _ in range(reader.u32()):
        setup.data.append(_data_segment(reader))
    expect_end(reader, "section of data")
    return setup


def _data_segment(reader: WasmReader) -> Segment:
    flags = _flags(reader, most=2)
    target = offset = None
    if flags != 1:
        target = reader.u32() if flags == 2 else 0
        offset = _constant(reader, set())
    size = reader.u32()
    reader.skip(size)
    return Segment(size, target, offset)


def _element_segment(reader: WasmReader, references: set[int]) -> Segment:
    """Bit 0: not put anywhere at the start; bit 1: names its table and type; bit 2: expressions."""
    flags = _flags(reader, most=7)
    target = offset = None
    if not flags & 1:
        target = reader.u32() if flags & 2 else 0
        offset = _constant(reader, references)
    if flags & 3:
        reader.byte()  # the kind or the type of its elements
    size = reader.u32()
    for _ in range(size):
        if flags & 4:
            _constant(reader, references)
        else:
            references.add(reader.u32())
    return Segment(size, target, offset)


def _flags(reader: WasmReader, *, most: int) -> int:
    if (flags := reader.u32()) > most:
        raise BinaryError(f"unsupported segment {flags}", reader.at)
    return flags


def _constant(reader: WasmReader, references: set[int]) -> int | None:
    """The value of a constant expression as an unsigned i32, or None for any other type."""
    # A stack: None stands for a value that is only known when the module runs.
    values: list[int | None] = []
    while (opcode := reader.byte()) != 0x0B:
        if opcode in _ARITHMETIC or opcode in _LONG_ARITHMETIC:
            if len(values) < 2:
                raise BinaryError("operand missing", reader.at)
            right, left = values.pop(), values.pop()
            values.append(_computed(opcode, left, right))
        else:
            values.append(_operand(opcode, reader, references))
    return values[-1] if values else None


def _computed(opcode: int, left: int | None, right: int | None) -> int | None:
    if left is None or right is None or opcode in _LONG_ARITHMETIC:
        return None
    return _ARITHMETIC[opcode](left, right) % _WORD


def _operand(opcode: int, reader: WasmReader, references: set[int]) -> int | None:
    # In order: i32, i64, f32, f64.const; global.get; ref.null, ref.func; v128.const.
    match opcode:
        case 0x41:
            return _signed(reader) % _WORD
        case 0x42:
            _signed(reader)
        case 0x43:
            reader.skip(4)
        case 0x44:
            reader.skip(8)
        case 0x23:
            reader.u32()
        case 0xD0:
            reader.byte()
        case 0xD2:
            references.add(reader.u32())
        case 0xFD:
            reader.u32()
            reader.skip(16)
        case _:
            raise BinaryError(f"instruction 0x{opcode:02x} is not constant", reader.at - 1)
    return None


def _signed(reader: WasmReader) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = reader.byte()
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value - (1 << shift + 7) if byte & 0x40 else value
    raise BinaryError("number longer than ten bytes", reader.at)
