"""principal-components: along which directions the pooled rows of several parties vary most."""

import math
from itertools import combinations
from typing import Final, cast

from sdk.examples.draw import normal, seeded, uniform
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode

_ROWS: Final = NamedType(
    "measurements", "Vec<Vec<f64>>", "an input of principal-components: rows of one length"
)
_ANALYSIS: Final = NamedType(
    "components",
    "{means: Vec<f64>, components: Vec<{variance: f64, direction: Vec<f64>}>}",
    "result of principal-components",
)
_HOSPITALS: Final = 3
_DEVIATIONS: Final = (9.0, 5.0, 3.0, 1.5, 0.6)
"""Of the causes behind the measurements: far enough apart to be told from each other."""
_SWEEPS: Final = 60

_Matrix = list[list[float]]


def _generate(seed: int, size: int) -> Case:
    """`size` patients of each hospital, whose measurements are mixtures of unseen causes."""
    random = seeded(seed)
    width = len(_DEVIATIONS)
    mixture = [[uniform(random, -1, 1) for _ in _DEVIATIONS] for _ in range(width)]
    usual = [uniform(random, 0, 100) for _ in range(width)]

    def patient() -> list[Value]:
        causes = [normal(random, deviation) for deviation in _DEVIATIONS]
        return [
            mean + sum(share * cause for share, cause in zip(shares, causes, strict=True))
            for mean, shares in zip(usual, mixture, strict=True)
        ]

    return Case(
        tuple(encode(_ROWS.kind, [patient() for _ in range(size)]) for _ in range(_HOSPITALS))
    )


def _expected(case: Case) -> list[Value]:
    """By the eigenvectors of the covariances, which Jacobi's rotations find."""
    rows = [row for data in case.inputs for row in cast("_Matrix", decode(_ROWS.kind, data))]
    width = len(rows[0])
    means = [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)]
    apart = [[x - mean for x, mean in zip(row, means, strict=True)] for row in rows]
    covariances = [
        [math.fsum(row[i] * row[j] for row in apart) / (len(rows) - 1) for j in range(width)]
        for i in range(width)
    ]
    variances, vectors = _eigen(covariances)
    order = sorted(range(width), key=lambda at: -variances[at])[: len(rows) - 1]
    components: list[Value] = [
        {"variance": variances[at], "direction": _upright([row[at] for row in vectors])}
        for at in order
    ]
    return [{"means": list(means), "components": components}]


def _upright(direction: list[float]) -> list[Value]:
    sign = math.copysign(1, max(direction, key=abs))
    return [sign * x for x in direction]


def _eigen(matrix: _Matrix) -> tuple[list[float], _Matrix]:
    """The eigenvalues of a symmetric matrix, and its eigenvectors as columns."""
    size = len(matrix)
    vectors = [[float(i == j) for j in range(size)] for i in range(size)]
    for _ in range(_SWEEPS):
        for p, q in combinations(range(size), 2):
            if matrix[p][q] != 0:
                angle = math.atan2(2 * matrix[p][q], matrix[q][q] - matrix[p][p]) / 2
                matrix = _turned(_transposed(_turned(matrix, p, q, angle)), p, q, angle)
                vectors = _turned(vectors, p, q, angle)
    return [matrix[i][i] for i in range(size)], vectors


def _turned(matrix: _Matrix, p: int, q: int, angle: float) -> _Matrix:
    """The matrix with its columns p and q turned into each other."""
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = [row.copy() for row in matrix]
    for row in turned:
        row[p], row[q] = cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]
    return turned


def _transposed(matrix: _Matrix) -> _Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


EXAMPLE: Final = Example(
    name="principal-components",
    summary="along which directions the pooled rows of several parties vary most",
    language="rust",
    inputs=tuple(
        Input(f"measurements-{number}", _ROWS.expression, f"hospital {number}")
        for number in range(1, _HOSPITALS + 1)
    ),
    result=_ANALYSIS.expression,
    types=(_ROWS, _ANALYSIS),
    codes={
        -2: "no input",
        -4: "an input does not decode, or the rows are no table of two rows or more",
    },
    generate=_generate,
    expected=_expected,
    tolerance=1e-7,
)
