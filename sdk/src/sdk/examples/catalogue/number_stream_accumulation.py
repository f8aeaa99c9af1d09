"""number-stream-accumulation: a running sum over rounds."""

import struct
from typing import Final

from sdk.examples.draw import normal, seeded
from sdk.examples.model import Case, Example, Input, NamedType, Stream
from veracruz_utils.encoding.pinecone import Value

_NUMBER: Final = NamedType(
    "number", "f64", "inputs, streams and result of number-stream-accumulation"
)
_F64: Final = struct.Struct("<d")


def _generate(seed: int, size: int) -> Case:
    """`size` rounds."""
    random = seeded(seed)

    def number() -> bytes:
        return _F64.pack(normal(random, 50))

    return Case((number(),), tuple((number(), number()) for _ in range(size)))


def _expected(case: Case) -> list[Value]:
    (total,) = _F64.unpack(case.inputs[0])
    sums: list[Value] = []
    for first, second in case.rounds:
        total = total + _F64.unpack(first)[0] + _F64.unpack(second)[0]
        sums.append(total)
    return sums


EXAMPLE: Final = Example(
    name="number-stream-accumulation",
    summary="a running sum over rounds",
    language="rust",
    inputs=(Input("init", _NUMBER.expression),),
    streams=(
        Stream("first", _NUMBER.expression, "first stream provider"),
        Stream("second", _NUMBER.expression, "second stream provider"),
    ),
    result=_NUMBER.expression,
    types=(_NUMBER,),
    codes={1: "not one input, fewer than two streams, or a number does not decode"},
    generate=_generate,
    default_size=10,
    expected=_expected,
)
