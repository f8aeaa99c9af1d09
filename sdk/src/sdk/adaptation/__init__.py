"""Programs that speak WASI 0.1: linked with an adapter, so that they ask for host calls alone.

Nothing of WASI is in the trusted runtime. What a program finds there is in the how-to
"A program that speaks WASI".
"""

from collections.abc import Mapping, Sequence
from typing import Final

from execution_engine.reader import BinaryError
from execution_engine.static_limits import is_component
from execution_engine.text import quoted
from execution_engine.wasm.binary import Binary, parse
from execution_engine.wasm.component_binary import imported_names
from execution_engine.wasm.features import feature_problems, why_invalid
from execution_engine.world import INTERFACE
from sdk.adaptation.adapter import WASI, shipped_adapter
from sdk.adaptation.linker import Given, link
from sdk.errors import AdaptationError
from tlaxcala.advice import OF_WASI_COMPONENTS, advice

__all__ = ["CLOCK", "adapt", "speaks_wasi"]

CLOCK: Final = 946_684_800
"""What clocks show when a program begins, if nothing else is asked for: the year 2000, in UTC."""
_MAGIC: Final = b"\0asm\1\0\0\0"


def speaks_wasi(code: bytes) -> bool:
    """Whether a module imports something of WASI 0.1.

    Raises:
        AdaptationError: the bytes are not a module.
    """
    return any(one.module == WASI for one in _parsed(code).imports)


def adapt(
    code: bytes,
    *,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    clock: int = CLOCK,
) -> bytes:
    """A program that speaks WASI 0.1, as a program of Veracruz.

    The same bytes and arguments give the same bytes everywhere.

    Args:
        code: a module that a toolchain built for wasm32-wasip1.
        arguments: what it finds as its arguments, after its name.
        environment: what it finds as its environment.
        clock: what its clocks show when it begins, in seconds since 1970.

    Raises:
        AdaptationError: it is no such program, or what it is to find there cannot be given.
    """
    program = _parsed(code)
    given = Given(arguments, environment or {}, clock)
    # The linker reads what it changes, and takes the numbers in it to be those of things there.
    if (why := _why_invalid(code)) is not None:
        raise AdaptationError(f"the program is not valid: {why}")
    try:
        return link(program, shipped_adapter(), given)
    except BinaryError as error:
        raise AdaptationError(f"the program cannot be read: {error}") from error


def _parsed(code: bytes) -> Binary:
    if is_component(code):
        raise AdaptationError(_why_not_a_component(code))
    if code[:8] != _MAGIC:
        raise AdaptationError("the program is not a WebAssembly module: give the linked .wasm")
    try:
        return parse(code)
    except BinaryError as error:
        # A feature that it needs says more than where reading ended.
        why = _why_invalid(code) or error
        raise AdaptationError(f"the program cannot be read: {why}") from error


def _why_invalid(code: bytes) -> str | None:
    """Why a module is not valid, with what to do about the features that it needs."""
    if (why := why_invalid(code)) is None:
        return None
    needed = [f"{text}: {advice(found, text)}" for found, text in feature_problems(code)]
    return "; ".join(needed) or why


def _why_not_a_component(code: bytes) -> str:
    imported = list(imported_names(code))
    if of_wasi := [name for name in imported if name.startswith("wasi:")]:
        return f"the program imports {quoted(of_wasi[0])}: {OF_WASI_COMPONENTS}"
    if INTERFACE in imported:
        return f"the program is a component of Veracruz ({INTERFACE}): it is run as it is"
    return (
        "the program is a component, and imports nothing of WASI: `tlaxcala check` says whether it "
        "is run as it is; what is adapted is a module for WASI 0.1"
    )
