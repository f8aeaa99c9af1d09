"""The binary format of components, as far as the one world we host has need of it.

`parse` reads a component's outermost level: what it imports and exports, by which types, and where
its core modules are. It is stricter than the standard: what no component of our world needs
(components inside, resources, asynchronous calls, start functions) is a `PartError`. What it passes
over, the engine's validator reads before anything is compiled.

Standard: component-model/design/mvp/Binary.md, version 0x0d, layer 1.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from execution_engine.component_interface import ComponentItem
from execution_engine.reader import BinaryError, WasmReader, sections
from execution_engine.wasm.reading import expect_end, read_name

_PRIMITIVES: Final = {
    0x7F: "bool", 0x7E: "s8", 0x7D: "u8", 0x7C: "s16", 0x7B: "u16", 0x7A: "s32", 0x79: "u32",
    0x78: "s64", 0x77: "u64", 0x76: "f32", 0x75: "f64", 0x74: "char", 0x73: "string",
}  # fmt: skip
# A type in WIT, or the functions of an instance.
Type: TypeAlias = str | tuple[tuple[str, str], ...]
Types: TypeAlias = list[Type]
_FUNC, _TYPE, _INSTANCE = 1, 3, 5  # sorts of what is imported, exported and aliased
_IMPORTS: Final = 10  # the section of this number
_DEEPEST: Final = 1000  # characters of one type, written out
_MAX_MEMBERS: Final = 1000


class PartError(BinaryError):
    """The component has a part that components of our world do not have."""


@dataclass(slots=True)
class ComponentOutline:
    """A component's outermost level; `modules` are the places of its core modules.

    `instances` counts those of core modules, `canons` the functions lifted from them and lowered.
    """

    imports: list[ComponentItem] = field(default_factory=list)
    exports: list[ComponentItem] = field(default_factory=list)
    modules: list[tuple[int, int]] = field(default_factory=list)
    instances: int = 0
    canons: int = 0


@dataclass(slots=True)
class _Spaces:
    """Index spaces: types in WIT, or the functions of an instance's type; types of functions."""

    types: list[Type] = field(default_factory=list)
    functions: list[str | None] = field(default_factory=list)


def parse(code: bytes) -> ComponentOutline:
    """The outline of the component; `code` begins with magic and version, checked by the caller.

    Raises:
        PartError: it has a part that no component of our world has.
        BinaryError: where and how the bytes are not a component.
    """
    outline, spaces = ComponentOutline(), _Spaces()
    for offset, section, content in sections(code, 0, len(code)):
        if section == 1:
            outline.modules.append((content.at, content.end - content.at))
        elif section != 0:
            read = _SECTIONS.get(section)
            if read is None:
                raise PartError(f"section {section} has {_PARTS.get(section, 'unknown')}", offset)
            read(content, outline, spaces)
            expect_end(content, f"section {section}")
    return outline


def imported_names(code: bytes) -> Iterator[str]:
    """What the component imports, by name, whatever its parts are; as far as that can be read."""
    try:
        for _, section, content in sections(code, 0, len(code)):
            if section == _IMPORTS:
                for _ in content.vector():
                    yield _extern_name(content)
                    _pass_over_type(content)
    except BinaryError:
        return


def _core_instances(reader: WasmReader, outline: ComponentOutline, _spaces: _Spaces) -> None:
    for _ in reader.vector():
        form = reader.byte()
        if form == 0:
            outline.instances += 1
            reader.u32()
            for _ in reader.vector():
                read_name(reader)
                _expect(reader, 0x12, "an argument is not an instance")
                reader.u32()
        elif form == 1:
            for _ in reader.vector():
                read_name(reader)
                reader.byte()
                reader.u32()
        else:
            raise BinaryError(f"unknown form of instance 0x{form:02x}", reader.at - 1)


def _aliases(reader: WasmReader, _outline: ComponentOutline, spaces: _Spaces) -> None:
    for _ in reader.vector():
        sort = reader.byte()
        core = reader.byte() if sort == 0 else None
        target = reader.byte()
        if target == 1 and core is not None:  # a core export
            reader.u32()
            read_name(reader)
        elif target == 0 and sort == _FUNC:  # a function of the imported instance
            reader.u32()
            read_name(reader)
            spaces.functions.append(None)
        else:
            raise PartError(f"an alias of sort {sort}, target {target}", reader.at)


def _types(reader: WasmReader, _outline: ComponentOutline, spaces: _Spaces) -> None:
    for _ in reader.vector():
        spaces.types.append(_definition(reader, spaces.types, inside=False))


def _canons(reader: WasmReader, outline: ComponentOutline, spaces: _Spaces) -> None:
    for _ in reader.vector():
        outline.canons += 1
        form = reader.byte()
        if form not in (0, 1) or reader.byte() != 0:
            raise PartError(f"a canonical function of form 0x{form:02x}", reader.at)
        reader.u32()
        for _ in reader.vector():
            option = reader.byte()
            if option > 5:  # 6 and 7 are of asynchronous functions
                raise PartError(f"a canonical option 0x{option:02x}", reader.at)
            if option > 2:
                reader.u32()
        if form == 0:
            spaces.functions.append(_text(spaces.types, reader.u32(), reader))


def _imports(reader: WasmReader, outline: ComponentOutline, spaces: _Spaces) -> None:
    for _ in reader.vector():
        item = _item(_extern_name(reader), reader, spaces.types)
        outline.imports.append(item)
        if item.sort == "func":
            spaces.functions.append(item.type)
        elif item.sort == "type":
            spaces.types.append(item.type)


def _exports(reader: WasmReader, outline: ComponentOutline, spaces: _Spaces) -> None:
    for _ in reader.vector():
        name, sort = _extern_name(reader), reader.byte()
        if sort == 0:
            reader.byte()
        index = reader.u32()
        if reader.byte():
            raise PartError("an export that says its type again", reader.at)
        if sort == _FUNC:
            if index >= len(spaces.functions):
                raise BinaryError(f"function {index} is exported, and does not exist", reader.at)
            type_ = spaces.functions[index]
            spaces.functions.append(type_)
            outline.exports.append(ComponentItem(name, "func", type_ or "imported"))
        else:
            outline.exports.append(ComponentItem(name, _SORTS.get(sort, "unknown")))


_SECTIONS: Final[dict[int, Callable[[WasmReader, ComponentOutline, _Spaces], None]]] = {
    2: _core_instances, 6: _aliases, 7: _types, 8: _canons, _IMPORTS: _imports, 11: _exports,
}  # fmt: skip
_PARTS: Final = {
    3: "core types",
    4: "a component inside",
    5: "instances of components",
    9: "a start function",
    12: "values",
}
_SORTS: Final = {0: "module", 1: "func", 2: "value", 3: "type", 4: "component", 5: "instance"}


def _expect(reader: WasmReader, byte: int, what: str) -> None:
    if reader.byte() != byte:
        raise BinaryError(what, reader.at - 1)


def _extern_name(reader: WasmReader) -> str:
    form = reader.byte()
    if form > 1:
        raise PartError(f"a name of form 0x{form:02x}", reader.at - 1)
    return read_name(reader)


def _item(name: str, reader: WasmReader, types: Types) -> ComponentItem:
    """What an import, or an export of an instance's type, is declared as."""
    sort = reader.byte()
    if sort == _FUNC:
        return ComponentItem(name, "func", _text(types, reader.u32(), reader))
    if sort == _INSTANCE:
        functions = _at(types, reader.u32(), reader)
        if isinstance(functions, str):
            raise BinaryError("an instance has a type that is not an instance type", reader.at)
        return ComponentItem(name, "instance", functions=functions)
    if sort == _TYPE:
        if reader.byte() != 0:
            raise PartError("a resource", reader.at)
        return ComponentItem(name, "type", _text(types, reader.u32(), reader))
    raise PartError(f"something of sort {sort} with a type", reader.at)


def _pass_over_type(reader: WasmReader) -> None:
    """Of an import: its sort, and the number of its type where it has one."""
    sort = reader.byte()
    if sort not in (0, _FUNC, _TYPE, 4, _INSTANCE):
        raise PartError(f"something of sort {sort} is imported", reader.at)
    bound = reader.byte() if sort in (0, _TYPE) else 0
    if (sort, bound) != (_TYPE, 1):  # a resource, which is told by nothing else
        reader.u32()


def _at(types: Types, index: int, reader: WasmReader) -> Type:
    if index >= len(types):
        raise BinaryError(f"type {index} is used, {len(types)} are declared", reader.at)
    return types[index]


def _text(types: Types, index: int, reader: WasmReader) -> str:
    found = _at(types, index, reader)
    if not isinstance(found, str):
        raise BinaryError(f"type {index} is an instance type", reader.at)
    return found


def _definition(reader: WasmReader, types: Types, *, inside: bool) -> Type:
    form = reader.byte()
    if form == 0x42 and not inside:
        return _instance_type(reader)
    if form == 0x40:
        text = _function_type(reader, types)
    elif form in _PRIMITIVES:
        text = _PRIMITIVES[form]
    elif form in _COMPOUND:
        text = _COMPOUND[form](reader, types)
    else:
        raise PartError(f"a type of form 0x{form:02x}", reader.at - 1)
    # Types that name one another twice each would double with every line.
    return text if len(text) <= _DEEPEST else "..."


def _instance_type(reader: WasmReader) -> tuple[tuple[str, str], ...]:
    types: Types = []
    functions: list[tuple[str, str]] = []
    for _ in reader.vector():
        declares = reader.byte()
        if declares == 1:
            types.append(_definition(reader, types, inside=True))
        elif declares == 4:
            item = _item(_extern_name(reader), reader, types)
            functions.append((item.name, item.type if item.sort == "func" else item.sort))
            if item.sort == "type":
                types.append(item.type)
        else:
            raise PartError(f"a declaration 0x{declares:02x} of an instance", reader.at - 1)
    return tuple(functions)


def _function_type(reader: WasmReader, types: Types) -> str:
    params = ", ".join(f"{name}: {type_}" for name, type_ in _members(reader, types))
    if (form := reader.byte()) == 0:
        return f"func({params}) -> {_value(reader, types)}"
    if form != 1:
        raise BinaryError(f"unknown form of results 0x{form:02x}", reader.at - 1)
    _expect(reader, 0, "named results")
    return f"func({params})"


def _members(reader: WasmReader, types: Types) -> Iterator[tuple[str, str]]:
    if (count := reader.u32()) > _MAX_MEMBERS:
        raise PartError(f"a type of {count} members, at most {_MAX_MEMBERS}", reader.at)
    for _ in range(count):
        yield read_name(reader), _value(reader, types)


def _value(reader: WasmReader, types: Types) -> str:
    """A primitive type, a signed number below zero; or the index of another."""
    at = reader.at
    byte = reader.byte()
    if byte in _PRIMITIVES:
        return _PRIMITIVES[byte]
    reader.at = at
    return _text(types, reader.u32(), reader)


def _optional(reader: WasmReader, types: Types) -> str:
    return _value(reader, types) if reader.byte() else "_"


def _record(reader: WasmReader, types: Types) -> str:
    return f"record {{{', '.join(f'{name}: {type_}' for name, type_ in _members(reader, types))}}}"


def _variant(reader: WasmReader, types: Types) -> str:
    cases = []
    for _ in reader.vector():
        name, type_ = read_name(reader), _optional(reader, types)
        _expect(reader, 0, "a case that refines another")
        cases.append(f"{name}({type_})")
    return f"variant {{{', '.join(cases)}}}"


def _names(reader: WasmReader, _types: Types) -> str:
    return f"one or some of {{{', '.join(read_name(reader) for _ in reader.vector())}}}"


def _list(reader: WasmReader, types: Types) -> str:
    return f"list<{_value(reader, types)}>"


def _tuple(reader: WasmReader, types: Types) -> str:
    if (count := reader.u32()) > _MAX_MEMBERS:
        raise PartError(f"a type of {count} members, at most {_MAX_MEMBERS}", reader.at)
    return f"tuple<{', '.join(_value(reader, types) for _ in range(count))}>"


def _option(reader: WasmReader, types: Types) -> str:
    return f"option<{_value(reader, types)}>"


def _result(reader: WasmReader, types: Types) -> str:
    return f"result<{_optional(reader, types)}, {_optional(reader, types)}>"


# Most of these are in what componentize-py leaves behind of its own initialisation.
_COMPOUND: Final = {
    0x72: _record,
    0x71: _variant,
    0x6E: _names,
    0x6D: _names,
    0x70: _list,
    0x6F: _tuple,
    0x6B: _option,
    0x6A: _result,
}
