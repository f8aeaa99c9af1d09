"""Small guests in WebAssembly text, and what they run on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from wasmtime import wat2wasm

from execution_engine.abi import HOST_CALLS

IMPORTS = "\n".join(
    f'(import "env" "{call.import_name}" (func ${call.name} '
    f"(param{' i32' * len(call.params)}) (result i32)))"
    for call in HOST_CALLS
)
STATUSES = 1024
"""Where `calling` stores the status of each call, four bytes each."""


@cache
def wasm(text: str) -> bytes:
    """The binary form of a module in text form."""
    return bytes(wat2wasm(text))


def module(body: str, *, memory: str = '(memory (export "memory") 1)', imports: str = "") -> bytes:
    """A module with a memory and these fields."""
    return wasm(f"(module {imports} {memory} {body})")


def main(body: str, *, fields: str = "") -> bytes:
    """A module whose `main` is these instructions, with all host calls at hand."""
    return module(f'(func $main (export "main") (result i32) {body}) {fields}', imports=IMPORTS)


def calling(*steps: Sequence[object], data: str = "", dump: bool = False) -> bytes:
    """A module whose `main` makes these host calls and returns the last one's status.

    A step is a name and its arguments, or an instruction as text. With `dump` the first page of
    memory becomes the output in the end, and `main` returns 0 then.
    """
    lines = []
    for place, (name, *arguments) in enumerate(steps):
        if str(name).startswith("("):
            lines.append(str(name))
            continue
        values = " ".join(f"(i32.const {argument})" for argument in arguments)
        lines.append(f"(local.set $status (call ${name} {values}))")
        lines.append(f"(i32.store (i32.const {STATUSES + 4 * place}) (local.get $status))")
    if dump:
        lines.append("(return (call $write_output (i32.const 0) (i32.const 65536)))")
    code = "\n".join(["(local $status i32)", *lines, "(local.get $status)"])
    return main(code, fields=f'(data (i32.const 0) "{data}")' if data else "")


@dataclass
class CountingRandom:
    """Bytes that count up, so that a test knows them; and every request made."""

    requests: list[int] = field(default_factory=list)
    drawn: int = 0

    def fill(self, size: int) -> bytes:
        self.requests.append(size)
        start, self.drawn = self.drawn, self.drawn + size
        return bytes((place + 1) & 0xFF for place in range(start, self.drawn))
