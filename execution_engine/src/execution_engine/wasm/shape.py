"""The shape of functions that would take the compiler too long, or that it does not take."""

from collections.abc import Iterator
from typing import Final

from execution_engine.errors import Problem, RefusalCode
from execution_engine.limits import EngineLimits
from execution_engine.reader import BinaryError
from execution_engine.wasm.binary import Binary
from execution_engine.wasm.instructions import FunctionShapes

# What the compiler itself allows, the default target included.
_MAX_JUMP_TARGETS: Final = 65_520


def shape_problems(
    module: Binary, shapes: FunctionShapes, limits: EngineLimits
) -> Iterator[Problem]:
    """Functions that nest too deep, or jump by a table that is too large."""
    imported = module.imported("func")
    for place in range(len(module.bodies)):
        index = place + imported
        try:
            if shapes.deeper_than(limits.nesting, place):
                detail = f"function {index} nests deeper than the limit, {limits.nesting}"
                yield RefusalCode.NESTING, detail
            if shapes.jumps_wider_than(_MAX_JUMP_TARGETS, place):
                detail = (
                    f"function {index} jumps by a table of more than {_MAX_JUMP_TARGETS} targets"
                )
                yield RefusalCode.JUMP_TABLE, detail
        except BinaryError as error:
            yield RefusalCode.MALFORMED, f"function {index}: {error}"
