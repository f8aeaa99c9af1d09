"""Guests for tests of the runtime: what they do shows in their output."""

import struct
from dataclasses import dataclass

from support.guests import IMPORTS, calling, main, module

_OUT = 65536
"""Where the collector gathers its output."""


def _collect(kind: str, noun: str) -> str:
    """Append the size and the content of every input of a kind."""
    return f"""
        (drop (call ${kind}_count (i32.const 0)))
        (local.set $n (i32.load (i32.const 0)))
        (local.set $i (i32.const 0))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
            (drop (call ${kind}_size (local.get $i) (local.get $at)))
            (local.set $size (i32.load (local.get $at)))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (drop (call $read_{noun} (local.get $i) (local.get $at) (local.get $size)))
            (local.set $at (i32.add (local.get $at) (local.get $size)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))"""


def _collector(before: str = "") -> bytes:
    return module(
        f"""(func (export "main") (result i32)
        (local $at i32) (local $i i32) (local $n i32) (local $size i32)
        {before}
        (local.set $at (i32.const {_OUT}))
        {_collect("input", "input")}
        {_collect("stream", "stream")}
        (drop (call $has_previous_result (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (drop (call $previous_result_size (local.get $at)))
        (local.set $size (i32.load (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (drop (call $read_previous_result (local.get $at) (local.get $size)))
        (local.set $at (i32.add (local.get $at) (local.get $size)))
        (call $write_output (i32.const {_OUT}) (i32.sub (local.get $at) (i32.const {_OUT}))))""",
        memory='(memory (export "memory") 512)',
        imports=IMPORTS,
    )


COLLECTOR = _collector()
"""Writes down all that it was given; `Collected.parse` reads it."""
DAWDLER = _collector(
    """(local.set $i (i32.const 2000000000))
        (loop $again
            (local.set $i (i32.sub (local.get $i) (i32.const 1)))
            (br_if $again (local.get $i)))"""
)
"""Does the same after a while, in which something can happen to it."""


@dataclass(frozen=True)
class Collected:
    """What a collector was given: inputs and streams in their order, and the previous result."""

    items: tuple[bytes, ...]
    previous: bytes | None

    @classmethod
    def parse(cls, output: bytes, *, count: int) -> "Collected":
        items = []
        for _ in range(count):
            (size,) = struct.unpack_from("<I", output)
            items.append(output[4 : 4 + size])
            output = output[4 + size :]
        has_previous, size = struct.unpack_from("<II", output)
        assert len(output) == 8 + size
        return cls(tuple(items), output[8:] if has_previous else None)


ACCUMULATOR = main(
    """
    (drop (call $read_input (i32.const 0) (i32.const 0) (i32.const 8)))
    (drop (call $has_previous_result (i32.const 32)))
    (if (i32.load (i32.const 32))
        (then (drop (call $read_previous_result (i32.const 0) (i32.const 8)))))
    (drop (call $read_stream (i32.const 0) (i32.const 8) (i32.const 8)))
    (drop (call $read_stream (i32.const 1) (i32.const 16) (i32.const 8)))
    (f64.store (i32.const 0) (f64.add (f64.load (i32.const 0))
        (f64.add (f64.load (i32.const 8)) (f64.load (i32.const 16)))))
    (call $write_output (i32.const 0) (i32.const 8))
    """
)
"""A number, two streams of one number a round: their sum, carried over from round to round."""

RANDOM = calling(("getrandom", 0, 32), ("write_output", 0, 32))
NAN = calling(
    ("(f64.store (i32.const 0) (f64.add (f64.const nan:0x8000000000bed) (f64.const 1)))",),
    ("write_output", 0, 8),
)
ECHO = main(
    """
    (drop (call $input_size (i32.const 0) (i32.const 0)))
    (drop (memory.grow (i32.add (i32.shr_u (i32.load (i32.const 0)) (i32.const 16)) (i32.const 1))))
    (drop (call $read_input (i32.const 0) (i32.const 65536) (i32.load (i32.const 0))))
    (call $write_output (i32.const 65536) (i32.load (i32.const 0)))
    """
)
"""Its first input, whatever the size, by one buffer."""
HELLO = calling(("write_output", 0, 5), data="hello")
SILENT = calling(("(local.set $status (i32.const 0))",))
FAILING = calling(("write_output", 0, 5), ("(return (i32.const -4))",), data="hello")
WANTS_FOUR = main(
    """(drop (call $input_size (i32.const 0) (i32.const 0)))
    (if (i32.ne (i32.load (i32.const 0)) (i32.const 4)) (then (return (i32.const -4))))
    (drop (call $read_input (i32.const 0) (i32.const 8) (i32.const 4)))
    (call $write_output (i32.const 8) (i32.const 4))"""
)
"""Gives back its input if that has four bytes, and fails with -4 otherwise."""
TRAPPING = main("unreachable")
ENDLESS = main("(loop $again (br $again)) (i32.const 0)")


def writing(size: int) -> bytes:
    """A program whose result has this many bytes, all zero."""
    pages = size // 65536 + 1
    return module(
        f'(func (export "main") (result i32)'
        f" (call $write_output (i32.const 0) (i32.const {size})))",
        memory=f'(memory (export "memory") {pages})',
        imports=IMPORTS,
    )


def slow_to_compile(functions: int) -> bytes:
    """A valid module in the binary format, with as many functions of some 100 KB each."""
    body = b"\x00" + b"\x20\x00\x41\x07\x6c\x21\x00" * 16_000 + b"\x20\x00\x0b"
    sized = _leb(len(body)) + body
    return b"".join(
        [
            b"\0asm\1\0\0\0",
            _section(1, b"\x02\x60\x01\x7f\x01\x7f\x60\x00\x01\x7f"),
            _section(3, _leb(functions + 1) + b"\x00" * functions + b"\x01"),
            _section(5, b"\x01\x00\x01"),
            _section(7, b"\x02\x06memory\x02\x00\x04main\x00" + _leb(functions)),
            _section(10, _leb(functions + 1) + sized * functions + b"\x04\x00\x41\x00\x0b"),
        ]
    )


def large(size: int) -> bytes:
    """A module of more than so many bytes, which returns 0."""
    return main("(i32.const 0)") + _section(0, b"\4more" + bytes(size))


def _section(number: int, content: bytes) -> bytes:
    return bytes([number]) + _leb(len(content)) + content


def _leb(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
