"""linear-regression: the line through points."""

import math
import struct
from fractions import Fraction
from typing import Final

from sdk.examples.draw import normal, seeded, uniform
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, encode, parse_type

_POINTS: Final = NamedType("points", "Vec<(f64, f64)>", "input of linear-regression: x and y")
_LINE: Final = NamedType("line", "{gradient: f64, intercept: f64}", "result of linear-regression")
_POINT_BYTES: Final = 16


def _generate(seed: int, size: int) -> Case:
    """Points near a line through the origin, as the original's generator made them."""
    random = seeded(seed)
    gradient = random.random()
    points: list[Value] = []
    for _ in range(size):
        x = uniform(random, 0, 1000)
        points.append((x, (gradient + normal(random, 0.005)) * x))
    return Case((encode(parse_type(_POINTS.expression), points),))


def _expected(case: Case) -> list[Value]:
    (data,) = case.inputs
    raw = data[len(data) % _POINT_BYTES :]  # the count, less than 16 bytes, comes first
    points = [(Fraction(x), Fraction(y)) for x, y in struct.iter_unpack("<2d", raw)]
    if len({x for x, _ in points}) < 2:
        return [{"gradient": math.nan, "intercept": math.nan}]
    n, sum_x, sum_y = len(points), sum(x for x, _ in points), sum(y for _, y in points)
    sum_xx, sum_xy = sum(x * x for x, _ in points), sum(x * y for x, y in points)
    gradient = (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x)
    intercept = (sum_y - gradient * sum_x) / n
    return [{"gradient": float(gradient), "intercept": float(intercept)}]


EXAMPLE: Final = Example(
    name="linear-regression",
    summary="the straight line that fits points best",
    language="rust",
    inputs=(Input("points", _POINTS.expression),),
    result=_LINE.expression,
    types=(_POINTS, _LINE),
    codes={-5: "not exactly one input", -4: "the input does not decode"},
    generate=_generate,
    default_size=10_000,
    expected=_expected,
    tolerance=1e-9,
)
