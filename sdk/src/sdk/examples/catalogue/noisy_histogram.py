"""noisy-histogram: how values are spread, with noise that hides each of them."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from sdk.examples.draw import normal, seeded
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode

_TERMS: Final = NamedType(
    "histogram-terms",
    "{edges: Vec<f64>, epsilon: f64, delta: f64}",
    "input 0 of noisy-histogram",
)
_VALUES: Final = NamedType("values", "Vec<f64>", "values of noisy-histogram")
_COUNTS: Final = NamedType("counts", "Vec<i64>", "result of noisy-histogram")
_EDGES: Final[list[Value]] = [-2.0, -1.0, 0.0, 1.0, 2.0]
_EPSILON: Final = 2.0
_FARTHEST: Final = 40
"""From the true count: at epsilon 2 the noise is beyond with a chance of e^-80."""
_PARTIES: Final = 2


def _generate(seed: int, size: int) -> Case:
    """Two parties with `size` values each; Laplace's noise."""
    random = seeded(seed)
    terms: Value = {"edges": _EDGES, "epsilon": _EPSILON, "delta": 0.0}
    parties: list[list[Value]] = [[normal(random, 1) for _ in range(size)] for _ in range(_PARTIES)]
    return Case((encode(_TERMS.kind, terms), *(encode(_VALUES.kind, each) for each in parties)))


def _check(case: Case, results: Sequence[bytes | None]) -> str | None:
    edges = [edge for edge in _EDGES if isinstance(edge, float)]
    true = [0] * (len(edges) - 1)
    for data in case.inputs[1:]:
        values = decode(_VALUES.kind, data)
        assert isinstance(values, list)
        for value in values:
            assert isinstance(value, float)
            at = bisect_right(edges, value)
            if 0 < at < len(edges):
                true[at - 1] += 1
    (result,) = results
    found = None if result is None else decode(_COUNTS.kind, result)
    if not isinstance(found, list) or len(found) != len(true):
        return f"{found!r:.80} are not {len(true)} counts"
    for count, right in zip(found, true, strict=True):
        if not isinstance(count, int) or abs(count - right) > _FARTHEST:
            return f"{count!r} is far from {right}"
    return None


EXAMPLE: Final = Example(
    name="noisy-histogram",
    summary="how values are spread, with noise that hides each of them",
    language="rust",
    inputs=(
        Input("terms", _TERMS.expression, "analyst"),
        *(Input(f"values-{number}", _VALUES.expression) for number in range(1, _PARTIES + 1)),
    ),
    result=_COUNTS.expression,
    types=(_TERMS, _VALUES, _COUNTS),
    codes={1: "no terms or no values, or they make no sense"},
    generate=_generate,
    check=_check,
)
