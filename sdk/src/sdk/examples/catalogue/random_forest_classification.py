"""random-forest-classification: what kind rows are of, by the labelled rows of several parties."""

from collections import defaultdict
from math import dist, fsum
from typing import Final, TypedDict, cast

from sdk.examples.draw import normal, seeded, shuffle, uniform
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode

_LABELLED: Final = NamedType(
    "labelled-rows",
    "Vec<{features: Vec<f64>, label: u32}>",
    "an input of random-forest-classification",
)
_UNKNOWN: Final = NamedType(
    "unlabelled-rows", "Vec<Vec<f64>>", "the last input of random-forest-classification"
)
_LABELS: Final = NamedType("labels", "Vec<u32>", "result of random-forest-classification")
_LABORATORIES, _WIDTH = 2, 4
_KINDS: Final = ((20.0, 20.0, 80.0, 50.0), (80.0, 20.0, 20.0, 50.0), (50.0, 80.0, 50.0, 20.0))
"""The middles of the kinds; the rows of one are within 12 of it, in every direction."""


class _Labelled(TypedDict):
    features: list[float]
    label: int


def _generate(seed: int, size: int) -> Case:
    """`size` cells of each laboratory and as many of unknown kind; the kinds are well apart."""
    random = seeded(seed)
    offset = [uniform(random, -100, 100) for _ in range(_WIDTH)]

    def rows() -> list[tuple[list[Value], int]]:
        labels = [number % len(_KINDS) for number in range(size)]
        shuffle(random, labels)
        return [
            (
                [
                    shift + middle + normal(random, 2)
                    for shift, middle in zip(offset, _KINDS[label], strict=True)
                ],
                label,
            )
            for label in labels
        ]

    known = [
        encode(_LABELLED.kind, [{"features": row, "label": label} for row, label in rows()])
        for _ in range(_LABORATORIES)
    ]
    return Case((*known, encode(_UNKNOWN.kind, [row for row, _ in rows()])))


def _expected(case: Case) -> list[Value]:
    """The kind whose middle is nearest; where kinds are well apart, any good classifier agrees."""
    members: dict[int, list[list[float]]] = defaultdict(list)
    for data in case.inputs[:-1]:
        for row in cast("list[_Labelled]", decode(_LABELLED.kind, data)):
            members[row["label"]].append(row["features"])
    middles = {
        label: [fsum(column) / len(rows) for column in zip(*rows, strict=True)]
        for label, rows in members.items()
    }
    unknown = cast("list[list[float]]", decode(_UNKNOWN.kind, case.inputs[-1]))
    return [[min(middles, key=lambda label: dist(row, middles[label])) for row in unknown]]


EXAMPLE: Final = Example(
    name="random-forest-classification",
    summary="what kind rows are of, by a forest grown from labelled rows of several parties",
    language="rust",
    inputs=(
        *(
            Input(f"labelled-{number}", _LABELLED.expression, f"laboratory {number}")
            for number in range(1, _LABORATORIES + 1)
        ),
        Input("unknown", _UNKNOWN.expression, "asker"),
    ),
    result=_LABELS.expression,
    types=(_LABELLED, _UNKNOWN, _LABELS),
    codes={
        -2: "fewer than two inputs",
        -4: "an input does not decode, or the rows are no tables of one width and two kinds",
    },
    generate=_generate,
    expected=_expected,
)
