"""Which components we run: the checks that come before compiling.

The outline of a component is looked at on every load. Its core modules, which an interpreter's
component has ten thousand functions in, are looked at before they are compiled; code that is kept
says what its program was held to (`EngineSettings.shape`).
"""

from collections.abc import Iterator
from typing import Final

from wasmtime import Engine, Module, WasmtimeError

from execution_engine import abi, binary, component_binary, world
from execution_engine.abi import FunctionType
from execution_engine.binary import Binary, Export, Import
from execution_engine.component_binary import Outline, PartError
from execution_engine.component_skeleton import fault_outside_code
from execution_engine.errors import ModuleRefusedError, Refusal
from execution_engine.limits import EngineLimits
from execution_engine.reader import BinaryError, TooManyError
from execution_engine.shape import Problem, body_problems, memory_problems, table_problems
from execution_engine.text import quoted, sanitised

# Of a component's core modules and their instances: an interpreter with its libraries has forty.
MAX_MODULES: Final = 200
MAX_INSTANCES: Final = 200
MAX_CANONS: Final = 2000


def is_component(code: bytes) -> bool:
    """Whether the bytes begin as those of a component."""
    return code[:8] == binary.MAGIC + component_binary.VERSION


def read_component(code: bytes, *, limits: EngineLimits) -> Outline:
    """The outline of a component of bearable size.

    Raises:
        ModuleRefusedError: it is none, or has a part that no component of our world has.
    """
    if len(code) > limits.module_bytes:
        raise ModuleRefusedError(
            Refusal.TOO_LARGE,
            f"{len(code)} bytes, the limit is {limits.module_bytes}: "
            "a policy sets it as program_bytes",
        )
    try:
        return component_binary.parse(code)
    except TooManyError as error:
        raise ModuleRefusedError(Refusal.TOO_MANY_ENTRIES, str(error)) from error
    except PartError as error:
        raise ModuleRefusedError(Refusal.FORBIDDEN_PART, str(error)) from error
    except BinaryError as error:
        raise ModuleRefusedError(Refusal.MALFORMED, str(error)) from error


def outline_problems(outline: Outline) -> Iterator[Problem]:
    """What is wrong with what a component imports and exports."""
    if len(outline.imports) > 1:
        yield Problem(Refusal.FORBIDDEN_IMPORT, f"{len(outline.imports)} imports, we give one")
    for wanted in outline.imports:
        yield from _import_problems(wanted)
    yield from _export_problems(outline)
    for count, most, what in (
        (len(outline.modules), MAX_MODULES, "core modules"),
        (outline.instances, MAX_INSTANCES, "instances of core modules"),
        (outline.canons, MAX_CANONS, "canonical functions"),
    ):
        if count > most:
            yield Problem(Refusal.TOO_MANY_ENTRIES, f"{count} {what}, at most {most}")


def inner_problems(
    engine: Engine, code: bytes, outline: Outline, limits: EngineLimits
) -> Iterator[Problem]:
    """What is wrong inside a component whose outline is right; `engine` is one for core modules."""
    found = False
    for problem in core_problems(engine, code, outline, limits):
        found = True
        yield problem
    if not found and (fault := fault_outside_code(code)) is not None:
        yield Problem(Refusal.INVALID, fault)


def core_problems(
    engine: Engine, code: bytes, outline: Outline, limits: EngineLimits
) -> Iterator[Problem]:
    """What is wrong with each core module by itself, and with all of them together."""
    memories = tables = 0
    for start, size in outline.modules:
        module = code[start : start + size]
        try:
            declared = binary.parse(module) if module[4:8] == binary.VERSION else None
        except TooManyError as error:
            yield Problem(Refusal.TOO_MANY_ENTRIES, f"core module at {start}: {error}")
            continue
        except BinaryError as error:
            yield Problem(Refusal.MALFORMED, f"core module at {start}: {error}")
            continue
        if declared is None:
            yield Problem(Refusal.MALFORMED, f"at {start} is no core module of version 1")
            continue
        yield from _module_problems(engine, module, declared, limits)
        memories, tables = memories + len(declared.memories), tables + len(declared.tables)
    if memories > 1:
        yield Problem(Refusal.MEMORY_SIZE, f"{memories} memories, the limit is 1")
    if tables > limits.tables:
        yield Problem(Refusal.TABLE_SIZE, f"{tables} tables, the limit is {limits.tables}")


def imports_of(outline: Outline) -> tuple[Import, ...]:
    """The functions of our interface that a component imports."""
    return tuple(
        Import(one.name, name, "func", None) for one in outline.imports for name, _ in one.functions
    )


def exports_of(outline: Outline) -> tuple[Export, ...]:
    """What a component exports; places in the list stand for indexes."""
    return tuple(Export(one.name, one.sort, at) for at, one in enumerate(outline.exports))


def entry_of(outline: Outline) -> FunctionType | None:
    """What `main` is once its s32 is an i32, when it is exported as our world has it."""
    found = (one.type for one in outline.exports if one.name == abi.ENTRY_POINT)
    return FunctionType((), ("i32",)) if world.MAIN_TYPE in found else None


def _import_problems(wanted: component_binary.Item) -> Iterator[Problem]:
    name = quoted(wanted.name)
    if wanted.name != world.INTERFACE:
        yield Problem(
            Refusal.FORBIDDEN_IMPORT, f"{name} is imported, we give {world.INTERFACE} alone"
        )
    elif wanted.sort != "instance":
        yield Problem(Refusal.IMPORT_KIND, f"{name} is a {wanted.sort}, it is an interface")
    else:
        for function, type_ in wanted.functions:
            yield from _function_problems(function, type_)


def _function_problems(name: str, type_: str) -> Iterator[Problem]:
    ours = world.FUNCTIONS.get(name)
    if ours is None:
        yield Problem(Refusal.FORBIDDEN_IMPORT, f"{quoted(name)} is none of our host calls")
    elif type_ != ours.type:
        yield Problem(
            Refusal.IMPORT_TYPE, f"{name} is wanted as {quoted(type_)}, it is {ours.type}"
        )


def _export_problems(outline: Outline) -> Iterator[Problem]:
    found = False
    for export in outline.exports:
        if export.name != abi.ENTRY_POINT:
            yield Problem(
                Refusal.FORBIDDEN_EXPORT,
                f"{quoted(export.name)} is exported, {abi.ENTRY_POINT!r} alone must be",
            )
        elif export.type != world.MAIN_TYPE:
            found = True
            yield Problem(
                Refusal.EXPORT_TYPE,
                f"{abi.ENTRY_POINT!r} is {quoted(export.type or export.sort)}, "
                f"it must be {world.MAIN_TYPE}",
            )
        else:
            found = True
    if not found:
        yield Problem(Refusal.EXPORT_TYPE, f"no function is exported as {abi.ENTRY_POINT!r}")


def _module_problems(
    engine: Engine, module: bytes, declared: Binary, limits: EngineLimits
) -> Iterator[Problem]:
    if declared.start is not None:
        yield Problem(Refusal.START_SECTION, f"a core module starts function {declared.start}")
    yield from memory_problems(declared, limits)
    yield from table_problems(declared, limits)
    yield from body_problems(module, declared, limits)
    try:
        Module.validate(engine, module)
    except WasmtimeError as error:
        yield Problem(Refusal.INVALID, sanitised(error))
