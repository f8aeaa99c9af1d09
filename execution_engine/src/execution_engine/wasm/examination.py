"""All that can be said of a program before it is compiled: what tools ask before an isolate does.

`check_module` raises the first thing wrong with a module, `examine` lists all of them. Both take
them from one generator, and the rules from where the program is run: what is certified loads.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from wasmtime import Engine, Module, WasmtimeError

from execution_engine import abi, world
from execution_engine.abi import FunctionType
from execution_engine.compiled_program import MAX_INSTANCES
from execution_engine.component_interface import (
    ComponentItem,
    component_summary,
    import_problems,
    interface_problems,
)
from execution_engine.errors import ModuleRefusedError, Problem, RefusalCode, refuse_first
from execution_engine.interface import ModuleSummary, module_interface_problems
from execution_engine.limits import EngineLimits
from execution_engine.reader import MODULE_VERSION, BinaryError, TooManyError
from execution_engine.static_limits import (
    ModuleSizes,
    header_problems,
    is_component,
    size_problems,
)
from execution_engine.strategy import EngineSettings, make_engine
from execution_engine.text import sanitised
from execution_engine.wasm import binary, component_binary
from execution_engine.wasm.binary import Binary
from execution_engine.wasm.component_binary import ComponentOutline, PartError
from execution_engine.wasm.component_skeleton import error_outside_code
from execution_engine.wasm.features import feature_problems
from execution_engine.wasm.instructions import FunctionShapes
from execution_engine.wasm.shape import shape_problems
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Strategy

# For what is the same in all of them: which modules are valid.
_ANY_ENGINE: Final = EngineSettings(Strategy.JIT)
# Of a component's core modules and their instances: an interpreter with its libraries has forty.
MAX_MODULES: Final = 200
MAX_CANONS: Final = 2000
MAX_IMPORTS_NAMED: Final = 1000


@frozen
class Examination:
    """All there is to say about a program.

    Attributes:
        summary: None for bytes that cannot be read.
        problems: empty exactly when `Program` loads it.
        module: what a core module declares; None of anything else.
        shapes: the shapes of its functions.
    """

    summary: ModuleSummary | None
    problems: tuple[Problem, ...]
    module: Binary | None = None
    shapes: FunctionShapes | None = None


def check_module(code: bytes, *, limits: EngineLimits) -> ModuleSummary:
    """What `code` is, when it is a module or a component that we run; nothing is compiled.

    Raises:
        ModuleRefusedError: the first thing wrong with it.
    """
    refuse_first(header_problems(code, limits))
    with make_engine(_ANY_ENGINE) as engine:
        if is_component(code):
            outline = _component_or_refuse(code)
            refuse_first(_outline_problems(outline))
            refuse_first(_inner_problems(engine, code, outline, limits))
            return component_summary(outline.imports, outline.exports, Digest.of(code))
        module = _read_or_refuse(code)
        refuse_first(_module_problems(engine, module, FunctionShapes(module), limits))
        return _summary(module)


def examine(code: bytes, *, limits: EngineLimits) -> Examination:
    """What `code` is, and everything for which we do not run it; nothing is compiled."""
    try:
        refuse_first(header_problems(code, limits))
        if is_component(code):
            return _examine_component(code, limits)
    except ModuleRefusedError as error:
        return Examination(None, ((error.code, error.detail),))
    try:
        module = _read_module(code)
    except ModuleRefusedError as error:
        return Examination(None, tuple(_unreadable(code, error)))
    shapes = FunctionShapes(module)
    with make_engine(_ANY_ENGINE) as engine:
        problems = tuple(_module_problems(engine, module, shapes, limits))
    return Examination(_summary(module), problems, module, shapes)


def _examine_component(code: bytes, limits: EngineLimits) -> Examination:
    try:
        outline = _read_component(code)
    except ModuleRefusedError as error:
        return Examination(None, tuple(_of_another_world(code, error)))
    with make_engine(_ANY_ENGINE) as engine:
        outside = tuple(_outline_problems(outline))
        # What is wrong outside would be found once more by the validation of the skeleton.
        look = _core_problems if outside else _inner_problems
        problems = (*outside, *look(engine, code, outline, limits))
    summary = component_summary(outline.imports, outline.exports, Digest.of(code))
    return Examination(summary, problems)


def _read_or_refuse(code: bytes) -> Binary:
    try:
        return _read_module(code)
    except ModuleRefusedError as error:
        refuse_first(_unreadable(code, error))
        raise


def _component_or_refuse(code: bytes) -> ComponentOutline:
    try:
        return _read_component(code)
    except ModuleRefusedError as error:
        refuse_first(_of_another_world(code, error))
        raise


def _of_another_world(code: bytes, error: ModuleRefusedError) -> Iterator[Problem]:
    """Why a component is none of ours: by what it imports, which says whose it is, and the error.

    Components of other worlds, such as WASI's, have parts that ours have not in what they import.
    """
    if error.code is RefusalCode.FORBIDDEN_PART:
        for name in islice(component_binary.imported_names(code), MAX_IMPORTS_NAMED):
            if name != world.INTERFACE:
                yield from import_problems(ComponentItem(name, "instance"))
    yield error.code, error.detail


def _unreadable(code: bytes, error: ModuleRefusedError) -> Iterator[Problem]:
    """Why a core module cannot be read: what it needs and we do not have, or else the error."""
    features = feature_problems(code) if error.code is RefusalCode.MALFORMED else ()
    return iter([*features] or [(error.code, error.detail)])


def _read_module(code: bytes) -> Binary:
    try:
        return binary.parse(code)
    except TooManyError as error:
        raise ModuleRefusedError(RefusalCode.TOO_MANY_ENTRIES, str(error)) from error
    except BinaryError as error:
        raise ModuleRefusedError(RefusalCode.MALFORMED, str(error)) from error


def _read_component(code: bytes) -> ComponentOutline:
    try:
        return component_binary.parse(code)
    except TooManyError as error:
        raise ModuleRefusedError(RefusalCode.TOO_MANY_ENTRIES, str(error)) from error
    except PartError as error:
        raise ModuleRefusedError(RefusalCode.FORBIDDEN_PART, str(error)) from error
    except BinaryError as error:
        raise ModuleRefusedError(RefusalCode.MALFORMED, str(error)) from error


def _module_problems(
    engine: Engine, module: Binary, shapes: FunctionShapes, limits: EngineLimits
) -> Iterator[Problem]:
    """What is wrong with a core module that is a program by itself."""
    export = module.exported(abi.MEMORY, "memory")
    own = export is not None and export.index >= module.imported("memory")
    yield from module_interface_problems(module.imports, has_memory=own)
    yield from size_problems(module.sizes(), limits, imported=module.imported("func"))
    yield from _count_problems([module.sizes()], limits)
    yield from _code_problems(engine, module, shapes, limits)


def _code_problems(
    engine: Engine, module: Binary, shapes: FunctionShapes, limits: EngineLimits
) -> Iterator[Problem]:
    """What is wrong with a core module's code, whether it stands alone or in a component."""
    found = list(shape_problems(module, shapes, limits))
    try:
        # Has the last word on what is valid: our readers look only at what they need.
        Module.validate(engine, module.code)
    except WasmtimeError as error:
        invalid = RefusalCode.INVALID, sanitised(error)
    else:
        yield from found
        return
    features = list(feature_problems(module.code))
    # Instructions that we do not know are then those of a feature.
    yield from (each for each in found if not features or each[0] is not RefusalCode.MALFORMED)
    yield from features or [invalid]


def _outline_problems(outline: ComponentOutline) -> Iterator[Problem]:
    """What is wrong with a component on its outermost level."""
    yield from interface_problems(outline.imports, outline.exports)
    for count, most, what in (
        (len(outline.modules), MAX_MODULES, "core modules"),
        (outline.instances, MAX_INSTANCES, "instances of core modules"),
        (outline.canons, MAX_CANONS, "canonical functions"),
    ):
        if count > most:
            yield RefusalCode.TOO_MANY_ENTRIES, f"{count} {what}, at most {most}"


def _inner_problems(
    engine: Engine, code: bytes, outline: ComponentOutline, limits: EngineLimits
) -> Iterator[Problem]:
    """What is wrong inside a component; its outermost level has no problems."""
    found = False
    for problem in _core_problems(engine, code, outline, limits):
        found = True
        yield problem
    if not found and (error := error_outside_code(code)) is not None:
        yield RefusalCode.INVALID, error


def _core_problems(
    engine: Engine, code: bytes, outline: ComponentOutline, limits: EngineLimits
) -> Iterator[Problem]:
    """What is wrong with each core module by itself, and with all of them together."""
    sizes: list[ModuleSizes] = []
    for start, size in outline.modules:
        inner = code[start : start + size]
        if inner[4:8] != MODULE_VERSION:
            yield RefusalCode.MALFORMED, f"the core module at offset {start} is not of version 1"
            continue
        try:
            module = _read_module(inner)
        except ModuleRefusedError as error:
            for refusal, detail in _unreadable(inner, error):
                yield refusal, f"core module at offset {start}: {detail}"
            continue
        yield from size_problems(module.sizes(), limits, imported=module.imported("func"))
        yield from _code_problems(engine, module, FunctionShapes(module), limits)
        sizes.append(module.sizes())
    yield from _count_problems(sizes, limits)


def _count_problems(modules: list[ModuleSizes], limits: EngineLimits) -> Iterator[Problem]:
    """What there are too many of in the core modules of a program, all together."""
    memories = sum(bool(sizes.memories) for sizes in modules)  # the validator allows each but one
    tables = sum(len(sizes.tables) for sizes in modules)
    if memories > 1:
        yield RefusalCode.MEMORY_SIZE, f"{memories} memories, the limit is 1"
    if tables > limits.tables:
        yield RefusalCode.TABLE_SIZE, f"{tables} tables, the limit is {limits.tables}"


def _summary(module: Binary) -> ModuleSummary:
    return ModuleSummary(
        digest=Digest.of(module.code),
        imports=tuple(module.imports),
        entry=_exported_type(module, abi.ENTRY_POINT),
        has_initialize=_exported_type(module, abi.INITIALIZER) == abi.INITIALIZER_TYPE,
    )


def _exported_type(module: Binary, name: str) -> FunctionType | None:
    export = module.exported(name, "func")
    return module.function_type(export.index) if export else None
