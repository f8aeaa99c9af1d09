"""A component without its code: what is left is validated by compiling it, which is quick.

There is no validator of components apart from the compiler, and to compile an interpreter takes ten
seconds. The bodies of core functions are validated by themselves; with each replaced by a trap, the
compiler has only the rest of the component to look at.
"""

from typing import Final

from wasmtime import WasmtimeError
from wasmtime.component import Component

from execution_engine.reader import HEADER_BYTES, sections
from execution_engine.strategy import EngineSettings, make_engine
from execution_engine.text import sanitised
from veracruz_utils.policy import Strategy

_CUSTOM, _CODE = 0, 10
_CORE_MODULE: Final = 1
_TRAP: Final = b"\x03\x00\x00\x0b"
"""A body of three bytes: no locals, unreachable, end."""


def error_outside_code(code: bytes) -> str | None:
    """The validator's error for a component with valid core modules, or None."""
    settings = EngineSettings(Strategy.JIT, component=True)
    with make_engine(settings) as engine:
        try:
            Component(engine, _skeleton(code)).close()
        except WasmtimeError as error:
            return sanitised(error)
    return None


def _skeleton(code: bytes) -> bytes:
    parts = [code[:HEADER_BYTES]]
    for offset, section, content in sections(code, 0, len(code)):
        if section == _CORE_MODULE:
            parts.append(_section(section, _without_code(code[content.at : content.end])))
        else:
            parts.append(code[offset : content.end])
    return b"".join(parts)


def _without_code(module: bytes) -> bytes:
    parts = [module[:HEADER_BYTES]]
    for offset, section, content in sections(module, 0, len(module)):
        if section == _CODE:
            count = content.u32()
            # As many bodies as before: the format wants one for each function declared.
            parts.append(_section(section, _leb128(count) + _TRAP * count))
        elif section != _CUSTOM:
            parts.append(module[offset : content.end])
    return b"".join(parts)


def _section(number: int, content: bytes) -> bytes:
    return bytes((number,)) + _leb128(len(content)) + content


def _leb128(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(0x80 | (number & 0x7F))
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
