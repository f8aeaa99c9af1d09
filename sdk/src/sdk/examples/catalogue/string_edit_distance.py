"""string-edit-distance: how alike two texts are."""

from typing import Final

from sdk.examples.draw import pick, seeded
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value

_SIMILARITY: Final = NamedType("similarity", "f64", "result of string-edit-distance, from 0 to 1")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz \u00e9\u674e"


def _generate(seed: int, size: int) -> Case:
    """A text of `size` characters and a copy with every eighth one changed."""
    random = seeded(seed)
    text = [pick(random, _LETTERS) for _ in range(size)]
    other = [pick(random, _LETTERS) if random.random() < 1 / 8 else each for each in text]
    return Case(("".join(text).encode(), "".join(other).encode()))


def _expected(case: Case) -> list[Value]:
    a, b = (data.decode() for data in case.inputs)
    similarity = _jaro(a, b)
    if similarity <= 0.7:
        return [similarity]
    prefix = 0
    while prefix < min(4, len(a), len(b)) and a[prefix] == b[prefix]:
        prefix += 1
    return [similarity + prefix * 0.1 * (1 - similarity)]


def _jaro(a: str, b: str) -> float:
    """Jaro's similarity, from its definition: quadratic."""
    if not a and not b:
        return 1.0
    window = max(0, max(len(a), len(b)) // 2 - 1)
    free = list(range(len(b)))
    pairs = []
    for i, character in enumerate(a):
        near = next((j for j in free if abs(i - j) <= window and b[j] == character), None)
        if near is not None:
            pairs.append((i, near))
            free.remove(near)
    if not pairs:
        return 0.0
    in_order_of_b = sorted(j for _, j in pairs)
    moved = sum(a[i] != b[j] for (i, _), j in zip(pairs, in_order_of_b, strict=True))
    m = len(pairs)
    return (m / len(a) + m / len(b) + (m - moved // 2) / m) / 3


EXAMPLE: Final = Example(
    name="string-edit-distance",
    summary="how alike two texts are, from 0 to 1",
    language="rust",
    inputs=(
        Input("first", None, "first data provider"),
        Input("second", None, "second data provider"),
    ),
    result=_SIMILARITY.expression,
    types=(_SIMILARITY,),
    codes={1: "not exactly two inputs, or an input is not UTF-8"},
    generate=_generate,
    expected=_expected,
    tolerance=1e-12,
)
