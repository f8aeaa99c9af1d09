"""neural-network: weights that stay their owner's, applied to images that stay theirs."""

from itertools import pairwise
from typing import Final

from sdk.examples.draw import normal, seeded, uniform
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode

_LAYERS: Final = NamedType(
    "layers", "Vec<{weights: Vec<Vec<f32>>, bias: Vec<f32>}>", "input 0 of neural-network"
)
_IMAGES: Final = NamedType("images", "Vec<Vec<f32>>", "input 1 of neural-network")
_CLASSES: Final = NamedType("classes", "Vec<u32>", "result of neural-network")
_WIDTHS: Final = (784, 32, 10)


def _generate(seed: int, size: int) -> Case:
    """A network of 784, 32 and 10 nodes that nobody trained, and `size` images of 28 by 28."""
    random = seeded(seed)

    def numbers(count: int) -> list[Value]:
        return [normal(random, 0.1) for _ in range(count)]

    layers: list[Value] = [
        {"weights": [numbers(before) for _ in range(after)], "bias": numbers(after)}
        for before, after in pairwise(_WIDTHS)
    ]
    images: list[Value] = [[uniform(random, 0, 1) for _ in range(_WIDTHS[0])] for _ in range(size)]
    return Case((encode(_LAYERS.kind, layers), encode(_IMAGES.kind, images)))


def _floats(value: Value) -> list[float]:
    assert isinstance(value, list)
    return [x for x in value if isinstance(x, float)]


def _expected(case: Case) -> list[Value]:
    layers, images = (
        decode(named.kind, data)
        for named, data in zip((_LAYERS, _IMAGES), case.inputs, strict=True)
    )
    assert isinstance(layers, list)
    assert isinstance(images, list)
    network = []
    for layer in layers:
        assert isinstance(layer, dict)
        rows = layer["weights"]
        assert isinstance(rows, list)
        network.append(([_floats(row) for row in rows], _floats(layer["bias"])))
    classes: list[Value] = [_class(network, _floats(image)) for image in images]
    return [classes]


def _class(network: list[tuple[list[list[float]], list[float]]], image: list[float]) -> int:
    values = image
    for number, (rows, bias) in enumerate(network, 1):
        values = [
            b + sum(w * x for w, x in zip(row, values, strict=True))
            for row, b in zip(rows, bias, strict=True)
        ]
        if number < len(network):
            values = [max(0.0, value) for value in values]
    return values.index(max(values))


EXAMPLE: Final = Example(
    name="neural-network",
    summary="weights that stay their owner's, applied to images that stay theirs",
    language="rust",
    inputs=(
        Input("layers", _LAYERS.expression, "owner of the model"),
        Input("images", _IMAGES.expression, "owner of the images"),
    ),
    result=_CLASSES.expression,
    types=(_LAYERS, _IMAGES, _CLASSES),
    codes={-2: "not exactly two inputs", -4: "an input does not decode, or shapes do not fit"},
    generate=_generate,
    default_size=100,
    expected=_expected,
)
