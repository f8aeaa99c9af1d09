"""Memory of a run over the size of its input: linear memory, a piece of the input, and a constant.

The program reads its input as a whole. It runs in the guest's process of the freestanding engine,
which is forked, bounded and fed as an isolate's guest is. The peak is the kernel's count of
resident pages (`VmHWM`). Of the anonymous file that the input is in, the host call has a piece in
view, and lets it go when the program has a copy. The constant is what the peak has beyond that and
the linear memory; most of it are pages of Python and the engine, shared with the process that the
guest is forked from.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Final

from measuring import MIB, Figure, Memory, Option, at_most, children_of, forget_peak, run
from wasmtime import wat2wasm

from colima.runtime import ContentKind
from execution_engine.limits import EngineLimits
from mexico_city.computation import Job
from mexico_city.content import Content, ContentWriter, content_of
from mexico_city.inputs import Package, Slot
from sdk.freestanding.guest import GuestOptions
from sdk.freestanding.process import GuestProcess
from veracruz_utils.policy import Limits, Strategy
from veracruz_utils.secret import Secret

_MEMORY_BYTES: Final = 2048 * MIB
_SECONDS: Final = 300
_COPIED_BYTES: Final = 8 * MIB
"""Of an input at once, by the host call."""
_PIECE: Final = bytes(range(256)) * 4096
_READER: Final = """(module
  (import "env" "__veracruz_hcall_input_size" (func $size (param i32 i32) (result i32)))
  (import "env" "__veracruz_hcall_read_input" (func $read (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "main") (result i32) (local $bytes i32)
    (drop (call $size (i32.const 0) (i32.const 0)))
    (local.set $bytes (i32.load (i32.const 0)))
    (drop (memory.grow (i32.shr_u (local.get $bytes) (i32.const 16))))
    (call $read (i32.const 0) (i32.const 65536) (local.get $bytes))))"""


def measure(rounds: int, largest: int) -> list[Figure]:
    """Watch the memory of a program that reads inputs of different sizes."""
    sizes = [4**power for power in range(6) if 4**power <= largest]
    if sizes[-1] != largest:
        sizes.append(largest)
    figures, least = [], 0.0
    for size in sizes:
        with _input(size) as package:
            peaks = [_beyond(package) for _ in range(rounds)]
        constants = [peak - accounted for peak, accounted, _ in peaks]
        what = f"memory of a run, input of {size} MiB"
        figures.append(Figure(what, "beyond linear memory and a piece", constants, unit="MiB"))
        least = least or figures[0].median
        ratios = [peak / (accounted + least) for peak, accounted, _ in peaks]
        figures.append(Figure(what, "linear memory + piece + constant", ratios, at_most(1.02)))
    rests = [rest for *_, rest in peaks]
    figures.append(Figure("memory of a loaded program", "at rest", rests, unit="MiB"))
    return figures


def _beyond(package: Package) -> tuple[float, float, float]:
    """In MiB: the peak of a run, linear memory and a piece together, and the process at rest."""
    limits = Limits(memory_bytes=_MEMORY_BYTES)
    options = GuestOptions(
        Strategy.JIT, EngineLimits(memory_bytes=_MEMORY_BYTES, run_seconds=None), limits
    )
    with ExitStack() as stack:
        guest = stack.enter_context(closing(GuestProcess(options)))
        module = content_of(bytes(wat2wasm(_READER)))
        stack.callback(module.close)
        guest.load(module, seconds=_SECONDS)
        (process_id,) = children_of(os.getpid())
        forget_peak(process_id)
        rest = Memory.of(process_id).resident
        returned, _ = guest.run(Job([package], [], None), seconds=_SECONDS)
        assert returned.return_code == 0
        peak = Memory.of(process_id).peak
    seen = min(package.content.size, _COPIED_BYTES)
    return peak, (seen + returned.memory_peak) / MIB, rest


@contextmanager
def _input(size_mib: int) -> Iterator[Package]:
    content = _filled(size_mib)
    try:
        slot = Slot(ContentKind.DATA, 0, 0, content.size)
        yield Package(slot, content, Secret(bytes(32)), bytes(32))
    finally:
        content.close()


def _filled(size_mib: int) -> Content:
    writer = ContentWriter(size_mib * MIB)
    for _ in range(size_mib):
        writer.write(_PIECE)
    return writer.finish()


if __name__ == "__main__":
    largest = Option("largest", 1024, "size of the largest input in MiB")
    run("input_memory", measure, rounds=3, more=[largest])
