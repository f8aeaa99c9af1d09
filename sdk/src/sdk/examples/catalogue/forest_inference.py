"""forest-inference: trees that stay their owner's, applied to rows that stay theirs."""

from typing import Final

from sdk.examples.draw import normal, seeded, uniform, whole
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode

_FOREST: Final = NamedType(
    "forest",
    "{base: f64, trees: Vec<Vec<{feature: u32, threshold: f64, left: u32, right: u32, "
    "value: f64}>>}",
    "input 0 of forest-inference",
)
_ROWS: Final = NamedType("rows", "Vec<Vec<f64>>", "input 1 of forest-inference")
_SCORES: Final = NamedType("scores", "Vec<f64>", "result of forest-inference")
_TREES, _DEPTH, _FEATURES = 10, 4, 6


def _generate(seed: int, size: int) -> Case:
    """Ten full trees of depth 4, and `size` rows of six features."""
    random = seeded(seed)
    inner = 2**_DEPTH - 1

    def node(index: int) -> Value:
        leaf = index >= inner
        return {
            "feature": whole(random, 0, _FEATURES - 1),
            "threshold": uniform(random, -1, 1),
            "left": 0 if leaf else 2 * index + 1,
            "right": 0 if leaf else 2 * index + 2,
            "value": normal(random, 1) if leaf else 0.0,
        }

    trees: list[Value] = [[node(index) for index in range(2 * inner + 1)] for _ in range(_TREES)]
    rows: list[Value] = [[normal(random, 1) for _ in range(_FEATURES)] for _ in range(size)]
    forest: Value = {"base": 0.5, "trees": trees}
    return Case((encode(_FOREST.kind, forest), encode(_ROWS.kind, rows)))


def _leaf(tree: Value, row: Value, at: int = 0) -> float:
    assert isinstance(tree, list)
    assert isinstance(row, list)
    node = tree[at]
    assert isinstance(node, dict)
    left, right, value, feature = (node[name] for name in ("left", "right", "value", "feature"))
    assert isinstance(left, int)
    assert isinstance(right, int)
    assert isinstance(value, float)
    assert isinstance(feature, int)
    if not left and not right:
        return value
    found, threshold = row[feature], node["threshold"]
    assert isinstance(found, float)
    assert isinstance(threshold, float)
    return _leaf(tree, row, left if found < threshold else right)


def _expected(case: Case) -> list[Value]:
    forest, rows = decode(_FOREST.kind, case.inputs[0]), decode(_ROWS.kind, case.inputs[1])
    assert isinstance(forest, dict)
    assert isinstance(rows, list)
    trees, base = forest["trees"], forest["base"]
    assert isinstance(trees, list)
    assert isinstance(base, float)
    scores: list[Value] = [sum((_leaf(tree, row) for tree in trees), base) for row in rows]
    return [scores]


EXAMPLE: Final = Example(
    name="forest-inference",
    summary="trees that stay their owner's, applied to rows that stay theirs",
    language="c",
    inputs=(
        Input("forest", _FOREST.expression, "owner of the model"),
        Input("rows", _ROWS.expression, "owner of the rows"),
    ),
    result=_SCORES.expression,
    types=(_FOREST, _ROWS, _SCORES),
    codes={-2: "not exactly two inputs", -4: "an input does not decode, or rows do not fit"},
    generate=_generate,
    expected=_expected,
    tolerance=1e-12,
)
