"""Modules changed at random: most are broken, many remain modules."""

from random import Random

from execution_engine.reader import sections
from execution_engine.static_limits import is_component
from execution_engine.wasm.binary import parse
from sdk.examples import programs
from support.components import component
from support.guests import IMPORTS, calling, wasm
from support.module_bytes import MAGIC, custom, leb, producers, section, text

_MOST_PROGRAM_BYTES = 12 * 1024
# What a byte is most often in a module: opcodes of structure, types, small numbers, ends of LEB128.
_TELLING = bytes.fromhex(
    "000102030405060708090a0b0c0d0e0f1011121314 1a 202128364041 606f70 7b7c7d7e7f80 c0d0d2fcfdfeff"
)


def seeds() -> list[bytes]:
    """Small modules that have something of all that is supported."""
    rich = wasm(
        f"""(module {IMPORTS} (memory (export "memory") 1 3) (table $t 4 8 funcref)
        (type $void (func)) (global $g (mut i32) (i32.add (i32.const 1) (i32.const 2)))
        (global $r funcref (ref.func $main)) (global $n funcref (ref.null func))
        (global f32 (f32.const 1)) (global f64 (f64.const 1)) (global v128 (v128.const i64x2 1 2))
        (global i64 (i64.mul (i64.const 1) (i64.const -2)))
        (elem (table $t) (i32.const 0) func $main $void $input_count)
        (elem declare func $void) (elem $p func $void) (elem (i32.const 3) funcref (ref.null func))
        (data (i32.const 16) "abcd") (data $d "efgh")
        (func $void (export "_initialize") (call_indirect (type $void) (i32.const 1)))
        (func $main (export "main") (result i32) (local v128 i64 f64)
          (memory.init $d (i32.const 0) (i32.const 0) (i32.const 4)) (data.drop $d)
          (table.init $t $p (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop $p)
          (drop (table.grow $t (ref.null func) (i32.const 1)))
          (local.set 0 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
            (local.get 0) (v128.const i32x4 1 2 3 4)))
          (v128.store8_lane offset=4 3 (i32.const 0) (local.get 0))
          (block (result i32 i64) (i32.const 1) (i64.const 2)) (local.set 1) (drop)
          (loop (br_if 0 (i32.const 0))) (block (block (br_table 0 1 0 (i32.const 1))))
          (drop (select (result funcref) (ref.func $void) (global.get $r) (i32.const 1)))
          (drop (i32.trunc_sat_f64_s (local.get 2))) (drop (i32.extend8_s (i32.const 1)))
          (if (result i32) (i32.const 1) (then (call $input_count (i32.const 0)))
            (else (i32.const 2)))))"""
    )
    dispatching = wasm(
        f"""(module {IMPORTS} (memory (export "memory") 1) (table 12 funcref) (data "ab")
        (elem (i32.const 0) $input_count $stream_count $write_output $getrandom $f $g $h)
        (type $one (func (param i32) (result i32))) (type $two (func (param i32 i32) (result i32)))
        (func $f (param i32) (result i32) (call $has_previous_result (local.get 0)))
        (func $g (param i32 i32) (result i32) (call $input_size (i32.const 0) (local.get 1)))
        (func $h (param i32 i32) (result i32) (table.set (i32.const 7) (ref.func $k)) (i32.const 0))
        (func $k (param i32) (result i32) (call $previous_result_size (local.get 0)))
        (elem declare func $k) (export "_initialize" (func $start)) (func $start)
        (func (export "main") (result i32)
          (drop (call_indirect (type $one) (i32.const 8) (i32.const 1)))
          (drop (call_indirect (type $two) (i32.const 8) (i32.const 4) (i32.const 6)))
          (drop (call_indirect (type $one) (i32.const 8) (i32.const 7)))
          (call_indirect (type $two) (i32.const 8) (i32.const 0) (i32.const 5))))"""
    )
    named = custom("name", b"\x00\x02\x01m\x01\x05" + b"\x01\x00" + text("fn")[:3])
    extras = named + producers(language=[("C11", "")], **{"processed-by": [("clang", "19")]})
    small = calling(("input_count", 0), ("write_output", 0, 4), data="abcd")
    return [rich, dispatching, small, small + extras, rich + extras]


def program_seeds() -> list[bytes]:
    """The example programs that compile at once: thousands of changed ones do."""
    loaded = (programs.load(name) for name in programs.NAMES)
    return [code for code in loaded if len(code) <= _MOST_PROGRAM_BYTES]


def component_seeds() -> list[bytes]:
    """Small components of the engine's world, with and without host calls."""
    echo = """
      (call $read-input (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 0))
      (call $write-output (i32.load (i32.const 4)) (i32.load (i32.const 8)) (i32.const 1)
        (i32.const 16))
      (i32.load8_u (i32.const 0))"""
    return [
        component(echo),
        component("(call $input-count)", calls=("input-count",)),
        component("(i32.const 0)", calls=()),
    ]


def mutated(random: Random, code: bytes, others: list[bytes]) -> bytes:
    """`code` with something changed: anywhere, in one section, or in one function.

    In a section or a function the sizes around it are put right, so that what is changed is seen.
    """
    if is_component(code):
        return _changed(random, code, others)
    match random.randrange(4):
        case 0:
            return _changed(random, code, others)
        case 1:
            return _with_section(random, code, others)
        case _:
            return _with_function(random, code, others)


def _with_section(random: Random, code: bytes, others: list[bytes]) -> bytes:
    parts = [
        (number, code[content.at : content.end])
        for _, number, content in sections(code, 0, len(code))
    ]
    place = random.randrange(len(parts))
    number, content = parts[place]
    parts[place] = (number, _changed(random, content, others))
    return MAGIC + b"".join(section(number, content) for number, content in parts)


def _with_function(random: Random, code: bytes, others: list[bytes]) -> bytes:
    bodies = [code[body.offset : body.offset + body.size] for body in parse(code).bodies]
    place = random.randrange(len(bodies))
    bodies[place] = _changed(random, bodies[place], others)
    content = leb(len(bodies)) + b"".join(leb(len(body)) + body for body in bodies)
    return MAGIC + b"".join(
        section(number, content if number == 10 else code[part.at : part.end])
        for _, number, part in sections(code, 0, len(code))
    )


def _changed(random: Random, content: bytes, others: list[bytes]) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        place = random.randrange(len(changed) + 1)
        match random.randrange(7):
            case 0 if place < len(changed):
                changed[place] ^= 1 << random.randrange(8)
            case 1 if place < len(changed):
                changed[place] = random.randrange(256)
            case 2 if place < len(changed):
                changed[place] = random.choice(_TELLING)
            case 3:
                changed[place:place] = bytes([random.choice(_TELLING)])
            case 4:
                del changed[place : place + random.choice((1, 1, 2, 5, 40))]
            case 5:
                changed[place:place] = changed[place : place + random.randrange(1, 20)]
            case _:
                other = random.choice(others)
                start = random.randrange(len(other))
                piece = other[start : start + random.randrange(1, 30)]
                changed[place : place + len(piece)] = piece
    return bytes(changed)
