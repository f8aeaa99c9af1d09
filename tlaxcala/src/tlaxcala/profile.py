"""What a module is: its size and shape, what it may call, and what it says of its making."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from execution_engine.abi import (
    ENTRY_POINT,
    ENTRY_TYPES,
    EXIT,
    HOST_CALLS,
    INITIALIZER,
    INITIALIZER_TYPE,
    MODULE,
)
from execution_engine.limits import PAGE_BYTES
from execution_engine.wasm.binary import Binary, Extent
from execution_engine.wasm.custom_sections import CustomSections, read_custom_sections
from execution_engine.wasm.instructions import FunctionShape
from execution_engine.wasm.segments import Segment, Setup
from tlaxcala.callgraph import reached
from veracruz_utils.frozen import frozen


@frozen
class CodeProfile:
    """The functions of a module; the largest of each kind is what the limits are about.

    Attributes:
        functions: how many have code.
        size: bytes of their bodies.
        largest_function: bytes of the largest body.
        most_locals: of one function, without parameters.
        deepest_nesting: blocks inside one another.
        largest_jump_table: targets of one `br_table`.
        instructions: of all functions; each `else` and `end` is one.
        loops: of all functions.
        indirect_calls: places that call through a table.
    """

    functions: int
    size: int
    largest_function: int
    most_locals: int
    deepest_nesting: int
    largest_jump_table: int
    instructions: int
    loops: int
    indirect_calls: int


@frozen
class StorageProfile:
    """Memory and tables, imported ones among them: what they have to have at first.

    Attributes:
        memory_initial: bytes of linear memory at the start.
        memory_maximum: bytes it may grow to, or None where the module sets no bound.
        tables: how many there are.
        table_elements: of all tables at the start.
        data_segments: how many there are.
        data_size: bytes of all of them.
    """

    memory_initial: int
    memory_maximum: int | None
    tables: int
    table_elements: int
    data_segments: int
    data_size: int


@frozen
class CallProfile:
    """What may be called from where the engine enters the module; see `tlaxcala.callgraph`.

    Attributes:
        entries: exports that the engine calls: `main`, and `_initialize` of the right type.
        functions: how many of the functions that have code are reached.
        indirect_targets: how many functions indirect calls may reach, the host's among them.
        host_calls: host calls that are reached, without prefix, in order of the ABI.
        leaves: whether it exports `veracruz_exit`, and may leave from within with a code.
    """

    entries: tuple[str, ...]
    functions: int
    indirect_targets: int
    host_calls: tuple[str, ...]
    leaves: bool


@frozen
class ModuleProfile:
    """All of the above, of one module."""

    code: CodeProfile
    storage: StorageProfile
    calls: CallProfile
    custom_sections: CustomSections

    def as_json(self) -> dict[str, object]:
        """The profile as an object of JSON; the keys stay, for certificates hold them."""
        return {
            "code": asdict(self.code),
            "storage": asdict(self.storage),
            "calls": asdict(self.calls),
            "customs": asdict(self.custom_sections),
        }


def profile(declared: Binary, shapes: Sequence[FunctionShape], setup: Setup) -> ModuleProfile:
    """What a valid module is.

    Args:
        declared: the module.
        shapes: of each function that has code, in order.
        setup: what `read_setup` says of it.
    """
    references = setup.references.union(*(one.references for one in shapes))
    return ModuleProfile(
        code=_code(declared, shapes),
        storage=_storage(declared, setup.data),
        calls=_calls(declared, shapes, references),
        custom_sections=read_custom_sections(declared),
    )


def _code(declared: Binary, shapes: Sequence[FunctionShape]) -> CodeProfile:
    sizes = [body.size for body in declared.bodies]
    return CodeProfile(
        functions=len(sizes),
        size=sum(sizes),
        largest_function=max(sizes, default=0),
        most_locals=max((body.locals for body in declared.bodies), default=0),
        deepest_nesting=max((one.nesting for one in shapes), default=0),
        largest_jump_table=max((one.branch_targets for one in shapes), default=0),
        instructions=sum(one.instructions for one in shapes),
        loops=sum(one.loops for one in shapes),
        indirect_calls=sum(one.indirect_calls for one in shapes),
    )


def _storage(declared: Binary, data: Sequence[Segment]) -> StorageProfile:
    memory, tables = (*declared.extents("memory"), Extent(0, 0))[0], declared.extents("table")
    return StorageProfile(
        memory_initial=memory.minimum * PAGE_BYTES,
        memory_maximum=None if memory.maximum is None else memory.maximum * PAGE_BYTES,
        tables=len(tables),
        table_elements=sum(table.minimum for table in tables),
        data_segments=len(data),
        data_size=sum(segment.size for segment in data),
    )


def _calls(
    declared: Binary, shapes: Sequence[FunctionShape], references: Iterable[int]
) -> CallProfile:
    entries = dict(_entries(declared))
    seen = reached(declared, shapes, entries=entries.values(), references=references)
    imported = [one for one in declared.imports if one.kind == "func"]
    theirs = [imported[index] for index in seen.functions if index < len(imported)]
    names = {one.name for one in theirs if one.module == MODULE}
    return CallProfile(
        entries=tuple(entries),
        functions=sum(index >= len(imported) for index in seen.functions),
        indirect_targets=len(seen.indirectly),
        host_calls=tuple(call.name for call in HOST_CALLS if call.import_name in names),
        leaves=declared.exported(EXIT, "global") is not None,
    )


def _entries(declared: Binary) -> Iterator[tuple[str, int]]:
    """The exports that the engine calls, in the order in which it does."""
    for name, types in ((INITIALIZER, (INITIALIZER_TYPE,)), (ENTRY_POINT, ENTRY_TYPES)):
        export = declared.exported(name, "func")
        if export is not None and declared.function_type(export.index) in types:
            yield name, export.index
