"""idash2017-logistic-regression: a model of genomic data, trained and judged in one run."""

import math
from collections.abc import Sequence
from typing import Final

from sdk.examples.draw import normal, seeded
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode, parse_type

_TYPE: Final = "(Vec<Vec<f64>>, Vec<Vec<f64>>, u32, u32, i32, i32)"
_IDASH: Final = NamedType(
    "idash",
    _TYPE,
    "input of idash2017-logistic-regression: train, test, iterations, degree, gamma up and down",
)
_RESULT: Final = NamedType(
    "idash-result",
    "(Vec<f64>, f64, f64)",
    "result of idash2017-logistic-regression: weights, correctness in percent, AUC",
)
_FEATURES: Final = 9
_ITERATIONS, _DEGREE, _GAMMA_UP, _GAMMA_DOWN = 7, 5, 1, -1
_SIGMOIDS: Final = {
    3: (-0.5, 0.15012, -0.001593),
    5: (-0.5, 0.19131, -0.0045963, 0.0000412332),
    7: (-0.5, 0.216884, -0.00819276, 0.000165861, -0.00000119581),
}

_Rows = list[list[float]]


def _generate(seed: int, size: int) -> Case:
    """`size` rows, of which a fifth are for the test; both have both labels from size 20 on."""
    random = seeded(seed)

    def row(number: int) -> Value:
        label = 1.0 if number % 2 else -1.0
        return [label, *(label * normal(random, 2) + 0.5 for _ in range(_FEATURES))]

    rows = [row(number) for number in range(max(size, 2))]
    tested = max(1, len(rows) // 5)
    content: Value = (
        rows[tested:], rows[:tested], _ITERATIONS, _DEGREE, _GAMMA_UP, _GAMMA_DOWN,
    )  # fmt: skip
    return Case((encode(_IDASH.kind, content),))


def _expected(case: Case) -> list[Value]:
    train, test, iterations, degree, up, down = _read(case.inputs[0])
    weights = _trained(_normalised(train), iterations, degree, (up, down))
    return [(list(weights), *_quality(_normalised(test), weights))]


def _read(data: bytes) -> tuple[_Rows, _Rows, int, int, int, int]:
    content = decode(parse_type(_TYPE), data)
    assert isinstance(content, tuple)
    train, test, *numbers = content
    iterations, degree, up, down = (n for n in numbers if isinstance(n, int))
    return _floats(train), _floats(test), iterations, degree, up, down


def _floats(rows: Value) -> _Rows:
    assert isinstance(rows, list)
    return [[x for x in row if isinstance(x, float)] for row in rows if isinstance(row, list)]


def _normalised(rows: _Rows) -> _Rows:
    tops = [max(map(abs, column)) or 1.0 for column in zip(*rows, strict=True)]
    return [[x / top for x, top in zip(row, tops, strict=True)] for row in rows]


def _trained(
    rows: _Rows, iterations: int, degree: int, gamma_of: tuple[int, int]
) -> Sequence[float]:
    up, down = gamma_of
    w = v = [0.0] * len(rows[0])
    alpha = 0.01
    for k in range(iterations):
        following = (1 + math.sqrt(1 + 4 * alpha * alpha)) / 2
        eta = (1 - alpha) / following
        gamma = up / (down if down > 0 else k - down) / len(rows)
        pulls = [_sigmoid(_dot(row, v), degree) for row in rows]
        slope = [_dot(column, pulls) for column in zip(*rows, strict=True)]
        new = [each - gamma * by for each, by in zip(v, slope, strict=True)]
        v = [(1 - eta) * after + eta * before for after, before in zip(new, w, strict=True)]
        w, alpha = new, following
    return w


def _sigmoid(x: float, degree: int) -> float:
    """The polynomial with the terms 1, x, x^3, x^5, x^7."""
    constant, *odd = _SIGMOIDS.get(degree, _SIGMOIDS[7])
    return constant + math.fsum(c * x ** (2 * at + 1) for at, c in enumerate(odd))


def _quality(rows: _Rows, weights: Sequence[float]) -> tuple[float, float]:
    wrong = sum(_dot(row, weights) < 0 for row in rows)
    scores = [(row[0] > 0, row[0] * _dot(row[1:], weights[1:])) for row in rows]
    positive = [score for above, score in scores if above]
    negative = [score for above, score in scores if not above]
    pairs = sum(low <= high for high in positive for low in negative)
    all_pairs = len(positive) * len(negative)
    return 100 - 100 * wrong / len(rows), pairs / all_pairs if all_pairs else 0.0


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(left, right, strict=True))


EXAMPLE: Final = Example(
    name="idash2017-logistic-regression",
    summary="a model of genomic data, trained and judged in one run",
    language="rust",
    inputs=(Input("data", _TYPE),),
    result=_RESULT.expression,
    types=(_IDASH, _RESULT),
    codes={1: "not one input, it does not decode, rows of different lengths or none"},
    generate=_generate,
    expected=_expected,
    tolerance=1e-9,
)
