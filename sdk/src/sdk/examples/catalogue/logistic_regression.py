"""logistic-regression: one model of everybody's points."""

import math
from typing import Final

from sdk.examples.draw import normal, seeded
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode, parse_type

_POINTS: Final = NamedType(
    "labelled-points",
    "{points: Vec<{point: Vec<f64>, classification: bool}>}",
    "inputs of logistic-regression",
)
_DIMENSION: Final = 3
_STEP: Final = 0.3


def _generate(seed: int, size: int) -> Case:
    """Two parties with `size` points each: two clouds that touch."""
    random = seeded(seed)

    def labelled() -> Value:
        label = random.random() < 0.5
        centre = 1.0 if label else -1.0
        return {
            "point": [centre + normal(random, 1) for _ in range(_DIMENSION)],
            "classification": label,
        }

    parties = ({"points": [labelled() for _ in range(size)]} for _ in range(2))
    return Case(tuple(encode(_POINTS.kind, party) for party in parties))


def _expected(case: Case) -> list[Value]:
    """Steepest descent of the mean cross entropy, by the score alone: no output near 0 or 1."""
    rows = [row for data in case.inputs for row in _rows(data)]
    parameters = [0.5] * len(rows[0][0])
    for _ in range(100):
        slope = [0.0] * len(parameters)
        for row, label in rows:
            score = math.fsum(p * x for p, x in zip(parameters, row, strict=True))
            error = (math.tanh(score / 2) + 1) / 2 - label
            slope = [total + error * x for total, x in zip(slope, row, strict=True)]
        parameters = [p - _STEP * s / len(rows) for p, s in zip(parameters, slope, strict=True)]
    return [list(parameters)]


def _rows(data: bytes) -> list[tuple[list[float], bool]]:
    points = decode(parse_type("Vec<(Vec<f64>, bool)>"), data)
    rows = []
    assert isinstance(points, list)
    for each in points:
        assert isinstance(each, tuple)
        point, label = each
        assert isinstance(point, list)
        rows.append(([1.0, *(x for x in point if isinstance(x, float))], label is True))
    return rows


EXAMPLE: Final = Example(
    name="logistic-regression",
    summary="one model of everybody's points, none of which anybody else sees",
    language="rust",
    inputs=(
        Input("first", _POINTS.expression, "first data provider"),
        Input("second", _POINTS.expression, "second data provider"),
    ),
    result="Vec<f64>",
    types=(_POINTS,),
    codes={1: "an input does not decode, or points of different dimensions"},
    generate=_generate,
    expected=_expected,
    tolerance=1e-9,
)
