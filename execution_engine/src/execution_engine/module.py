"""Which modules we run: the checks that come before compiling.

`check_module` raises the first thing wrong with a module, `examine` lists all of them. Both take
them from one generator, so that what Tlaxcala certifies is what the engine loads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wasmtime import Engine, Module, WasmtimeError

from execution_engine import abi, binary
from execution_engine.abi import FunctionType
from execution_engine.binary import Binary, Export, Import
from execution_engine.component import (
    core_problems,
    entry_of,
    exports_of,
    imports_of,
    inner_problems,
    is_component,
    outline_problems,
    read_component,
)
from execution_engine.component_binary import Outline
from execution_engine.errors import ModuleRefusedError, Refusal
from execution_engine.limits import EngineLimits
from execution_engine.reader import BinaryError, TooManyError
from execution_engine.shape import Problem, body_problems, memory_problems, table_problems
from execution_engine.strategy import EngineSettings, make_engine
from execution_engine.text import quoted, sanitised
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Strategy

# For what is the same in all of them: which modules are valid.
_ANY_ENGINE: Final = EngineSettings(Strategy.JIT)


@dataclass(frozen=True, slots=True)
class ModuleSummary:
    """What a module that may run is.

    `entry` is the type of the function exported as `main`, whatever it is, or None without one: a
    module whose `entry` is not in `abi.ENTRY_TYPES` loads, and ends at its first run. A component
    imports functions of `world.INTERFACE`; its `entry` is told as that of a core module.
    """

    digest: Digest
    size: int
    imports: tuple[Import, ...]
    exports: tuple[Export, ...]
    entry: FunctionType | None
    has_initialize: bool
    component: bool = False

    @property
    def runnable(self) -> bool:
        """Whether `main` is there and of a type we call."""
        return self.entry in abi.ENTRY_TYPES


@dataclass(frozen=True, slots=True)
class Examination:
    """All there is to say about a module.

    `summary` is None for bytes that cannot be read as a module; `problems` is empty exactly when
    the engine would load it.
    """

    summary: ModuleSummary | None
    problems: tuple[Problem, ...]


def check_module(code: bytes, *, limits: EngineLimits) -> ModuleSummary:
    """What `code` is, when it is a module that we run; nothing is compiled.

    Raises:
        ModuleRefusedError: the first thing wrong with it.
    """
    with make_engine(_ANY_ENGINE) as engine:
        return check_for(engine, code, limits=limits)


def check_for(engine: Engine, code: bytes, *, limits: EngineLimits) -> ModuleSummary:
    """`check_module` with the engine that will compile the module; any engine for a component."""
    if is_component(code):
        summary, outline = check_outline(code, limits=limits)
        check_inside(code, outline, limits=limits)
        return summary
    declared = read_module(code, limits=limits)
    for problem in _problems(engine, code, declared, limits):
        raise ModuleRefusedError(problem.code, problem.detail)
    return _summarise(code, declared)


def check_outline(code: bytes, *, limits: EngineLimits) -> tuple[ModuleSummary, Outline]:
    """What a component is, when what it asks for and offers is what we host.

    Raises:
        ModuleRefusedError: the first thing wrong with it.
    """
    outline = read_component(code, limits=limits)
    for problem in outline_problems(outline):
        raise ModuleRefusedError(problem.code, problem.detail)
    return _summarise_component(code, outline), outline


def check_inside(code: bytes, outline: Outline, *, limits: EngineLimits) -> None:
    """Look at a component's core modules.

    Raises:
        ModuleRefusedError: the first thing wrong with them.
    """
    with make_engine(_ANY_ENGINE) as engine:
        for problem in inner_problems(engine, code, outline, limits):
            raise ModuleRefusedError(problem.code, problem.detail)


def examine(code: bytes, *, limits: EngineLimits) -> Examination:
    """What `code` is, and everything for which we do not run it; nothing is compiled."""
    try:
        if is_component(code):
            return _examine_component(code, limits)
        declared = read_module(code, limits=limits)
    except ModuleRefusedError as error:
        return Examination(None, (Problem(error.code, error.detail),))
    with make_engine(_ANY_ENGINE) as engine:
        found = tuple(_problems(engine, code, declared, limits))
    return Examination(_summarise(code, declared), found)


def _examine_component(code: bytes, limits: EngineLimits) -> Examination:
    outline = read_component(code, limits=limits)
    with make_engine(_ANY_ENGINE) as engine:
        outside = tuple(outline_problems(outline))
        look = core_problems if outside else inner_problems
        found = (*outside, *look(engine, code, outline, limits))
    return Examination(_summarise_component(code, outline), found)


def read_module(code: bytes, *, limits: EngineLimits) -> Binary:
    """What `code` declares, when it is a WebAssembly 1 module of bearable size.

    Raises:
        ModuleRefusedError: it is not.
    """
    if len(code) > limits.module_bytes:
        raise ModuleRefusedError(
            Refusal.TOO_LARGE, f"{len(code)} bytes, the limit is {limits.module_bytes}"
        )
    if code[:4] != binary.MAGIC:
        raise ModuleRefusedError(Refusal.NOT_WASM, "it does not begin with the bytes 00 61 73 6d")
    if code[4:8] != binary.VERSION:
        raise ModuleRefusedError(
            Refusal.VERSION,
            f"version bytes are {code[4:8].hex(' ')}, we run 01 00 00 00 (a module) and "
            "0d 00 01 00 (a component)",
        )
    try:
        return binary.parse(code)
    except TooManyError as error:
        raise ModuleRefusedError(Refusal.TOO_MANY_ENTRIES, str(error)) from error
    except BinaryError as error:
        raise ModuleRefusedError(Refusal.MALFORMED, str(error)) from error


def _problems(
    engine: Engine, code: bytes, declared: Binary, limits: EngineLimits
) -> Iterator[Problem]:
    for wanted in declared.imports:
        yield from _import_problems(wanted)
    if declared.start is not None:
        yield Problem(Refusal.START_SECTION, f"it starts function {declared.start} by itself")
    export = declared.exported(abi.MEMORY, "memory")
    if export is None or export.index < declared.imported("memory"):
        yield Problem(Refusal.NO_MEMORY, f"no memory of its own is exported as {abi.MEMORY!r}")
    yield from memory_problems(declared, limits)
    yield from table_problems(declared, limits)
    yield from body_problems(code, declared, limits)
    try:
        Module.validate(engine, code)
    except WasmtimeError as error:
        yield Problem(Refusal.INVALID, sanitised(error))


def _summarise(code: bytes, declared: Binary) -> ModuleSummary:
    return ModuleSummary(
        digest=Digest.of(code),
        size=len(code),
        imports=tuple(declared.imports),
        exports=tuple(declared.exports),
        entry=_exported_type(declared, abi.ENTRY_POINT),
        has_initialize=_exported_type(declared, abi.INITIALIZER) == abi.INITIALIZER_TYPE,
    )


def _summarise_component(code: bytes, outline: Outline) -> ModuleSummary:
    return ModuleSummary(
        digest=Digest.of(code),
        size=len(code),
        imports=imports_of(outline),
        exports=exports_of(outline),
        entry=entry_of(outline),
        has_initialize=False,
        component=True,
    )


def _exported_type(declared: Binary, name: str) -> FunctionType | None:
    export = declared.exported(name, "func")
    return declared.function_type(export.index) if export else None


def _import_problems(wanted: Import) -> Iterator[Problem]:
    name = f"{quoted(wanted.module)}.{quoted(wanted.name)}"
    call = abi.IMPORTS.get(wanted.name) if wanted.module == abi.MODULE else None
    if wanted.kind != "func":
        yield Problem(Refusal.IMPORT_KIND, f"{name} is a {wanted.kind}, we give functions only")
    elif call is None:
        yield Problem(Refusal.FORBIDDEN_IMPORT, f"{name} is none of our host calls")
    elif wanted.type != call.type:
        yield Problem(Refusal.IMPORT_TYPE, f"{name} is wanted as {wanted.type}, it is {call.type}")
