"""The shape of a core module: what of it would cost too much to compile, or to begin with."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from execution_engine.binary import Binary, Body
from execution_engine.errors import Refusal
from execution_engine.instructions import deeper_than, jumps_wider_than
from execution_engine.limits import PAGE_BYTES, EngineLimits
from execution_engine.reader import BinaryError

# What the compiler itself allows, the default target included.
_MAX_JUMP_TARGETS: Final = 65_520


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason not to run a module; `detail` names both sides."""

    code: Refusal
    detail: str


def memory_problems(declared: Binary, limits: EngineLimits) -> Iterator[Problem]:
    """Memory that is too large at first."""
    for memory in declared.memories:
        if (size := memory.minimum * PAGE_BYTES) > limits.memory_bytes:
            yield Problem(
                Refusal.MEMORY_SIZE,
                f"{size} bytes of memory at first, the limit is {limits.memory_bytes}",
            )


def table_problems(declared: Binary, limits: EngineLimits) -> Iterator[Problem]:
    """Tables that are too many or too large at first."""
    if (count := len(declared.tables)) > limits.tables:
        yield Problem(Refusal.TABLE_SIZE, f"{count} tables, the limit is {limits.tables}")
    for table in declared.tables:
        if table.minimum > limits.table_elements:
            yield Problem(
                Refusal.TABLE_SIZE,
                f"a table of {table.minimum} elements, the limit is {limits.table_elements}",
            )


def body_problems(code: bytes, declared: Binary, limits: EngineLimits) -> Iterator[Problem]:
    """Functions of a shape that would take the compiler too long."""
    for index, body in enumerate(declared.bodies, declared.imported("func")):
        if body.size > limits.function_bytes:
            yield Problem(
                Refusal.FUNCTION_SIZE,
                f"function {index} has {body.size} bytes, the limit is {limits.function_bytes}",
            )
        if body.locals > limits.locals:
            yield Problem(
                Refusal.LOCALS,
                f"function {index} has {body.locals} locals, the limit is {limits.locals}",
            )
        yield from _instruction_problems(index, body, code, limits)


def _instruction_problems(
    index: int, body: Body, code: bytes, limits: EngineLimits
) -> Iterator[Problem]:
    try:
        if deeper_than(limits.nesting, code, body):
            yield Problem(
                Refusal.NESTING, f"function {index} nests deeper than the limit, {limits.nesting}"
            )
        if jumps_wider_than(_MAX_JUMP_TARGETS, code, body):
            yield Problem(
                Refusal.JUMP_TABLE,
                f"function {index} jumps by a table of more than {_MAX_JUMP_TARGETS} targets",
            )
    except BinaryError as error:
        yield Problem(Refusal.MALFORMED, f"function {index}: {error}")
