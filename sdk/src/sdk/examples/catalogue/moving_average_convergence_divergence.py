"""moving-average-convergence-divergence: when to buy and when to sell."""

import struct
from itertools import pairwise
from typing import Final

from sdk.examples.draw import normal, seeded, uniform
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, encode

_NUMBERS: Final = NamedType(
    "numbers",
    "Vec<f64>",
    "prices and decisions of moving-average-convergence-divergence; parameters of "
    "logistic-regression",
)
LEAST_PRICES: Final = 34
_COEFFICIENTS: Final = (
    -0.0753, 0.4475, -0.5173, 0.0882, 0.0984, -0.0253, -0.009, 0.0025, 0.0003, -0.0001,
)  # fmt: skip


def _generate(seed: int, size: int) -> Case:
    """A price that walks at random; 34 of them at least."""
    random = seeded(seed)
    price = uniform(random, 0, 100)
    prices: list[Value] = []
    for _ in range(max(size, LEAST_PRICES)):
        prices.append(price)
        price += normal(random, 2)
    return Case((encode(_NUMBERS.kind, prices),))


def _expected(case: Case) -> list[Value]:
    raw = case.inputs[0]
    prices = [number for (number,) in struct.iter_unpack("<d", raw[len(raw) % 8 :])]
    fast, slow = _weighted(prices, 12), _weighted(prices, 26)
    difference = [a - b for a, b in zip(fast[14:], slow, strict=True)]
    signal = _weighted(difference, 9)
    divergence = [a - b for a, b in zip(difference[9:], signal, strict=False)]
    return [[_decision(x / 2, y / 2) for x, y in pairwise(divergence)]]


def _weighted(values: list[float], size: int) -> list[float]:
    total = size * (size + 1) / 2
    return [
        sum((at + 1) * value for at, value in enumerate(values[end - size : end])) / total
        for end in range(size, len(values) + 1)
    ]


def _decision(u: float, w: float) -> float:
    """By Horner's rule."""
    value = 0.0
    for coefficient in reversed(_COEFFICIENTS):
        value = value * (u * w) + coefficient
    return value * (u - w)


EXAMPLE: Final = Example(
    name="moving-average-convergence-divergence",
    summary="when to buy and when to sell, from a price nobody else sees",
    language="rust",
    inputs=(Input("prices", _NUMBERS.expression),),
    result=_NUMBERS.expression,
    types=(_NUMBERS,),
    codes={1: "not exactly one input, it does not decode, or there are fewer than 34 prices"},
    generate=_generate,
    expected=_expected,
    tolerance=1e-9,
)
