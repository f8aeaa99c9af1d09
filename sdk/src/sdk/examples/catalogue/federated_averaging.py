"""federated-averaging: one model from everybody's, round after round."""

from typing import Final

from sdk.examples.draw import normal, seeded, whole
from sdk.examples.model import Case, Example, Input, NamedType, Stream
from veracruz_utils.encoding.pinecone import Value, decode, encode

_MODEL: Final = NamedType("model", "Vec<f64>", "input and result of federated-averaging")
_UPDATE: Final = NamedType(
    "model-update", "{examples: u32, model: Vec<f64>}", "a stream of federated-averaging"
)
_PARTIES, _ROUNDS = 3, 4


def _generate(seed: int, size: int) -> Case:
    """Four rounds of three parties with models of `size` parameters."""
    random = seeded(seed)

    def model() -> list[Value]:
        return [normal(random, 1) for _ in range(size)]

    def update() -> bytes:
        return encode(_UPDATE.kind, {"examples": whole(random, 0, 99), "model": model()})

    rounds = tuple(tuple(update() for _ in range(_PARTIES)) for _ in range(_ROUNDS))
    return Case((encode(_MODEL.kind, model()),), rounds)


def _expected(case: Case) -> list[Value]:
    results: list[Value] = []
    before = decode(_MODEL.kind, case.inputs[0])
    for updates in case.rounds:
        before = _mean(before, updates)
        results.append(before)
    return results


def _mean(before: Value, updates: tuple[bytes, ...]) -> Value:
    assert isinstance(before, list)
    total, sums = 0, [0.0] * len(before)
    for data in updates:
        update = decode(_UPDATE.kind, data)
        assert isinstance(update, dict)
        examples, model = update["examples"], update["model"]
        assert isinstance(examples, int)
        assert isinstance(model, list)
        numbers = [x for x in model if isinstance(x, float)]
        sums = [s + examples * x for s, x in zip(sums, numbers, strict=True)]
        total += examples
    return [s / total for s in sums] if total else before


EXAMPLE: Final = Example(
    name="federated-averaging",
    summary="one model from everybody's, round after round",
    language="rust",
    inputs=(Input("model", _MODEL.expression, "coordinator"),),
    streams=tuple(
        Stream(f"update-{number}", _UPDATE.expression, f"party {number}")
        for number in range(1, _PARTIES + 1)
    ),
    result=_MODEL.expression,
    types=(_MODEL, _UPDATE),
    codes={-2: "not exactly one input, or no stream", -4: "a model does not decode or fit"},
    generate=_generate,
    default_size=100,
    expected=_expected,
    tolerance=1e-12,
)
