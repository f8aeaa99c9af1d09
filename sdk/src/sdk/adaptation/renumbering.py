"""Code with other numbers for the functions and globals it names.

Linking puts the functions of two modules behind one another, so that what code calls by a number
has another one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

from execution_engine.reader import WasmReader
from execution_engine.wasm.instructions import STEPS
from sdk.wasm_writing import u32
from veracruz_utils.frozen import frozen

_CALL, _TAIL_CALL, _END, _REFERENCE = 0x10, 0x12, 0x0B, 0xD2
_GLOBALS: Final = frozenset({0x23, 0x24})
_FUNCTIONS: Final = frozenset({_CALL, _TAIL_CALL, _REFERENCE})
MEMORY_SIZE: Final = 0x3F
MEMORY_GROW: Final = 0x40


@frozen
class Numbers:
    """The new numbers of what code names.

    Attributes:
        functions: of each function, by its old number.
        first_global: what is added to the number of a global.
        instead: the function that is called in place of an instruction of memory.
    """

    functions: Sequence[int]
    first_global: int = 0
    instead: Mapping[int, int] = field(default_factory=dict)

    def renumbered(self, code: bytes, start: int, end: int) -> bytes:
        """The instructions of `code[start:end]`.

        Raises:
            BinaryError: something in it is not an instruction that we know.
        """
        return self._copied(WasmReader(code, start, end), whole=True)

    def constant(self, reader: WasmReader) -> bytes:
        """The constant expression that comes next, with the `end` behind it.

        Raises:
            BinaryError: something in it is not an instruction that we know.
        """
        return self._copied(reader, whole=False)

    def _copied(self, reader: WasmReader, *, whole: bool) -> bytes:
        code, parts, copied = reader.data, [], reader.at
        functions, first_global, instead, steps = (
            self.functions, self.first_global, self.instead, STEPS,
        )  # fmt: skip
        while reader.at < reader.end:
            at = reader.at
            opcode = reader.byte()
            step = steps[opcode]
            if step is None:
                continue
            value = step(reader)
            if opcode in _FUNCTIONS:
                new = bytes([opcode]) + u32(functions[value])
            elif opcode in instead:
                new = bytes([_CALL]) + u32(instead[opcode])
            elif first_global and opcode in _GLOBALS:
                new = bytes([opcode]) + u32(value + first_global)
            elif opcode == _END and not whole:
                break
            else:
                continue
            parts += [code[copied:at], new]
            copied = reader.at
        parts.append(code[copied : reader.at])
        return b"".join(parts)
