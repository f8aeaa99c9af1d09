"""Programs that use as much of something as they can; the large ones straight in binary."""

from support.guests import main, module
from support.runtime_guests import _leb, _section

HOST_CALLS = main("(loop (drop (call $input_count (i32.const 0))) (br 0)) (unreachable)")
FILLS = main(
    """(drop (memory.grow (i32.const 8191)))
       (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x20000000)) (br 0))
       (unreachable)"""
)
GROWTH = main("(loop (drop (memory.grow (i32.const 1))) (br 0)) (unreachable)")
GREEDY = main(
    """(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0))))
       (memory.fill (i32.const 0) (i32.const 255) (i32.mul (memory.size) (i32.const 65536)))
       (i32.store (i32.const 0) (memory.size))
       (call $write_output (i32.const 0) (i32.const 4))"""
)
RECURSION = main("(call $main)")


def calls(depth: int) -> bytes:
    """So many calls inside one another."""
    return main(
        f"(drop (call $down (i32.const {depth}))) (i32.const 0)",
        fields="""(func $down (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0))))""",
    )


def of_body(body: bytes, locals_: bytes = b"\0") -> bytes:
    """A module whose main has these instructions (without `end`) and declarations of locals."""
    code = locals_ + body + b"\x0b"
    return b"".join(
        [
            b"\0asm\1\0\0\0",
            _section(1, b"\x01\x60\x00\x01\x7f"),
            _section(3, b"\x01\x00"),
            _section(5, b"\x01\x00\x01"),
            _section(7, b"\x02\x06memory\x02\x00\x04main\x00\x00"),
            _section(10, b"\x01" + _leb(len(code)) + code),
        ]
    )


def jump_table(targets: int, *, nesting: int = 1000) -> bytes:
    """A jump by a table of so many targets out of so many blocks."""
    table = b"".join(_leb(place % nesting) for place in range(targets))
    jump = b"\x41\x00\x0e" + _leb(targets) + table + b"\x00"
    return of_body(b"\x02\x40" * nesting + jump + b"\x0b" * nesting + b"\x41\x00")


def many_locals(count: int) -> bytes:
    """So many locals, none of them used."""
    return of_body(b"\x41\x00", b"\x01" + _leb(count) + b"\x7f")


def live_locals(count: int, *, loops: int, reads: int) -> bytes:
    """Many locals that all live through many loops: slow to find registers for."""
    steps = (_leb(place % count) for place in range(reads))
    body = b"".join(b"\x20" + step + b"\x41\x01\x6a\x21" + step for step in steps)
    ends = b"\x20\x00\x0d\x00\x0b" * loops
    locals_ = b"\x01" + _leb(count) + b"\x7f"
    return of_body(b"\x03\x40" * loops + body + ends + b"\x20\x00", locals_)


def nested(depth: int) -> bytes:
    """So many blocks inside one another."""
    return of_body(b"\x02\x40" * depth + b"\x0b" * depth + b"\x41\x00")


def nested_values(depth: int) -> bytes:
    """So many blocks inside one another, each of which passes a number on: slow to compile."""
    return of_body(b"\x02\x7f" * depth + b"\x41\x00" + b"\x0b" * depth)


def large_function(size: int) -> bytes:
    """A function of so many bytes, none of them idle."""
    start, step, rest = b"\x01\x01\x7f", b"\x20\x00\x41\x07\x6c\x21\x00", b"\x20\x00"
    steps, nops = divmod(size - len(start) - len(rest) - 1, len(step))
    return of_body(step * steps + b"\x01" * nops + rest, start)


def data(size: int) -> bytes:
    """A data segment of so many bytes."""
    pages = size // 65536 + 1
    code = b"\x00\x41\x00\x0b"
    return b"".join(
        [
            b"\0asm\1\0\0\0",
            _section(1, b"\x01\x60\x00\x01\x7f"),
            _section(3, b"\x01\x00"),
            _section(5, b"\x01\x00" + _leb(pages)),
            _section(7, b"\x02\x06memory\x02\x00\x04main\x00\x00"),
            _section(10, b"\x01" + _leb(len(code)) + code),
            _section(11, b"\x01\x00\x41\x00\x0b" + _leb(size) + b"\xa5" * size),
        ]
    )


def with_memory(pages: int) -> bytes:
    """A module with a memory of so many pages at first."""
    return module(
        '(func (export "main") (result i32) (i32.const 0))',
        memory=f'(memory (export "memory") {pages})',
    )


def with_table(elements: int) -> bytes:
    """A module with a table of so many elements at first."""
    return main("(i32.const 0)", fields=f"(table {elements} funcref)")
