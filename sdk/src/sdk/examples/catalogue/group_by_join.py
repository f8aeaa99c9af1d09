"""group-by-join: two tables joined and grouped, small groups left out."""

from typing import Final

from sdk.examples.draw import pick, seeded, shuffle, uniform
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode

_LEAST: Final = NamedType("least-people", "u32", "input 0 of group-by-join")
_MEMBERS: Final = NamedType("members", "Vec<{id: String, group: String}>", "input 1")
_MEASURED: Final = NamedType("measured", "Vec<{id: String, value: f64}>", "input 2")
_GROUPS: Final = NamedType(
    "groups", "Vec<{group: String, people: u32, mean: f64}>", "result of group-by-join"
)
_NAMES: Final = ("east", "north", "south", "west", "far away")


def _generate(seed: int, size: int) -> Case:
    """`size` people in each table, about two thirds in both, in four groups and a small one."""
    random = seeded(seed)
    people = [f"P{number:05}" for number in range(size + size // 3)]
    shuffle(random, people)
    members: list[Value] = [
        {"id": each, "group": _NAMES[-1] if random.random() < 0.02 else pick(random, _NAMES[:-1])}
        for each in people[:size]
    ]
    measured: list[Value] = [
        {"id": each, "value": uniform(random, 0, 100)} for each in people[-size:]
    ]
    return Case(
        (
            encode(_LEAST.kind, 5),
            encode(_MEMBERS.kind, members),
            encode(_MEASURED.kind, measured),
        )
    )


def _table(named: NamedType, data: bytes, column: str) -> dict[str, Value]:
    """The column by id, of the first row of each."""
    rows = decode(named.kind, data)
    assert isinstance(rows, list)
    found: dict[str, Value] = {}
    for row in rows:
        assert isinstance(row, dict)
        found.setdefault(str(row["id"]), row[column])
    return found


def _expected(case: Case) -> list[Value]:
    least = int.from_bytes(case.inputs[0], "little")
    group_of = _table(_MEMBERS, case.inputs[1], "group")
    value_of = _table(_MEASURED, case.inputs[2], "value")
    values: dict[str, list[float]] = {}
    for person, group in group_of.items():
        value = value_of.get(person)
        if isinstance(value, float):
            values.setdefault(str(group), []).append(value)
    groups: list[Value] = [
        {"group": group, "people": len(found), "mean": sum(found) / len(found)}
        for group, found in sorted(values.items())
        if len(found) >= max(1, least)
    ]
    return [groups]


EXAMPLE: Final = Example(
    name="group-by-join",
    summary="two tables joined and grouped, with small groups left out",
    language="rust",
    inputs=(
        Input("least-people", _LEAST.expression, "statistics office"),
        Input("members", _MEMBERS.expression, "first register"),
        Input("measured", _MEASURED.expression, "second register"),
    ),
    result=_GROUPS.expression,
    types=(_LEAST, _MEMBERS, _MEASURED, _GROUPS),
    codes={-2: "not exactly three inputs", -4: "an input does not decode"},
    generate=_generate,
    expected=_expected,
    tolerance=1e-12,
)
