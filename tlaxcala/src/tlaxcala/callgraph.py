"""Which functions a program may reach from where the engine enters it.

Direct calls are followed exactly. Of an indirect call only the type is known: it is taken to reach
every function of that type to which the module has a reference anywhere, in a table, a segment, a
global or an instruction. The answer may so be too large, and is never too small: in the supported
features no other function can come to be in a table, and the host puts none there.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from execution_engine.abi import FunctionType
from execution_engine.wasm.binary import Binary
from execution_engine.wasm.instructions import FunctionShape
from veracruz_utils.frozen import frozen


@frozen
class Reached:
    """The functions reached, by index; imported ones count first.

    Attributes:
        functions: those that may be called, the entries among them.
        indirectly: those of them that an indirect call may reach.
    """

    functions: frozenset[int]
    indirectly: frozenset[int]


def reached(
    declared: Binary,
    shapes: Sequence[FunctionShape],
    *,
    entries: Iterable[int],
    references: Iterable[int],
) -> Reached:
    """What may be called from `entries`.

    Args:
        declared: the module.
        shapes: of each function that has code, in order.
        entries: indexes of the functions that the engine calls.
        references: indexes of the functions that may be in a table.
    """
    by_type = _by_type(declared, references)
    imported = declared.imported("func")
    found: set[int] = set()
    indirectly: set[int] = set()
    called: set[FunctionType] = set()
    waiting = list(entries)
    while waiting:
        function = waiting.pop()
        if function in found:
            continue
        found.add(function)
        if function < imported:
            continue
        shape = shapes[function - imported]
        waiting.extend(shape.calls)
        for type_ in {declared.types[index] for index in shape.indirect_types} - called:
            called.add(type_)
            indirectly.update(by_type[type_])
            waiting.extend(by_type[type_])
    return Reached(frozenset(found), frozenset(indirectly))


def _by_type(declared: Binary, references: Iterable[int]) -> Mapping[FunctionType, list[int]]:
    found: defaultdict[FunctionType, list[int]] = defaultdict(list)
    types = [one.type for one in declared.imports if one.kind == "func"] + declared.functions
    for function in references:
        if (type_ := types[function]) is not None:
            found[type_].append(function)
    return found
