"""A function's instructions, as far as they show its shape.

`function_shape` walks over one body and says how deep it nests, where it branches and what it
calls, without judging types: that is the validator's. Whatever is not an instruction of the
supported features is an error. Walking is slow (some million instructions a second), so
`FunctionShapes` walks over each function once at most, and `deeper_than` counts the bytes that
could open a block first, which is fast and almost always enough.
"""

import re
from collections.abc import Callable
from typing import Final

from execution_engine.reader import BinaryError, WasmReader
from execution_engine.wasm.binary import Binary, Body
from veracruz_utils.frozen import frozen

_OPENERS: Final = (b"\x02", b"\x03", b"\x04")
_LAST_VECTOR_OPCODE: Final = 0xFF
# br_table with a number of three bytes or more: 16 384 targets at least.
_LARGE_JUMP: Final = re.compile(rb"\x0e[\x80-\xff]{2}")

# Steps over an instruction's immediates; the number is an index or a count where there is one.
_Step = Callable[[WasmReader], int]


@frozen
class FunctionShape:
    """The shape of one function.

    Attributes:
        instructions: how many there are.
        nesting: blocks inside one another, at most.
        loops: how many loops there are.
        branch_targets: targets of its largest jump table.
        calls: indexes of the functions it calls directly.
        indirect_calls: how many calls go through a table.
        indirect_types: indexes of the types that those calls expect.
        references: indexes of the functions it takes references of.
    """

    instructions: int
    nesting: int
    loops: int
    branch_targets: int
    calls: frozenset[int]
    indirect_calls: int
    indirect_types: frozenset[int]
    references: frozenset[int]


def function_shape(code: bytes, body: Body) -> FunctionShape:
    """The shape of the function with this body.

    Raises:
        BinaryError: something in it is not an instruction that we know.
    """
    reader = WasmReader(code, body.code, body.offset + body.size)
    instructions = depth = nesting = loops = targets = indirect = 0
    calls: set[int] = set()
    types: set[int] = set()
    references: set[int] = set()
    while reader.at < reader.end:
        opcode = reader.byte()
        instructions += 1
        step = STEPS[opcode]
        if step is None:
            continue
        value = step(reader)
        match opcode:
            case 0x02 | 0x03 | 0x04:
                depth += 1
                nesting = max(nesting, depth)
                loops += opcode == 0x03
            case 0x0B:
                depth -= 1
            case 0x0E:
                targets = max(targets, value)
            case 0x10 | 0x12:  # in place of a return, too
                calls.add(value)
            case 0x11 | 0x13:
                indirect += 1
                types.add(value)
            case 0xD2:
                references.add(value)
    return FunctionShape(
        instructions,
        nesting,
        loops,
        targets,
        frozenset(calls),
        indirect,
        frozenset(types),
        frozenset(references),
    )


class FunctionShapes:
    """The shapes of a module's functions, in order; each is walked over when it is asked for."""

    def __init__(self, module: Binary) -> None:
        self._module = module
        self._known: dict[int, FunctionShape] = {}

    def __getitem__(self, place: int) -> FunctionShape:
        """The shape of a function; `place` counts those that have code.

        Raises:
            BinaryError: something in it is not an instruction that we know.
        """
        if place not in self._known:
            self._known[place] = function_shape(self._module.code, self._module.bodies[place])
        return self._known[place]

    def all(self) -> list[FunctionShape]:
        """The shape of every function.

        Raises:
            BinaryError: as for one of them.
        """
        return [self[place] for place in range(len(self._module.bodies))]

    def deeper_than(self, limit: int, place: int) -> bool:
        """Whether blocks nest deeper than `limit` in this function.

        Raises:
            BinaryError: as for its shape, if it has enough bytes that look like blocks.
        """
        code, body = self._module.code, self._module.bodies[place]
        end = body.offset + body.size
        if sum(code.count(opener, body.code, end) for opener in _OPENERS) <= limit:
            return False
        return self[place].nesting > limit

    def jumps_wider_than(self, limit: int, place: int) -> bool:
        """Whether a jump table has more than `limit` targets, which is at least 16 384.

        Raises:
            BinaryError: as for its shape, if it has bytes that look like such a jump table.
        """
        code, body = self._module.code, self._module.bodies[place]
        if body.size <= limit or not _LARGE_JUMP.search(code, body.code, body.offset + body.size):
            return False
        return self[place].branch_targets > limit


def _unknown(reader: WasmReader) -> int:
    raise BinaryError("unsupported instruction", reader.at - 1)


def _nothing(_reader: WasmReader) -> int:
    return 0


def _one(reader: WasmReader) -> int:
    return reader.u32()


def _two(reader: WasmReader) -> int:
    reader.u32()
    return reader.u32()


def _indirect_call(reader: WasmReader) -> int:
    type_index = reader.u32()
    reader.u32()
    return type_index


def _signed(reader: WasmReader) -> int:
    for _ in range(10):  # of 64 bits at most
        if reader.byte() < 0x80:
            return 0
    raise BinaryError("number longer than ten bytes", reader.at)


def _bytes(size: int) -> _Step:
    return lambda reader: reader.skip(size)


def _lane_access(reader: WasmReader) -> int:
    _two(reader)
    return reader.byte()


def _jump_table(reader: WasmReader) -> int:
    count = reader.u32()
    # A target takes a byte at least: a false count is refused before we loop over it.
    if count >= reader.end - reader.at:
        raise BinaryError(f"jump table of {count} targets reaches past the end", reader.at)
    for _ in range(count + 1):
        reader.u32()
    return count + 1


def _typed_select(reader: WasmReader) -> int:
    return reader.skip(reader.u32())


def _prefixed(steps: dict[int, _Step], last: int) -> _Step:
    """For opcodes of two parts: by the second, where none is given nothing follows."""

    def step(reader: WasmReader) -> int:
        opcode = reader.u32()
        if opcode > last:
            raise BinaryError(f"unsupported instruction {opcode}", reader.at)
        return steps.get(opcode, _nothing)(reader)

    return step


def _spread(*ranges: tuple[int, int, _Step]) -> dict[int, _Step]:
    return {opcode: step for first, last, step in ranges for opcode in range(first, last + 1)}


_BULK: Final = _prefixed(
    {8: _two, 9: _one, 10: _two, 11: _one, 12: _two, 13: _one, 14: _two} | _spread((15, 17, _one)),
    17,
)
_VECTOR: Final = _prefixed(
    _spread(
        (0, 11, _two),
        (12, 13, _bytes(16)),
        (21, 34, _bytes(1)),
        (84, 91, _lane_access),
        (92, 93, _two),
    ),
    _LAST_VECTOR_OPCODE,
)


def _steps() -> tuple[_Step | None, ...]:
    """By opcode; None where nothing follows and nothing is to be noted."""
    plain = {0x00, 0x01, 0x05, 0x0F, 0x1A, 0x1B, 0xD1, *range(0x45, 0xC5)}
    steps = _spread(
        (0x02, 0x04, _signed),
        (0x0B, 0x0B, _nothing),
        (0x0C, 0x0D, _one),
        (0x0E, 0x0E, _jump_table),
        (0x10, 0x10, _one),
        (0x11, 0x11, _indirect_call),
        (0x12, 0x12, _one),
        (0x13, 0x13, _indirect_call),
        (0x1C, 0x1C, _typed_select),
        (0x20, 0x26, _one),
        (0x28, 0x3E, _two),
        (0x3F, 0x40, _one),
        (0x41, 0x42, _signed),
        (0x43, 0x43, _bytes(4)),
        (0x44, 0x44, _bytes(8)),
        (0xD0, 0xD0, _bytes(1)),
        (0xD2, 0xD2, _one),
        (0xFC, 0xFC, _BULK),
        (0xFD, 0xFD, _VECTOR),
    )
    return tuple(
        None if opcode in plain else steps.get(opcode, _unknown) for opcode in range(0x100)
    )


STEPS: Final = _steps()
"""By opcode: what steps over an instruction's immediates, or None where it has none that matter."""
