"""Values of the testsuite's scripts: from their text to raw bits, and results against patterns.

Everything is compared by its bits, so that the sign and the payload of a NaN count.
"""

import ctypes
import struct
from collections.abc import Callable
from typing import Any

from wasmtime import _bindings as bindings
from wasmtime import _ffi as ffi

from support.wast import Form

Raw = Any
"""A `wasmtime_val_t`."""

_LANES = {"i8x16": (16, "i8"), "i16x8": (8, "i16"), "i32x4": (4, "i32"), "i64x2": (2, "i64"),
          "f32x4": (4, "f32"), "f64x2": (2, "f64")}  # fmt: skip
_BITS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "f32": 32, "f64": 64}
_NULLS = {"func": ffi.WASMTIME_FUNCREF, "funcref": ffi.WASMTIME_FUNCREF}


def bits_of(kind: str, text: str) -> int:
    """The bits of a number of this kind."""
    width = _BITS[kind]
    plain = text.replace("_", "")
    if kind[0] == "i":
        return int(plain, 16 if "0x" in plain else 10) % (1 << width)
    return _float_bits(plain, width)


def _float_bits(text: str, width: int) -> int:
    sign = text.startswith("-")
    body = text.lstrip("+-")
    significand = 23 if width == 32 else 52
    if body.startswith("nan"):
        payload = int(body[4:], 0) if body.startswith("nan:") else 1 << (significand - 1)
        exponent = (1 << (width - 1 - significand)) - 1
        bits = exponent << significand | payload
    elif body == "inf":
        bits = ((1 << (width - 1 - significand)) - 1) << significand
    else:
        bits = _finite_bits(body, width)
    return bits | (int(sign) << (width - 1))


def _finite_bits(body: str, width: int) -> int:
    """The nearest number; for 32 bits straight from the text, not by way of 64."""
    if width == 64:
        value = float.fromhex(body) if body.startswith("0x") else float(body)
        return int.from_bytes(struct.pack("<d", value), "little")
    value = ctypes.c_float(0)
    _strtof.restype = ctypes.c_float
    value.value = _strtof(body.encode(), None)
    return int.from_bytes(bytes(value), "little")


_strtof = ctypes.CDLL(None).strtof


def argument(form: Form) -> Raw:
    """The value that a constant such as `(i32.const 1)` is."""
    value = bindings.wasmtime_val_t()
    kind, _, _ = form.head.partition(".")
    if form.head == "ref.null":
        value.kind = _NULLS[str(form.rest[0])].value
        return value
    if kind == "v128":
        shape, *lanes = (str(part) for part in form.rest)
        _, lane = _LANES[shape]
        data = b"".join(bits_of(lane, one).to_bytes(_BITS[lane] // 8, "little") for one in lanes)
        value.kind = ffi.WASMTIME_V128.value
        ctypes.memmove(ctypes.byref(value.of), data, 16)
        return value
    value.kind = getattr(ffi, f"WASMTIME_{kind.upper()}").value
    data = bits_of(kind, str(form.rest[0])).to_bytes(_BITS[kind] // 8, "little")
    ctypes.memmove(ctypes.byref(value.of), data, len(data))
    return value


def matches(value: Raw, form: Form) -> bool:
    """Whether a result is what a script expects."""
    if form.head == "either":
        return any(matches(value, one) for one in form.rest if isinstance(one, Form))
    if form.head == "ref.null":
        return value.kind == ffi.WASMTIME_FUNCREF.value and value.of.funcref.store_id == 0
    if form.head == "ref.func":
        return value.kind == ffi.WASMTIME_FUNCREF.value and value.of.funcref.store_id != 0
    data = ctypes.string_at(ctypes.byref(value.of), 16)
    kind, _, _ = form.head.partition(".")
    if value.kind != getattr(ffi, f"WASMTIME_{kind.upper()}").value:
        return False
    if kind != "v128":
        return _lane_matches(kind, data, str(form.rest[0]))
    shape, *lanes = (str(part) for part in form.rest)
    count, lane = _LANES[shape]
    size = _BITS[lane] // 8
    return len(lanes) == count and all(
        _lane_matches(lane, data[at * size :], one) for at, one in enumerate(lanes)
    )


def _lane_matches(kind: str, data: bytes, expected: str) -> bool:
    found = int.from_bytes(data[: _BITS[kind] // 8], "little")
    pattern = _NAN_PATTERNS.get(expected)
    return pattern(kind, found) if pattern else found == bits_of(kind, expected)


def _canonical(kind: str, bits: int) -> bool:
    return bits & ~(1 << (_BITS[kind] - 1)) == _float_bits("nan", _BITS[kind])


def _arithmetic(kind: str, bits: int) -> bool:
    quiet = _float_bits("nan", _BITS[kind])
    return bits & quiet == quiet


_NAN_PATTERNS: dict[str, Callable[[str, int], bool]] = {
    "nan:canonical": _canonical,
    "nan:arithmetic": _arithmetic,
}
