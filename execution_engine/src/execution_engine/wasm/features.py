"""Which features that are switched off a module needs, for who wants to know why it is not run.

The validator tells, and not its words: with everything switched on a module is valid that is of a
later WebAssembly than ours, and what it needs is what it is not valid without. In an isolate, where
nobody asks, such a module is malformed or invalid.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import closing
from typing import Final

from wasmtime import Config, Engine, Module, WasmtimeError

from execution_engine import _capi
from execution_engine.errors import Problem, RefusalCode
from execution_engine.strategy import COMPONENT, OFF, ON
from execution_engine.text import sanitised

FEATURES: Final = {
    "memory64": "64-bit memories and tables",
    "threads": "shared memories and atomic instructions",
    "exceptions": "tags, throw and try_table",
    "legacy_exceptions": "try and catch as they were before the standard",
    "gc": "structs and arrays that the engine collects",
    "function_references": "typed references to functions, call_ref",
    "externref": "references to things of the host",
    "relaxed_simd": "vector instructions whose results differ between processors",
    "multi_memory": "several memories",
    "stack_switching": "continuations",
    "wide_arithmetic": "integers of 128 bits",
    "custom_page_sizes": "pages of another size than 64 KiB",
    "compact_imports": "imports written in groups",
}
"""What can be missing, and what it is; the names are those of the proposals."""

# What values of the host, and those that the engine collects, need besides.
_COLLECTOR: Final = "externref"
_LEGACY: Final = "legacy_exceptions"
_PROPOSALS: Final = frozenset(FEATURES) & frozenset(OFF)


def feature_problems(code: bytes) -> Iterator[Problem]:
    """One problem for each feature that a module needs and is switched off.

    Of bytes that no set of features makes a module there is none.
    """
    for name in missing_features(code):
        yield RefusalCode.FEATURE, f"{name} ({FEATURES[name]}) is switched off"


def missing_features(code: bytes) -> tuple[str, ...]:
    """The names in `FEATURES` of what a module needs and is switched off."""
    everything = _PROPOSALS | {_COLLECTOR}
    error = _invalid(code, everything)
    if error is not None:  # the engine can read no more than that they are old
        return (_LEGACY,) if _LEGACY in error else ()
    needed = [name for name in FEATURES if name in everything]
    needed = [name for name in needed if _invalid(code, everything - {name}) is not None]
    # Whatever is collected by the engine needs its collector; only without more is it externref.
    return tuple(name for name in needed if name != _COLLECTOR or len(needed) == 1)


def why_invalid(code: bytes) -> str | None:
    """Why a module is not valid, in words for people; None if it is."""
    error = _invalid(code, frozenset())
    if error is None:
        return None
    missing = [text for _, text in feature_problems(code)]
    return "; ".join(missing) or sanitised(WasmtimeError(error))


def _invalid(code: bytes, features: AbstractSet[str]) -> str | None:
    """What the validator says against a module, with these features besides ours, if anything."""
    with closing(_engine(features)) as engine:
        try:
            Module.validate(engine, code)
        except WasmtimeError as error:
            return str(error)
    return None


def _engine(features: AbstractSet[str]) -> Engine:
    config = Config()
    for name in {*ON, *OFF, COMPONENT}:
        _capi.set_feature(config, name, on=name in ON or name in features)
    config.gc_support = _COLLECTOR in features
    config.parallel_compilation = False
    return Engine(config)
