"""What a program may ask of its host and must offer it, held against what the compiler lists."""

from collections.abc import Iterable, Iterator
from typing import Final

from wasmtime import FuncType, Module

from execution_engine import _capi, abi
from execution_engine.abi import FunctionType
from execution_engine.errors import Problem, RefusalCode, refuse_first
from execution_engine.text import quoted
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen

_NONE: Final = ("", None)


@frozen
class Import:
    """Something the program wants from its host; `type` is set when it is a function."""

    module: str
    name: str
    kind: str
    type: FunctionType | None


@frozen
class ModuleSummary:
    """What a program that may run is.

    `entry` is the type of the function exported as `main`, whatever it is, or None without one: a
    module whose `entry` is not in `abi.ENTRY_TYPES` loads, and ends at its first run. A component
    imports functions of `world.INTERFACE`; its `entry` is given as that of a core module.
    """

    digest: Digest
    imports: tuple[Import, ...]
    entry: FunctionType | None
    has_initialize: bool = False
    component: bool = False

    @property
    def runnable(self) -> bool:
        """Whether `main` is there and of a type we call."""
        return self.entry in abi.ENTRY_TYPES


def check_module_interface(module: Module, digest: Digest) -> ModuleSummary:
    """The summary of a compiled module that imports only host calls and exports its memory.

    Raises:
        ModuleRefusedError: the first thing wrong with it.
    """
    imports = tuple(
        Import(one.module, one.name or "", *_kind_and_type(one.type)) for one in module.imports
    )
    exports = {one.name: _kind_and_type(one.type) for one in module.exports}
    has_memory = exports.get(abi.MEMORY, _NONE)[0] == "memory"
    refuse_first(module_interface_problems(imports, has_memory=has_memory))
    _, entry = exports.get(abi.ENTRY_POINT, _NONE)
    _, initializer = exports.get(abi.INITIALIZER, _NONE)
    return ModuleSummary(digest, imports, entry, initializer == abi.INITIALIZER_TYPE)


def module_interface_problems(imports: Iterable[Import], *, has_memory: bool) -> Iterator[Problem]:
    """What is wrong with a core module's imports, or that it exports no memory of its own."""
    for one in imports:
        name = f"{quoted(one.module)}.{quoted(one.name)}"
        call = abi.IMPORTS.get(one.name) if one.module == abi.MODULE else None
        if one.kind != "func":
            yield RefusalCode.IMPORT_KIND, f"{name} is a {one.kind}, the host gives functions only"
        elif call is None:
            yield RefusalCode.FORBIDDEN_IMPORT, f"{name} is not one of the host calls"
        elif one.type != call.type:
            detail = f"{name} is imported with type {one.type}, its type is {call.type}"
            yield RefusalCode.IMPORT_TYPE, detail
    if not has_memory:
        yield RefusalCode.NO_MEMORY, f"no memory of its own is exported as {abi.MEMORY!r}"


def _kind_and_type(found: object) -> tuple[str, FunctionType | None]:
    kind = type(found).__name__.removesuffix("Type").lower()
    return kind, _capi.function_type(found) if isinstance(found, FuncType) else None
