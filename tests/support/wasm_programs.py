"""Random WebAssembly programs that validate and end, as text."""

import re
from random import Random

TYPES = ("i32", "i64", "f32", "f64", "v128")
LOCALS = 2
"""Locals of each type in each function, `$i32_0` and so on."""


def _integer_operators(bits):
    name = f"i{bits}"
    binary = [
        "add",
        "sub",
        "mul",
        "div_s",
        "div_u",
        "rem_s",
        "rem_u",
        "and",
        "or",
        "xor",
        "shl",
        "shr_s",
        "shr_u",
        "rotl",
        "rotr",
    ]
    compare = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split()  # noqa: SIM905
    unary = ["clz", "ctz", "popcnt", "extend8_s", "extend16_s"]
    unary += ["extend32_s"] if bits == 64 else []
    return [
        *[(name, f"{name}.{one}", (name, name)) for one in binary],
        *[("i32", f"{name}.{one}", (name, name)) for one in compare],
        *[(name, f"{name}.{one}", (name,)) for one in unary],
        ("i32", f"{name}.eqz", (name,)),
        *[
            (name, f"{name}.trunc{sat}_f{size}_{sign}", (f"f{size}",))
            for sat in ("", "_sat")
            for size in (32, 64)
            for sign in "su"
        ],
        (name, f"{name}.reinterpret_f{bits}", (f"f{bits}",)),
    ]


def _float_operators(bits):
    name = f"f{bits}"
    binary = ["add", "sub", "mul", "div", "min", "max", "copysign"]
    unary = ["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"]
    return [
        *[(name, f"{name}.{one}", (name, name)) for one in binary],
        *[("i32", f"{name}.{one}", (name, name)) for one in ("eq", "ne", "lt", "gt", "le", "ge")],
        *[(name, f"{name}.{one}", (name,)) for one in unary],
        *[(name, f"{name}.convert_i{size}_{sign}", (f"i{size}",))
          for size in (32, 64) for sign in "su"],
        (name, f"{name}.reinterpret_i{bits}", (f"i{bits}",)),
    ]  # fmt: skip


def _vector_operators():
    v = "v128"
    lanes = {"i8x16": "i32", "i16x8": "i32", "i32x4": "i32", "i64x2": "i64",
             "f32x4": "f32", "f64x2": "f64"}  # fmt: skip
    found = [(v, f"{shape}.splat", (scalar,)) for shape, scalar in lanes.items()]
    for shape in lanes:
        binary = ["add", "sub", "eq", "ne"]
        binary += ["mul"] if shape != "i8x16" else ["avgr_u", "add_sat_s", "min_u"]
        binary += ["div", "min", "max", "pmin", "lt"] if shape[0] == "f" else []
        found += [(v, f"{shape}.{one}", (v, v)) for one in binary]
        found += [(v, f"{shape}.{one}", (v,)) for one in ("neg", "abs")]
        if shape[0] == "i":
            found += [(v, f"{shape}.{one}", (v, "i32")) for one in ("shl", "shr_s", "shr_u")]
            found.append(("i32", f"{shape}.all_true", (v,)))
    found += [(v, f"v128.{one}", (v, v)) for one in ("and", "or", "xor", "andnot")]
    found += [
        (v, "v128.bitselect", (v, v, v)),
        (v, "i8x16.swizzle", (v, v)),
        (v, "i32x4.dot_i16x8_s", (v, v)),
        (v, "f32x4.sqrt", (v,)),
        (v, "i32x4.trunc_sat_f32x4_s", (v,)),
        (v, "f64x2.promote_low_f32x4", (v,)),
        ("i32", "i8x16.bitmask", (v,)),
        ("i32", "i16x8.extract_lane_s 3", (v,)),
        ("i64", "i64x2.extract_lane 1", (v,)),
        ("f32", "f32x4.extract_lane 2", (v,)),
        ("f64", "f64x2.extract_lane 0", (v,)),
    ]
    return found


OPERATORS = [
    *_integer_operators(32),
    *_integer_operators(64),
    *_float_operators(32),
    *_float_operators(64),
    *_vector_operators(),
    ("i32", "i32.wrap_i64", ("i64",)),
    ("i64", "i64.extend_i32_s", ("i32",)),
    ("i64", "i64.extend_i32_u", ("i32",)),
    ("f32", "f32.demote_f64", ("f64",)),
    ("f64", "f64.promote_f32", ("f32",)),
    *[(one, f"{one}.load offset=8", ("address",)) for one in TYPES],
    ("i32", "i32.load8_s", ("address",)),
    ("i32", "i32.load16_u", ("address",)),
    ("i64", "i64.load32_s", ("address",)),
    ("v128", "v128.load8x8_s", ("address",)),
    ("v128", "v128.load32_splat", ("address",)),
    *[(one, "select", (one, one, "i32")) for one in TYPES],
    ("i32", "memory.size", ()),
]
_BY_TYPE = {one: [op for op in OPERATORS if op[0] == one] for one in TYPES}

_MAY_TRAP = re.compile(r"i\d\d\.(div|rem|trunc_f)")
_EDGES = {
    "i32": [0, 1, 2, 31, 255, 2**31 - 1, 2**31, 2**32 - 1],
    "i64": [0, 1, 63, 2**31, 2**63 - 1, 2**63, 2**64 - 1],
    "f32": [0, 1, 1 << 31, 0x7F800000, 0x7FC00000, 0x7F800001, 0xFFC12345, 0x3F800000],
    "f64": [0, 1, 1 << 63, 0x7FF << 52, 0x7FF8 << 48, (0x7FF << 52) + 1, 0x3FF << 52],
}


class Writer:
    """Writes programs as `random` has it; the same seed gives the same program."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def bits(self, type_):
        """A number of the type's width, often one at an edge; floats by their bits."""
        if self.random.random() < 0.6:
            return self.random.choice(_EDGES[type_])
        return self.random.getrandbits(int(type_[1:]))

    def constant(self, type_):
        """A constant; NaNs of every kind and subnormals among the floats."""
        match type_:
            case "v128":
                return f"(v128.const i64x2 {self.bits('i64')} {self.bits('f64')})"
            case "f32" | "f64":
                of = f"i{type_[1:]}"
                return f"({type_}.reinterpret_{of} ({of}.const {self.bits(type_)}))"
        return f"({type_}.const {self.bits(type_)})"

    def local(self, type_):
        """The name of a local."""
        return f"${type_}_{self.random.randrange(LOCALS)}"

    def expression(self, type_, depth=3):
        """An expression; `address` is an i32 that is mostly inside memory."""
        if type_ == "address":
            inner = self.expression("i32", depth - 1)
            inside = f"(i32.and {inner} (i32.const 0xfff8))"
            return inner if self.random.random() < 0.02 else inside
        if depth <= 0 or self.random.random() < 0.2:
            read = f"(local.get {self.local(type_)})"
            return self.random.choice([read, read, self.constant(type_)])
        operator, parameters = self.operator(type_)
        return f"({operator} {' '.join(self.expression(one, depth - 1) for one in parameters)})"

    def operator(self, type_):
        """An operator and its parameters; rarely one that may trap, or every program would."""
        while True:
            _, operator, parameters = self.random.choice(_BY_TYPE[type_])
            if not _MAY_TRAP.search(operator) or self.random.random() < 0.05:
                return operator, parameters

    def statements(self, depth, callees, most=3):
        """Some statements in a row."""
        count = self.random.randint(0, most)
        return " ".join(self.statement(depth, callees) for _ in range(count))

    def statement(self, depth, callees):
        """A statement; loops turn at most nine times and calls go to `callees` only."""
        kinds = [self.assign, self.assign, self.store, self.export, self.bulk, self.grow]
        if depth:
            kinds += [self.branch, self.loop, self.block, self.switch]
        if callees:
            kinds += [self.call, self.call_indirect, self.leave]
        return self.random.choice(kinds)(depth - 1, callees)

    def assign(self, _depth, _callees):
        """A local gets a value."""
        type_ = self.random.choice(TYPES)
        return f"(local.set {self.local(type_)} {self.expression(type_)})"

    def store(self, _depth, _callees):
        """Memory gets a value."""
        type_ = self.random.choice(TYPES)
        where = self.expression("address")
        return f"({type_}.store offset=16 {where} {self.expression(type_)})"

    def export(self, _depth, _callees):
        """A global gets a value, and a local the global's."""
        type_ = self.random.choice(TYPES)
        read = f"(local.set {self.local(type_)} (global.get ${type_}))"
        return f"(global.set ${type_} {self.expression(type_)}) {read}"

    def bulk(self, _depth, _callees):
        """A piece of memory is filled or copied."""
        operator = self.random.choice(["memory.fill", "memory.copy"])
        sizes = (f"(i32.and {self.expression('i32')} (i32.const 0x7fff))" for _ in range(3))
        return f"({operator} {' '.join(sizes)})"

    def grow(self, _depth, _callees):
        """Memory grows, or does not."""
        pages = self.random.randint(0, 2)
        return f"(local.set {self.local('i32')} (memory.grow (i32.const {pages})))"

    def branch(self, depth, callees):
        """One of two."""
        then, otherwise = (self.statements(depth, callees) for _ in range(2))
        return f"(if {self.expression('i32')} (then {then}) (else {otherwise}))"

    def loop(self, depth, callees):
        """A few turns."""
        counter = f"$count{depth}"
        return (
            f"(local.set {counter} (i32.const {self.random.randint(0, 9)})) "
            f"(loop {self.statements(depth, callees)} "
            f"(local.set {counter} (i32.sub (local.get {counter}) (i32.const 1))) "
            f"(br_if 0 (i32.gt_s (local.get {counter}) (i32.const 0))))"
        )

    def block(self, depth, callees):
        """A way out in the middle."""
        out = f"(br_if 0 {self.expression('i32')})"
        return f"(block {self.statements(depth, callees)} {out} {self.statements(depth, callees)})"

    def switch(self, depth, callees):
        """A jump table."""
        jump = f"(block (br_table 0 1 2 {self.expression('i32')}))"
        inner = f"(block {jump} {self.statements(depth, callees)})"
        return f"(block {inner} {self.statements(depth, callees)})"

    def call(self, _depth, callees):
        """A direct call."""
        value = f"(call {self.random.choice(callees)} {self.expression('i32')})"
        return f"(local.set {self.local('i32')} {value})"

    def call_indirect(self, _depth, callees):
        """A call through the table, sometimes of nothing."""
        offset = f"(i32.and {self.expression('i32')} (i32.const 3))"
        index = f"(i32.add (i32.const {callees[0][2:]}) {offset})"
        value = f"(call_indirect $table (type $f) {self.expression('i32')} {index})"
        return f"(local.set {self.local('i32')} {value})"

    def leave(self, _depth, callees):
        """A tail call, direct or through the table, if a local says so."""
        given = self.expression("i32")
        direct = f"(return_call {self.random.choice(callees)} {given})"
        index = f"(i32.const {callees[0][2:]})"
        through = f"(return_call_indirect $table (type $f) {given} {index})"
        how = self.random.choice([direct, through])
        return f"(if (i32.eqz (local.get {self.local('i32')})) (then {how}))"

    def function(self, callees, most):
        """Locals, some statements, and a store of every local's final value."""
        names = [f"${one}_{place}" for one in TYPES for place in range(LOCALS)]
        types = [one for one in TYPES for _ in range(LOCALS)]
        declared = " ".join(f"(local {name} {one})" for name, one in zip(names, types, strict=True))
        counters = " ".join(f"(local $count{depth} i32)" for depth in range(3))
        stored = " ".join(
            f"({one}.store (i32.const {60000 + 16 * place}) (local.get {name}))"
            for place, (name, one) in enumerate(zip(names, types, strict=True))
        )
        code = f"{self.statement(2, callees)} {self.statements(2, callees, most)}"
        return f"{declared} {counters} {code} {stored}"

    def program(self, functions=3):
        """Instructions of main, and fields: functions that call later ones only."""
        names = [f"$f{place}" for place in range(1, functions + 1)]
        zeros = {one: f"({one}.const {'i64x2 0 0' if one == 'v128' else 0})" for one in TYPES}
        fields = ["(type $f (func (param i32) (result i32)))"]
        fields += [f"(global ${one} (mut {one}) {zero})" for one, zero in zeros.items()]
        fields.append(f"(table $table {functions + 2} funcref)")
        fields.append(f"(elem (table $table) (i32.const 1) func {' '.join(names)})")
        for place, name in enumerate(names):
            code = self.function(names[place + 1 :], 3)
            result = "(i32.add (local.get $i32_0) (local.get $given))"
            fields.append(f"(func {name} (param $given i32) (result i32) {code} {result})")
        return self.function(names, 6), " ".join(fields)
