"""Linking a program that speaks WASI 0.1 with the adapter, into one module of host calls alone.

Theory of operation. The linked module has, in this order,

    functions  the host calls; the program's; the adapter's; those made here
    types      the program's; the adapter's; those made here
    globals    the program's; the adapter's
    tables, elements, memory, data: the program's alone, and the texts it is given, as passive data

so in the program's code the numbers of functions change and no others. Its imports of WASI become
the adapter's functions, and its `memory.size` and `memory.grow` calls of the adapter, which keeps
its arena behind what the program takes for all of its memory (see wasi/adapter.h). Of its exports
none are left: `main` and the memory are what the engine looks for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from execution_engine import abi
from execution_engine.abi import FunctionType
from execution_engine.reader import WasmReader
from execution_engine.wasm.binary import Binary
from sdk import wasm_writing as writing
from sdk.adaptation.adapter import LINK, MEMORY_GROW, MEMORY_SIZE, WASI
from sdk.adaptation.names import function_names, names_section
from sdk.adaptation.renumbering import MEMORY_GROW as GROW
from sdk.adaptation.renumbering import MEMORY_SIZE as SIZE
from sdk.adaptation.renumbering import Numbers
from sdk.errors import AdaptationError
from sdk.wasm_writing import section, signed, u32, vector
from tlaxcala.advice import advice_on_import
from veracruz_utils.frozen import frozen

_START: Final = "_start"
_NOT_HERE: Final = 52  # ENOSYS
_MOST_PAGES: Final = 65536
LAST_CLOCK: Final = 7_258_118_400
"""The latest that clocks begin at, the year 2200: they count in 64 bits, and go on from there."""
_TO_I32: Final = FunctionType((), ("i32",))
# What is of no use to the linked module, or would be wrong in it.
_DROPPED: Final = (".debug", "reloc.", "linking", "dylink", "target_features", "sourceMappingURL",
                   "external_debug_info", "name")  # fmt: skip


@frozen
class Given:
    """What a program is given besides its inputs.

    Attributes:
        arguments: its arguments, after its name.
        environment: its environment.
        clock: what its clocks show when it begins, in seconds since 1970.
    """

    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    clock: int = 0


@dataclass(slots=True)
class _Functions:
    """The numbers of functions in the linked module, and those that are made here."""

    host: dict[str, int] = field(default_factory=dict)
    program: list[int] = field(default_factory=list)
    adapter: list[int] = field(default_factory=list)
    made: list[tuple[FunctionType, bytes]] = field(default_factory=list)
    first_made: int = 0

    def make(self, type_: FunctionType, *instructions: bytes) -> int:
        self.made.append((type_, writing.function(*instructions)))
        return self.first_made + len(self.made) - 1


def link(program: Binary, adapter: Binary, given: Given) -> bytes:
    """The module that the two make together.

    Raises:
        AdaptationError: the program is none that speaks WASI, or asks for more than that.
        BinaryError: something in it is not an instruction that we know.
    """
    _check(program)
    if not 0 <= given.clock <= LAST_CLOCK:
        raise AdaptationError(
            "a clock of WASI begins between 1970 and 2200, as it counts nanoseconds since 1970"
        )
    linking = _Linking(program, adapter, given)
    return linking.linked()


def _check(program: Binary) -> None:
    if program.exported(abi.EXIT, "global") is not None:  # with a second one it would not be seen
        raise AdaptationError(
            f"the program is adapted already: it exports {abi.EXIT}, by which it leaves"
        )
    if len(program.memories) != 1:
        raise AdaptationError(
            "the program has no memory of its own: link it without --import-memory"
        )
    for one in program.imports:
        host_call = abi.IMPORTS.get(one.name) if one.module == abi.MODULE else None
        if host_call is not None and host_call.type != one.type:
            raise AdaptationError(
                f"the program imports {one.name} with type {one.type}, its type is {host_call.type}"
            )
        if one.kind != "func" or (one.module != WASI and host_call is None):
            known = advice_on_import(one.module, one.name) if one.kind == "func" else None
            raise AdaptationError(
                f"the program imports {one.module}.{one.name}, which is neither of WASI 0.1 "
                f"({WASI}) nor a host call: {known or 'build it for wasm32-wasip1 without it'}"
            )


class _Linking:
    def __init__(self, program: Binary, adapter: Binary, given: Given) -> None:
        self._program = program
        self._adapter = adapter
        self._texts = [
            _texts(["program", *given.arguments]),
            _texts([f"{key}={value}" for key, value in given.environment.items()]),
        ]
        self._counts = [1 + len(given.arguments), len(given.environment)]
        self._clock = given.clock
        self._exports = {one.name: one.index for one in adapter.exports}
        self._functions = self._numbered()

    def _numbered(self) -> _Functions:
        """Give every function its number, and make those that are missing."""
        program, adapter = self._program, self._adapter
        numbers = _Functions()
        for one in [*adapter.imports, *program.imports]:
            if one.module == abi.MODULE and one.kind == "func":
                numbers.host.setdefault(one.name, len(numbers.host))
        first = len(numbers.host)
        own = first + len(program.functions)
        numbers.first_made = own + len(adapter.functions)
        adapted = adapter.imported("func")
        # The program's and the adapter's imports, of which some have yet to be made.
        numbers.program = [
            self._imported(number, own - adapted, numbers)
            for number in range(program.imported("func"))
        ]
        numbers.program += range(first, own)
        for one in adapter.imports:
            if one.kind == "func":
                made = one.module == LINK
                numbers.adapter.append(
                    self._made(one.name, numbers) if made else numbers.host[one.name]
                )
        numbers.adapter += range(own, numbers.first_made)
        return numbers

    def _imported(self, number: int, adapted: int, numbers: _Functions) -> int:
        """What the program gets for its import of this number."""
        one = self._program.imports[number]
        assert one.type is not None
        if one.module == abi.MODULE:
            return numbers.host[one.name]
        index = self._exports.get(one.name)
        type_ = None if index is None else self._adapter.function_type(index)
        if index is None or type_ is None:
            if one.type.results != ("i32",):
                raise AdaptationError(
                    f"the program imports {one.name} of {WASI}, which WASI 0.1 does not have, "
                    f"with type {one.type}: there is no error that it could be answered with"
                )
            return numbers.make(one.type, b"\x41", signed(_NOT_HERE))
        if type_ != one.type:
            raise AdaptationError(
                f"the program imports {WASI}.{one.name} with type {one.type}, "
                f"in WASI 0.1 it is {type_}"
            )
        return adapted + index

    def _made(self, name: str, numbers: _Functions) -> int:
        """A function that the adapter imports from the linker."""
        first = self._data_segments()
        match name:
            case "enter_program":
                return numbers.make(_TO_I32, *self._entry(numbers))
            case "most_pages":
                most = self._program.memories[0].maximum
                return numbers.make(_TO_I32, _constant(_MOST_PAGES if most is None else most))
            case "clock_begin":
                code = b"\x42" + signed(self._clock * 1_000_000_000)
                return numbers.make(FunctionType((), ("i64",)), code)
        what, _, of = name.partition("_")
        place = ("arguments", "environment").index(what)
        match of:
            case "count":
                return numbers.make(_TO_I32, _constant(self._counts[place]))
            case "size":
                return numbers.make(_TO_I32, _constant(len(self._texts[place])))
        assert of == "copy", name
        return numbers.make(
            FunctionType(("i32",), ()),
            b"\x20\0",  # to the parameter, from the beginning of the segment, all of it
            _constant(0),
            _constant(len(self._texts[place])),
            b"\xfc" + u32(8) + u32(first + place) + b"\0",
        )

    def _entry(self, numbers: _Functions) -> Iterator[bytes]:
        """Run the program as WASI does, and give the code that `main` returns."""
        program = self._program
        for index in (program.start, self._exported("_initialize")):
            if index is not None:
                yield b"\x10" + u32(numbers.program[index])
        start, main = self._exported(_START), self._exported(abi.ENTRY_POINT)
        if start is not None:
            if (found := program.function_type(start)) != abi.INITIALIZER_TYPE:
                raise AdaptationError(f"the program's _start is {found}, not () -> ()")
            yield b"\x10" + u32(numbers.program[start])
            yield _constant(0)
            return
        found = None if main is None else program.function_type(main)
        if main is None or found not in abi.ENTRY_TYPES:
            raise AdaptationError(
                "the program exports neither _start, as a program of WASI does, nor main of a "
                "type that the ABI has: build a program, not a library"
            )
        for _ in found.params:
            yield _constant(0)
        yield b"\x10" + u32(numbers.program[main])

    def _exported(self, name: str) -> int | None:
        found = self._program.exported(name, "func")
        return None if found is None else found.index

    def _data_segments(self) -> int:
        return self._program.section(11).u32()

    # ---- Sections ------------------------------------------------------------------------------

    def linked(self) -> bytes:
        program, functions = self._program, self._functions
        made = [type_ for type_, _ in functions.made]
        own = self._exports
        outwards = Numbers(
            functions.program,
            instead={
                SIZE: functions.adapter[own[MEMORY_SIZE]],
                GROW: functions.adapter[own[MEMORY_GROW]],
            },
        )
        first_global = program.section(6).u32()
        inwards = Numbers(functions.adapter, first_global=first_global)
        parts = [
            section(1, self._types(made)),
            section(2, self._imports()),
            section(3, self._declarations(made)),
            self._copied(4),
            section(5, self._memory()),
            section(6, self._globals(outwards, inwards)),
            section(7, self._exported_items(first_global)),
            self._elements(outwards),
            section(12, u32(self._data_segments() + len(self._texts))),
            section(10, self._code(outwards, inwards)),
            section(11, self._data()),
            *self._custom_sections(),
        ]
        return writing.HEADER + b"".join(parts)

    def _types(self, made: Sequence[FunctionType]) -> bytes:
        types = [*self._program.types, *self._adapter.types, *made]
        return vector(writing.function_type(each) for each in types)

    def _imports(self) -> bytes:
        types = len(self._program.types)
        known = {one.name: one.type for one in [*self._adapter.imports, *self._program.imports]}
        places = {type_: types + place for place, type_ in enumerate(self._adapter.types)}
        places |= {type_: place for place, type_ in enumerate(self._program.types)}
        items = []
        for host_call in self._functions.host:
            type_ = known[host_call]
            assert type_ is not None
            kind = b"\0" + u32(places[type_])
            items.append(writing.name(abi.MODULE) + writing.name(host_call) + kind)
        return vector(items)

    def _declarations(self, made: Sequence[FunctionType]) -> bytes:
        program, adapter = self._program, self._adapter
        first = len(program.types)
        declared = [u32(index) for index in _type_indexes(program)]
        declared += [u32(first + index) for index in _type_indexes(adapter)]
        first += len(adapter.types)
        declared += [u32(first + place) for place in range(len(made))]
        return vector(declared)

    def _memory(self) -> bytes:
        return vector([b"\0" + u32(self._program.memories[0].minimum)])

    def _globals(self, outwards: Numbers, inwards: Numbers) -> bytes:
        return vector([*_globals(self._program, outwards), *_globals(self._adapter, inwards)])

    def _exported_items(self, first_global: int) -> bytes:
        own, functions = self._exports, self._functions.adapter
        return vector(
            writing.name(name) + bytes([kind]) + u32(index)
            for name, kind, index in (
                (abi.MEMORY, 2, 0),
                (abi.ENTRY_POINT, 0, functions[own[abi.ENTRY_POINT]]),
                (abi.MESSAGE, 3, first_global + own[abi.MESSAGE]),
                (abi.EXIT, 3, first_global + own[abi.EXIT]),
            )
        )

    def _elements(self, numbers: Numbers) -> bytes:
        if 9 not in self._program.places:
            return b""
        reader = self._program.section(9)
        items = [_element_segment(reader, numbers) for _ in reader.vector()]
        return section(9, vector(items))

    def _code(self, outwards: Numbers, inwards: Numbers) -> bytes:
        return vector(
            [
                *_bodies(self._program, outwards),
                *_bodies(self._adapter, inwards),
                *(body for _, body in self._functions.made),
            ]
        )

    def _data(self) -> bytes:
        reader = self._program.section(11)
        count = reader.u32()
        segments = reader.data[reader.at : reader.end]
        passive = [b"\1" + writing.sized(text) for text in self._texts]
        return u32(count + len(passive)) + segments + b"".join(passive)

    def _copied(self, number: int) -> bytes:
        if number not in self._program.places:
            return b""
        content = self._program.section(number)
        return section(number, content.data[content.at : content.end])

    def _custom_sections(self) -> Iterator[bytes]:
        program, functions = self._program, self._functions
        for one in program.custom_sections:
            if not one.name.startswith(_DROPPED):
                yield section(0, writing.name(one.name) + program.code[one.start : one.end])
        if names := function_names(program):
            adapted = function_names(self._adapter)
            yield names_section(
                {
                    **{functions.adapter[each]: f"wasi.{text}" for each, text in adapted.items()},
                    **{functions.program[each]: text for each, text in names.items()},
                }
            )


def _texts(texts: Sequence[str]) -> bytes:
    for text in texts:
        if "\0" in text:
            raise AdaptationError(f"{text[:40]!r} has a null character, with which texts end")
    try:
        return b"".join(text.encode() + b"\0" for text in texts)
    except UnicodeEncodeError as error:
        raise AdaptationError(
            f"{str(error.object)[:40]!r} is not UTF-8, as texts here are"
        ) from None


def _constant(value: int) -> bytes:
    return b"\x41" + signed(value)


def _type_indexes(module: Binary) -> list[int]:
    reader = module.section(3)
    return [reader.u32() for _ in reader.vector()]


def _globals(module: Binary, numbers: Numbers) -> Iterator[bytes]:
    reader = module.section(6)
    for _ in reader.vector():
        start = reader.skip(2)  # its type, and whether it changes
        yield reader.data[start : start + 2] + numbers.constant(reader)


def _element_segment(reader: WasmReader, numbers: Numbers) -> bytes:
    """Bit 0: not put anywhere at the start; bit 1: names its table and type; bit 2: expressions."""
    flags = reader.u32()
    parts = [u32(flags)]
    if not flags & 1:
        if flags & 2:
            parts.append(u32(reader.u32()))
        parts.append(numbers.constant(reader))
    if flags & 3:
        parts.append(bytes([reader.byte()]))  # the kind or the type of its elements
    functions = reader.vector()
    parts.append(u32(len(functions)))
    parts += (
        numbers.constant(reader) if flags & 4 else u32(numbers.functions[reader.u32()])
        for _ in functions
    )
    return b"".join(parts)


def _bodies(module: Binary, numbers: Numbers) -> Iterator[bytes]:
    for body in module.bodies:
        end = body.offset + body.size
        yield writing.sized(
            module.code[body.offset : body.code] + numbers.renumbered(module.code, body.code, end)
        )
