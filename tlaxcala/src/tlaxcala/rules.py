"""What a module is held to: one rule to each way of breaking the ABI.

Codes are for people to look up and for scripts to rely on: a code is never given a second meaning.
"""

from typing import Final

from execution_engine.abi import ENTRY_POINT, ENTRY_TYPES, HOST_CALLS, MEMORY, MODULE
from execution_engine.errors import RefusalCode
from execution_engine.world import MAIN_TYPE
from veracruz_utils.frozen import frozen

_CALLS: Final = "\n".join(f"  {call.import_name} {call.type}" for call in HOST_CALLS)
_OUR_WORLD: Final = (
    "build it for world `veracruz:guest`, which `veracruz-sdk build` does of Python; of other "
    "languages build a module, and none for WASI 0.2"
)
_TYPES: Final = " or ".join(str(type_) for type_ in ENTRY_TYPES)


@frozen
class Rule:
    """One thing a module must keep to."""

    code: str
    title: str
    explanation: str
    remedy: str


UNREADABLE: Final = Rule(
    "TLX001",
    "the file cannot be read",
    "Nothing can be said about a file that cannot be read as a whole.",
    "give the path of a .wasm file that you may read",
)
NO_ENTRY: Final = Rule(
    "TLX040",
    f"no function is exported as {ENTRY_POINT!r}",
    f"The engine calls {ENTRY_POINT!r} and nothing else: {_TYPES}. `_start` is never looked at.",
    'export the entry point: in C `__attribute__((export_name("main")))`, in Rust build a binary',
)
ENTRY_TYPE: Final = Rule(
    "TLX041",
    f"{ENTRY_POINT!r} has a type that the engine does not call",
    f"{ENTRY_POINT!r} must be {_TYPES}; the second form is called with zeros.",
    "return an i32 and take no parameters",
)
WRONG_PROGRAM: Final = Rule(
    "TLX007",
    "the module is not the program of the policy",
    "A policy names its program by the SHA-256 of the module's bytes; an isolate accepts no other "
    "program.",
    "give the module that the policy was made for, or make a new policy with this digest",
)
DATA_OUTSIDE: Final = Rule(
    "TLX033",
    "data is put outside of the memory",
    "The engine copies active data segments before it calls anything. One that does not fit the "
    "memory's initial size traps there, so that the program can never run.",
    "raise the initial memory of the module",
)
ELEMENTS_OUTSIDE: Final = Rule(
    "TLX034",
    "elements are put outside of their table",
    "The engine fills tables before it calls anything. A segment that does not fit its table's "
    "initial size traps there, so that the program can never run.",
    "raise the initial size of the table",
)

RULES_OF_THE_ENGINE: Final = {
    RefusalCode.TOO_LARGE: Rule(
        "TLX002",
        "the module is larger than the limit",
        "The limit of a policy that names none is used; a policy can set another.",
        "strip names and debug sections, or raise the policy's limit",
    ),
    RefusalCode.NOT_WASM: Rule(
        "TLX003",
        "the file is not a WebAssembly module",
        "A module begins with the bytes 00 61 73 6d. The text format is not taken.",
        "translate text with wat2wasm; give the linked .wasm, not an object or archive",
    ),
    RefusalCode.VERSION: Rule(
        "TLX004",
        "the file is of a WebAssembly version that is not run",
        "Core modules of version 1 are run, and components of version 0d 00 01 00.",
        "build a core module, or a component of world `veracruz:guest`",
    ),
    RefusalCode.MALFORMED: Rule(
        "TLX005",
        "the module is malformed",
        "The bytes cannot be read as a WebAssembly module, with whatever features.",
        "build the module again: it was cut, or changed after it was linked",
    ),
    RefusalCode.INVALID: Rule(
        "TLX006",
        "the module is not valid",
        "It breaks the validation rules of the WebAssembly standard, with whatever features.",
        "build the module again; if its toolchain made it so, report it there",
    ),
    RefusalCode.FEATURE: Rule(
        "TLX008",
        "the module needs a feature that is switched off",
        "It would be valid with a newer proposal than the supported set: WebAssembly 1.0, sign "
        "extension, saturating conversion, bulk memory, multiple values, funcref, fixed-width "
        "SIMD, tail calls, extended constant expressions. The set is the same under both "
        "strategies and part of what a runtime is measured as.",
        "build the module again without this feature",
    ),
    RefusalCode.FORBIDDEN_IMPORT: Rule(
        "TLX010",
        "a function is imported that the host does not give",
        f"From module {MODULE!r} the host gives these, and no others:\n{_CALLS}",
        "link without it: no WASI, no `abort`, no function that is nowhere defined",
    ),
    RefusalCode.IMPORT_KIND: Rule(
        "TLX011",
        "something is imported that is not a function",
        "Memories, tables and globals are the module's own; the host gives functions only.",
        "link without --import-memory, --import-table and position-independent code",
    ),
    RefusalCode.IMPORT_TYPE: Rule(
        "TLX012",
        "a host call is imported with another type",
        f"The host calls and their types:\n{_CALLS}",
        "declare it with exactly these parameters and the result i32",
    ),
    RefusalCode.FORBIDDEN_EXPORT: Rule(
        "TLX013",
        f"a component exports something else than {ENTRY_POINT!r}",
        f"A component of world `veracruz:guest` exports {ENTRY_POINT!r} and nothing else.",
        _OUR_WORLD,
    ),
    RefusalCode.EXPORT_TYPE: Rule(
        "TLX014",
        f"a component does not export {ENTRY_POINT!r} as its world has it",
        f"The engine calls `{ENTRY_POINT}: {MAIN_TYPE}`.",
        _OUR_WORLD,
    ),
    RefusalCode.FORBIDDEN_PART: Rule(
        "TLX015",
        "a component has a part that is not hosted",
        "Components and instances of components inside, resources, core types, start functions and "
        "asynchronous functions are not of the world that is hosted.",
        _OUR_WORLD,
    ),
    RefusalCode.START_SECTION: Rule(
        "TLX020",
        "the module has a start section",
        "It would run code before the entry point is called.",
        "initialise in `main`, or in an exported `_initialize` of type () -> ()",
    ),
    RefusalCode.NO_MEMORY: Rule(
        "TLX030",
        f"no memory of the module is exported as {MEMORY!r}",
        "Host calls read and write that memory.",
        f"define a memory and export it as {MEMORY!r}, which linkers do by themselves",
    ),
    RefusalCode.MEMORY_SIZE: Rule(
        "TLX031",
        "the memory is larger at first than the limit",
        "The limit of a policy that names none is used; a policy can set another.",
        "lower the initial memory or the stack size, or raise the policy's limit",
    ),
    RefusalCode.TABLE_SIZE: Rule(
        "TLX032",
        "tables are more or larger than the limit",
        "How many tables there may be is fixed. A policy can set another limit on the elements of "
        "each.",
        "use fewer and smaller tables",
    ),
    RefusalCode.TOO_MANY_ENTRIES: Rule(
        "TLX050",
        "the module has too many parts of one kind",
        "The limit is fixed.",
        "link less into the module, with section garbage collection",
    ),
    RefusalCode.FUNCTION_SIZE: Rule(
        "TLX051",
        "a function's code is larger than the limit",
        "The time to compile a function grows faster than its size, and nothing can interrupt it. "
        "A policy can set another limit.",
        "split the function; large constant tables belong into data",
    ),
    RefusalCode.LOCALS: Rule(
        "TLX052",
        "a function has more locals than the limit",
        "The time to compile a function grows faster than the number of its locals, and nothing "
        "can interrupt it. A policy can set another limit.",
        "split the function, or build with optimisation",
    ),
    RefusalCode.NESTING: Rule(
        "TLX053",
        "a function nests blocks deeper than the limit",
        "The time to compile a function grows faster than its nesting, and nothing can interrupt "
        "it. A policy can set another limit. A `switch` nests as deep as it has cases.",
        "split the function; look values up in a table instead of a large `switch`",
    ),
    RefusalCode.JUMP_TABLE: Rule(
        "TLX054",
        "a jump table has more targets than the compiler takes",
        "A `br_table` is valid with any number of targets, and compiled only up to a fixed one.",
        "look values up in data instead of a huge `switch`",
    ),
}

OWN_RULES: Final = (
    UNREADABLE,
    WRONG_PROGRAM,
    DATA_OUTSIDE,
    ELEMENTS_OUTSIDE,
    NO_ENTRY,
    ENTRY_TYPE,
)
RULES: Final = {
    rule.code: rule
    for rule in sorted(
        (*OWN_RULES, *RULES_OF_THE_ENGINE.values()),
        key=lambda rule: rule.code,
    )
}
