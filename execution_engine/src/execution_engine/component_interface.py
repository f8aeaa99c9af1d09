"""What a component may import and must export, held against what the compiler lists."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from wasmtime import Engine
from wasmtime.component import (
    Component,
    ComponentInstanceType,
    FuncType,
    ListType,
    ResultType,
    ValType,
)

from execution_engine import abi, world
from execution_engine.abi import FunctionType
from execution_engine.errors import Problem, RefusalCode, refuse_first
from execution_engine.interface import Import, ModuleSummary
from execution_engine.text import quoted
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen

# Types of our world are not deeper; a hostile one may be deeper than Python's stack.
_DEEPEST: Final = 3


@frozen
class ComponentItem:
    """Something imported or exported: its sort (`func`, `instance`...), and its type in WIT.

    The type of an instance is that of each function it exports.
    """

    name: str
    sort: str
    type: str = ""
    functions: tuple[tuple[str, str], ...] = ()


def check_component_interface(
    engine: Engine, component: Component, digest: Digest
) -> ModuleSummary:
    """What a compiled component is, when it imports our interface alone and exports `main` alone.

    Raises:
        ModuleRefusedError: the first thing wrong with it.
    """
    with component.type as type_:
        imports = [_item(engine, name, one.ty) for name, one in type_.imports(engine).items()]
        exports = [_item(engine, name, one.ty) for name, one in type_.exports(engine).items()]
    refuse_first(interface_problems(imports, exports))
    return component_summary(imports, exports, digest)


def interface_problems(
    imports: Sequence[ComponentItem], exports: Sequence[ComponentItem]
) -> Iterator[Problem]:
    """What is wrong with what a component imports and exports."""
    for wanted in imports:
        yield from import_problems(wanted)
    has_main = False
    for export in exports:
        if export.name != abi.ENTRY_POINT:
            detail = f"{quoted(export.name)} is exported, only {abi.ENTRY_POINT!r} may be"
            yield RefusalCode.FORBIDDEN_EXPORT, detail
            continue
        has_main = True
        if export.type != world.MAIN_TYPE:
            detail = (
                f"{abi.ENTRY_POINT!r} is {quoted(export.type or export.sort)}, "
                f"it must be {world.MAIN_TYPE}"
            )
            yield RefusalCode.EXPORT_TYPE, detail
    if not has_main:
        yield RefusalCode.EXPORT_TYPE, f"no function is exported as {abi.ENTRY_POINT!r}"


def component_summary(
    imports: Iterable[ComponentItem], exports: Iterable[ComponentItem], digest: Digest
) -> ModuleSummary:
    """The summary of a component; the s32 that `main` returns is given as an i32."""
    types = (one.type for one in exports if one.name == abi.ENTRY_POINT)
    return ModuleSummary(
        digest,
        imports=tuple(
            Import(one.name, name, "func", None) for one in imports for name, _ in one.functions
        ),
        entry=FunctionType((), ("i32",)) if world.MAIN_TYPE in types else None,
        component=True,
    )


def import_problems(wanted: ComponentItem) -> Iterator[Problem]:
    """What is wrong with one thing that a component imports."""
    name = quoted(wanted.name)
    if wanted.name != world.INTERFACE:
        detail = f"{name} is imported, the host gives {world.INTERFACE} only"
        yield RefusalCode.FORBIDDEN_IMPORT, detail
    elif wanted.sort != "instance":
        yield RefusalCode.IMPORT_KIND, f"{name} is imported as a {wanted.sort}, it is an interface"
    for function, type_ in wanted.functions:
        ours = world.FUNCTIONS.get(function)
        if ours is None:
            yield RefusalCode.FORBIDDEN_IMPORT, f"{quoted(function)} is not one of the host calls"
        elif type_ != ours.type:
            detail = f"{function} is imported with type {quoted(type_)}, its type is {ours.type}"
            yield RefusalCode.IMPORT_TYPE, detail


def _item(engine: Engine, name: str, found: object) -> ComponentItem:
    if isinstance(found, FuncType):
        return ComponentItem(name, "func", _function_text(found))
    if not isinstance(found, ComponentInstanceType):
        return ComponentItem(name, "type")
    inner = [_item(engine, each, one.ty) for each, one in found.exports(engine).items()]
    functions = tuple((one.name, one.type or one.sort) for one in inner)
    return ComponentItem(name, "instance", functions=functions)


def _function_text(type_: FuncType) -> str:
    params = ", ".join(f"{name}: {_text(param, _DEEPEST)}" for name, param in type_.params)
    result = "" if type_.result is None else f" -> {_text(type_.result, _DEEPEST)}"
    return f"func({params}){result}"


def _text(type_: ValType | None, depth: int) -> str:
    """A type as WIT writes it; of what our world does not have, the name of its class."""
    match type_:
        case _ if depth == 0:
            return "..."
        case None:
            return "_"
        case ListType():
            return f"list<{_text(type_.element, depth - 1)}>"
        case ResultType():
            return f"result<{_text(type_.ok, depth - 1)}, {_text(type_.err, depth - 1)}>"
    return type(type_).__name__.lower()
