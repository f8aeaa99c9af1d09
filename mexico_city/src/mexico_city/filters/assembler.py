"""A small assembler: rules about system calls, made into a program for seccomp (seccomp(2)).

A program sees a call's number, its architecture and its six arguments. Ours looks at the
architecture first, then goes through the rules: the first of a call's name decides. A call without
a rule meets the default.
"""

import errno
import struct
from collections.abc import Sequence
from typing import Final

from mexico_city.filters.numbers import Architecture
from veracruz_utils.frozen import frozen

ALLOW: Final = 0x7FFF0000
KILL: Final = 0x80000000
"""The whole process ends, by SIGSYS."""

# struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]; little-endian.
_NUMBER_AT: Final = 0
_ARCHITECTURE_AT: Final = 4
_ARGUMENTS_AT: Final = 16

# Of classic BPF, with operand k: load the word at k; jump if the accumulator is k, or at least k;
# and the accumulator with k; return k.
_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_AND: Final = 0x54
_RETURN: Final = 0x06

_Instruction = tuple[int, int, int, int]


def refuse(number: int = errno.EPERM) -> int:
    """The call is not made, and fails with this errno."""
    return 0x00050000 | number


@frozen
class Condition:
    """What must hold of an argument: its bits in `mask` are `value`.

    Of the 32 low bits, unless `high`: the arguments we look at are ints to the kernel, or flags of
    which it ignores the others. A pointer takes both halves.
    """

    argument: int
    mask: int
    value: int
    high: bool = False


def equal(argument: int, value: int) -> Condition:
    """The argument is this number."""
    return Condition(argument, 0xFFFFFFFF, value)


def without(argument: int, bits: int) -> Condition:
    """The argument has none of these bits."""
    return Condition(argument, bits, 0)


def null(argument: int) -> tuple[Condition, Condition]:
    """The argument is a null pointer."""
    return equal(argument, 0), Condition(argument, 0xFFFFFFFF, 0, high=True)


@frozen
class CallRule:
    """A call is allowed in any of these cases, each a list of conditions; else `otherwise` holds.

    Without cases it always meets `otherwise`.
    """

    call: str
    cases: tuple[tuple[Condition, ...], ...] = ()
    otherwise: int = refuse()


def allow(names: str) -> list[CallRule]:
    """A rule for each of these calls: it is allowed, whatever its arguments."""
    return [CallRule(name, otherwise=ALLOW) for name in names.split()]


def kill(names: str) -> list[CallRule]:
    """A rule for each of these calls: it ends the process."""
    return [CallRule(name, otherwise=KILL) for name in names.split()]


def assemble(
    rules: Sequence[CallRule], architecture: Architecture, *, default: int = refuse()
) -> bytes:
    """The program; a rule for a call that the architecture does not have is left out."""
    program: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture.audit),
        # A call of another table has other numbers: this one must not be held against ours.
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if architecture.foreign_from is not None:
        program += [(_AT_LEAST, 0, 1, architecture.foreign_from), (_RETURN, 0, 0, KILL)]
    for rule in rules:
        number = architecture.numbers.get(rule.call)
        if number is not None:
            body = _body(rule)
            program += [(_EQUAL, 0, len(body), number), *body]
    program.append((_RETURN, 0, 0, default))
    return b"".join(struct.pack("<HBBI", *each) for each in program)


def _body(rule: CallRule) -> list[_Instruction]:
    """What follows when the number fits; it returns on every path, so the number is not missed."""
    body: list[_Instruction] = []
    for case in rule.cases:
        body += _case(case)
    return [*body, (_RETURN, 0, 0, rule.otherwise)]


def _case(case: tuple[Condition, ...]) -> list[_Instruction]:
    """Allow if all conditions hold; jump behind this case if not."""
    body: list[_Instruction] = [(_RETURN, 0, 0, ALLOW)]
    for condition in reversed(case):
        at = _ARGUMENTS_AT + 8 * condition.argument + 4 * condition.high
        body = [
            (_LOAD, 0, 0, at),
            (_AND, 0, 0, condition.mask),
            (_EQUAL, 0, len(body), condition.value),
            *body,
        ]
    return body
