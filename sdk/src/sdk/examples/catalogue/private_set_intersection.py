"""private-set-intersection: who is in every register."""

from typing import Final

from sdk.examples.model import Case, Example, Input, NamedType
from sdk.examples.people import Person, generate_people
from veracruz_utils.encoding.pinecone import Value, encode, parse_type

_PEOPLE: Final = NamedType(
    "people",
    "HashSet<{name: String, employee_id: String, age: u8, grade: u8}>",
    "inputs and result of private-set-intersection",
)


def _generate(seed: int, size: int) -> Case:
    """Two registers of `size` people, three tenths of them in both."""
    kind = parse_type(_PEOPLE.expression)
    registers = generate_people(seed=seed, size=size, overlap=size * 3 // 10)
    return Case(tuple(encode(kind, [_row(one) for one in people]) for people in registers))


def _row(person: Person) -> Value:
    return {
        "name": person.name,
        "employee_id": person.employee_id,
        "age": person.age,
        "grade": person.grade,
    }


def _expected(case: Case) -> list[Value]:
    first, *others = (_read(data) for data in case.inputs)
    common = set(first).intersection(*others)
    names = ("name", "employee_id", "age", "grade")
    return [[dict(zip(names, person, strict=True)) for person in first if person in common]]


def _read(data: bytes) -> list[tuple[str, str, int, int]]:
    """The people of a register, read by hand."""
    at = 0

    def varint() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def text() -> str:
        nonlocal at
        size = varint()
        at += size
        return data[at - size : at].decode()

    people = []
    for _ in range(varint()):
        name, employee_id = text(), text()
        people.append((name, employee_id, data[at], data[at + 1]))
        at += 2
    return people


EXAMPLE: Final = Example(
    name="private-set-intersection",
    summary="the people that are in every register",
    language="rust",
    inputs=(
        Input("first", _PEOPLE.expression, "first data provider"),
        Input("second", _PEOPLE.expression, "second data provider"),
    ),
    result=_PEOPLE.expression,
    types=(_PEOPLE,),
    codes={1: "an input does not decode"},
    generate=_generate,
    expected=_expected,
)
