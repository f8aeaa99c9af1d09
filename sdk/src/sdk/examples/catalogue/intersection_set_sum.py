"""intersection-set-sum: what the viewers of an advertisement spent."""

from typing import Final

from sdk.examples.draw import seeded, shuffle, uniform
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode, parse_type

_VIEWERS: Final = NamedType("viewers", "Vec<{id: String}>", "input 0 of intersection-set-sum")
_CUSTOMERS: Final = NamedType(
    "customers", "Vec<{id: String, total_spend: f64}>", "input 1 of intersection-set-sum"
)


def _generate(seed: int, size: int) -> Case:
    """`size` customers and as many viewers, a quarter of whom are customers."""
    random = seeded(seed)
    customers: list[Value] = [
        {"id": str(number), "total_spend": uniform(random, 0, 1000)} for number in range(size)
    ]
    shuffle(random, customers)
    first = size - size // 4
    viewers: list[Value] = [{"id": str(number)} for number in range(first, first + size)]
    shuffle(random, viewers)
    return Case((encode(_VIEWERS.kind, viewers), encode(_CUSTOMERS.kind, customers)))


def _expected(case: Case) -> list[Value]:
    viewers = decode(parse_type("Vec<String>"), case.inputs[0])
    customers = decode(parse_type("Vec<(String, f64)>"), case.inputs[1])
    assert isinstance(viewers, list)
    assert isinstance(customers, list)
    total = 0.0  # added one by one, as the program does: sum() compensates
    for viewer in viewers:
        for customer in customers:
            assert isinstance(customer, tuple)
            name, spend = customer
            if name == viewer:
                assert isinstance(spend, float)
                total += spend
    return [total]


EXAMPLE: Final = Example(
    name="intersection-set-sum",
    summary="how much people spent who saw an advertisement",
    language="rust",
    inputs=(
        Input("advertisement-viewer", _VIEWERS.expression, "advertiser"),
        Input("customer", _CUSTOMERS.expression, "shop"),
    ),
    result="f64",
    types=(_VIEWERS, _CUSTOMERS),
    codes={-2: "not exactly two inputs", -4: "an input does not decode"},
    generate=_generate,
    expected=_expected,
)
