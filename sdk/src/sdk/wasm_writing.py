"""Writing the binary format: numbers, names, vectors and sections."""

from collections.abc import Iterable
from typing import Final

from execution_engine.abi import FunctionType
from execution_engine.reader import MAGIC, MODULE_VERSION

HEADER: Final = MAGIC + MODULE_VERSION
_VALUE_TYPES: Final = {"i32": 0x7F, "i64": 0x7E, "f32": 0x7D, "f64": 0x7C, "v128": 0x7B}
_REFERENCES: Final = {"funcref": 0x70, "externref": 0x6F}


def u32(value: int) -> bytes:
    """An unsigned number."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def signed(value: int) -> bytes:
    """A signed number, as constants are."""
    encoded = bytearray()
    while not -0x40 <= value < 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)


def sized(content: bytes) -> bytes:
    """Bytes behind their length."""
    return u32(len(content)) + content


def name(text: str) -> bytes:
    """Text behind its length."""
    return sized(text.encode())


def vector(items: Iterable[bytes]) -> bytes:
    """Items behind their number."""
    all_items = list(items)
    return u32(len(all_items)) + b"".join(all_items)


def section(number: int, content: bytes) -> bytes:
    """A section of this id."""
    return bytes([number]) + sized(content)


def function_type(type_: FunctionType) -> bytes:
    """The type of a function."""
    kinds = _VALUE_TYPES | _REFERENCES
    params, results = (bytes(kinds[each] for each in one) for one in (type_.params, type_.results))
    return b"\x60" + sized(params) + sized(results)


def function(*instructions: bytes) -> bytes:
    """A function's body without locals, behind its length."""
    return sized(b"\0" + b"".join(instructions) + b"\x0b")
