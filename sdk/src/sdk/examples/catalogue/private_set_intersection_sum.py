"""private-set-intersection-sum: how many entries are in a sample, and their sum."""

import struct
from typing import Final

from sdk.examples.draw import seeded, shuffle, whole
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, encode

_SAMPLED: Final = NamedType(
    "sampled",
    "{data: Vec<((u64, u64), u32)>, sample: Vec<(u64, u64)>}",
    "input of private-set-intersection-sum",
)
_MATCHES: Final = NamedType("matches", "(usize, u64)", "result of private-set-intersection-sum")


def _generate(seed: int, size: int) -> Case:
    """`size` entries and a sample as large, of which any number are entries."""
    random = seeded(seed)

    def new() -> Value:
        return (whole(random, 0, 2**52 - 1), whole(random, 0, 2**52 - 1))

    data: list[Value] = [(new(), whole(random, 0, 999_999)) for _ in range(size)]
    common = whole(random, 0, size)
    sample: list[Value] = [each[0] for each in data[:common] if isinstance(each, tuple)]
    sample += [new() for _ in range(size - common)]
    shuffle(random, data)
    shuffle(random, sample)
    return Case((encode(_SAMPLED.kind, {"data": data, "sample": sample}),))


def _expected(case: Case) -> list[Value]:
    """By the bytes of the identifiers, which are equal when they are."""
    (raw,) = case.inputs
    count, at = _varint(raw, 0)
    entries = [raw[at + 20 * index : at + 20 * (index + 1)] for index in range(count)]
    count, at = _varint(raw, at + 20 * count)
    sample = {raw[at + 16 * index : at + 16 * (index + 1)] for index in range(count)}
    values = [struct.unpack("<I", entry[16:])[0] for entry in entries if entry[:16] in sample]
    return [(len(values), sum(values))]


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while raw[at] >= 128:
        number |= (raw[at] & 127) << shift
        shift += 7
        at += 1
    return number | raw[at] << shift, at + 1


EXAMPLE: Final = Example(
    name="private-set-intersection-sum",
    summary="how many entries of a data set are in a sample, and their sum",
    language="rust",
    inputs=(Input("data", _SAMPLED.expression),),
    result=_MATCHES.expression,
    types=(_SAMPLED, _MATCHES),
    codes={1: "not exactly one input, or it does not decode"},
    generate=_generate,
    default_size=10_000,
    expected=_expected,
)
