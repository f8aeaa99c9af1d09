"""Names of functions as their author wrote them, where a compiler of Rust or C++ mangled them.

The engine has demanglers of both, for the backtraces that it writes. So a function of this name is
made that does nothing but trap, and its backtrace is read.
"""

import re
from functools import lru_cache
from typing import Final

from wasmtime import Config, Engine, Instance, Module, Store, Trap, WasmtimeError

from sdk.wasm_writing import sized

MOST_CHARS: Final = 200
_MOST_MANGLED: Final = 1024
_MANGLED: Final = re.compile(r"_(?:R|ZN|Z)[\x21-\x7e]+")
_FRAME: Final = re.compile(r"0: +0x[0-9a-f]+ - <unknown>!(.*?)\n", re.DOTALL)
# What tells apart crates and instances of one name, and tells a reader nothing.
_HASH: Final = re.compile(r"::h[0-9a-f]{16}\Z|(?<=\w)\[[0-9a-f]{1,16}\]")
_HEAD: Final = (
    b"\0asm\1\0\0\0"
    b"\1\4\1\x60\0\0"  # a type: () -> ()
    b"\3\2\1\0"  # a function of it
    b"\7\5\1\1f\0\0"  # exported as "f"
    b"\x0a\5\1\3\0\0\x0b"  # unreachable
)


@lru_cache(maxsize=256)
def demangled(name: str) -> str:
    """A function's name for people; as it is, but cut, if it is not mangled."""
    if len(name) > _MOST_MANGLED or not _MANGLED.fullmatch(name):
        return name[:MOST_CHARS]
    found = _FRAME.search(_backtrace(name))
    plain = without_hashes(found[1]) if found else name
    return (plain if plain.isprintable() else name)[:MOST_CHARS]


def without_hashes(name: str) -> str:
    """A demangled name without what its compiler added."""
    return _HASH.sub("", name)


def _backtrace(name: str) -> str:
    config = Config()
    config.parallel_compilation = False  # its threads do not survive a fork: a compile would hang
    try:
        with Engine(config) as engine, Store(engine) as store:
            function = Instance(store, Module(engine, _module(name)), []).exports(store)["f"]
            function(store)  # type: ignore[operator]
    except Trap as trap:
        return trap.message
    except WasmtimeError:  # there is no room for it
        pass
    return ""


def _module(name: str) -> bytes:
    text = name.encode()
    names = b"\1" + sized(b"\1\0" + sized(text))  # of functions: one, the first
    return _HEAD + b"\0" + sized(sized(b"name") + names)
