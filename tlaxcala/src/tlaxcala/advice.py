"""What to do about a refusal, in words for the toolchain that the program is by.

The engine says by a code and a text that names both sides why a program is not run; in an isolate
that is all. What an author should do is told here, to tools on the author's side: by the names in
that text, of a feature or of an import, and otherwise by the rule of the code.
"""

import re
from ast import literal_eval
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from execution_engine import abi, world
from execution_engine.errors import RefusalCode
from execution_engine.interface import Import
from tlaxcala.rules import RULES_OF_THE_ENGINE

ADAPT: Final = "run `veracruz-sdk adapt` on it, which links it with what answers WASI"
OF_WASI_COMPONENTS: Final = (
    "it is a component that speaks WASI 0.2 or later: build the same sources as a module for WASI "
    "0.1 (Rust: `--target wasm32-wasip1`; TinyGo: `-target=wasip1`; C: `-target wasm32-wasi`; "
    f"otherwise leave out what makes a component of the module), and {ADAPT}; of Python and "
    "JavaScript no such module is made: a program in Python begins with `veracruz-sdk new "
    "--language python`"
)
"""What to do about a component that imports interfaces of WASI."""
_MOST_SHOWN: Final = 80

_OF_FEATURES: Final = {
    "memory64": "build for wasm32 and not wasm64: Emscripten without `-sMEMORY64`, clang and zig "
    "with `-target wasm32-...`, Rust for `wasm32-unknown-unknown`",
    "threads": "build for one thread: clang, zig and Emscripten without `-pthread` and "
    "`-matomics`, Rust without `+atomics`, and link without `--shared-memory`",
    "exceptions": "build without exceptions: C++ with `-fno-exceptions`, Emscripten without "
    '`-fwasm-exceptions`, Rust with `panic = "abort"`; Kotlin, Dart and others that cannot do '
    "without do not run",
    "legacy_exceptions": "build without exceptions: C++ with `-fno-exceptions`, Emscripten without "
    '`-fwasm-exceptions`, Rust with `panic = "abort"`',
    "gc": "take a toolchain that brings its own memory management (Rust, C, C++, Zig, Go, "
    "AssemblyScript, Python): Kotlin, Dart, Java, OCaml and Scheme need the engine's and do not "
    "run",
    "function_references": "build without typed references: Binaryen without "
    "`--enable-typed-function-references` and `--enable-gc`, Rust and clang without `+gc`",
    "externref": "build without reference types: Rust without wasm-bindgen, AssemblyScript with "
    "`--disable reference-types`, clang with `-mno-reference-types`",
    "relaxed_simd": "build without it: clang, zig and Emscripten without `-mrelaxed-simd`, Rust "
    "without `+relaxed-simd`, AssemblyScript without `--enable relaxed-simd`; its results differ "
    "between processors, and fixed-width SIMD (`-msimd128`, `+simd128`) is there",
    "multi_memory": "have one memory: `wasm-opt --multi-memory-lowering` makes one of several",
    "stack_switching": "build without it: Binaryen without `--enable-stack-switching`",
    "wide_arithmetic": "build without it: clang and zig without `-mwide-arithmetic`, Rust without "
    "`+wide-arithmetic`",
    "custom_page_sizes": "link with pages of 64 KiB, without `--page-size`",
    "compact_imports": "have the tool that wrote the module write each import by itself",
}

_ASSEMBLY_SCRIPT: Final = {
    "abort": "AssemblyScript: compile with `--use abort=` (a failed check traps); C and C++: "
    "`abort` is the libc's, so build with one, or call `__builtin_trap()`",
    "seed": "AssemblyScript: `Math.random` asks for it; take random numbers from `getrandom` of "
    "the host, or compile with `--use seed=`",
    "trace": "AssemblyScript: compile with `--use trace=`",
}
_ASSEMBLY_SCRIPT_OBJECTS: Final = re.compile(r"(console|Math|Date|performance|process|crypto)\.\w+")
_EMSCRIPTEN: Final = re.compile(
    r"_{0,2}(emscripten_.*|syscall_.*|abort_js|mmap_js|munmap_js|tzset_js|setitimer_js|localtime_js"
    r"|gmtime_js|embind_.*|emval_.*|cxa_.*|asyncjs_.*|main_argc_argv)"
    r"|invoke_[a-z]+|setTempRet0|getTempRet0|proxy_.*"
)
_EMSCRIPTEN_ADVICE: Final = (
    "Emscripten: link with `-sSTANDALONE_WASM`, without JavaScript and exceptions, so that it asks "
    f"for WASI alone; then {ADAPT}"
)
_WASI: Final = re.compile(r"wasi_snapshot_preview1|wasi:.*")
_BINDGEN: Final = re.compile(r"__wbindgen_.*|wbg|\./.*_bg\.js|\./snippets/.*")
_BINDGEN_ADVICE: Final = (
    "wasm-bindgen: leave out what calls JavaScript: the crates wasm-bindgen, js-sys and web-sys, "
    "and features of others that take them (`js` or `wasm_js` of getrandom and uuid, `wasmbind` of "
    "chrono); `cargo tree -i wasm-bindgen` says who does. Random numbers: veracruz_getrandom"
)
_GO: Final = re.compile(r"go(js)?")
_GO_ADVICE: Final = f"Go: build with GOOS=wasip1 GOARCH=wasm, not GOOS=js; then {ADAPT}"
_POSITION_INDEPENDENT: Final = re.compile(r"GOT\.(mem|func)")
_MINIFIED: Final = re.compile(r"[a-z]\w?")

_FEATURE: Final = re.compile(r"(\w+) \(.*\) is switched off$")
_QUOTED: Final = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_FUNCTION: Final = re.compile(f"({_QUOTED})\\.({_QUOTED}) is (not one of the host calls|a )")
_INTERFACE: Final = re.compile(f"({_QUOTED}) is imported, the host gives ")
_HOST_CALL: Final = re.compile(f"({_QUOTED}) is not one of the host calls")


def advice(code: RefusalCode, detail: str) -> str:
    """What the author of a program that is refused should do.

    Args:
        code: why the engine refuses it.
        detail: the engine's text.
    """
    usual = RULES_OF_THE_ENGINE[code].remedy
    return next(_particular(code, detail), usual)


def advice_without_entry(imports: Iterable[Import]) -> str | None:
    """What to do about a module that exports no `main`, if what it imports tells more of it."""
    if any(_WASI.fullmatch(one.module) for one in imports):
        return f"{ADAPT} and makes `{abi.ENTRY_POINT}` of its `_start`"
    return None


def advice_on_import(module: str, name: str) -> str | None:
    """What to do about a function that the host does not give; None if its name tells nothing."""
    return next(_of_import(module, name, RefusalCode.FORBIDDEN_IMPORT), None)


def _particular(code: RefusalCode, detail: str) -> Iterator[str]:
    if code is RefusalCode.FEATURE and (found := _FEATURE.search(detail)):
        yield from (_OF_FEATURES[name] for name in [found[1]] if name in _OF_FEATURES)
    if code in (RefusalCode.FORBIDDEN_IMPORT, RefusalCode.IMPORT_KIND):
        if found := _FUNCTION.match(detail):
            yield from _of_import(_said(found[1]), _said(found[2]), code)
        elif found := _INTERFACE.match(detail) or _HOST_CALL.match(detail):
            yield from _of_interface(_said(found[1]))


def _said(text: str) -> str:
    return str(literal_eval(text))


def _of_import(module: str, name: str, code: RefusalCode) -> Iterator[str]:
    if module == "wasi_unstable":
        yield "it speaks WASI as it was before 0.1: build it with a toolchain of after 2020"
    elif _WASI.fullmatch(module):
        yield f"it speaks WASI: {ADAPT}; `veracruz-sdk build` does so by itself"
    elif _BINDGEN.fullmatch(module) or _BINDGEN.fullmatch(name):
        yield _BINDGEN_ADVICE
    elif _GO.fullmatch(module):
        yield _GO_ADVICE
    elif code is RefusalCode.IMPORT_KIND or _POSITION_INDEPENDENT.fullmatch(module):
        return
    elif module == abi.MODULE:
        yield from _of_environment(name)
    elif near := _host_call_like(name):
        yield f"import it from module {abi.MODULE!r}: {near!r}"
    elif _MINIFIED.fullmatch(module) and _MINIFIED.fullmatch(name):
        yield f"its names are made short, as by Emscripten for its JavaScript. {_EMSCRIPTEN_ADVICE}"


def _of_environment(name: str) -> Iterator[str]:
    """For a function of the module that the host calls are in."""
    if near := _host_call_like(name):
        yield f"did you mean {near!r}? That is the name of the host call"
    elif name in _ASSEMBLY_SCRIPT:
        yield _ASSEMBLY_SCRIPT[name]
    elif _ASSEMBLY_SCRIPT_OBJECTS.fullmatch(name):
        yield (
            f"AssemblyScript: {name} is of JavaScript; do without, or take what the host calls give"
        )
    elif _EMSCRIPTEN.fullmatch(name):
        yield _EMSCRIPTEN_ADVICE
    else:
        yield (
            f"{name[:_MOST_SHOWN]!a} is nowhere defined: link the library that has it, or link "
            "without `--allow-undefined`, so that the linker names who asks for it"
        )


def _host_call_like(name: str) -> str | None:
    if name in abi.IMPORTS:
        return name
    known = {call.name: call.import_name for call in abi.HOST_CALLS}
    spelled = {each: each for each in abi.IMPORTS} | known
    near = get_close_matches(name[:_MOST_SHOWN], spelled, n=1, cutoff=0.85)
    return spelled[near[0]] if near else None


def _of_interface(name: str) -> Iterator[str]:
    if _WASI.fullmatch(name):
        yield OF_WASI_COMPONENTS
    elif near := get_close_matches(name[:_MOST_SHOWN], [world.INTERFACE, *world.FUNCTIONS], n=1):
        yield f"did you mean {near[0]!r}? `veracruz-sdk build` builds for the world "
        "`veracruz:guest`"
