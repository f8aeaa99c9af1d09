"""sql-query: one SELECT over tables of several owners, each of whom lists what may be asked."""

import csv
import io
from typing import Final

from sdk.examples.draw import pick, seeded, shuffle, uniform, whole
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding import sql_tables
from veracruz_utils.encoding.pinecone import Value, decode, encode

_QUERY: Final = NamedType("sql", "String", "input 0 of sql-query: the query")
_TABLE: Final = NamedType(
    "sql-table",
    sql_tables.TABLE,
    "inputs 1 and up of sql-query: a table, with the queries that may see it (null: all)",
)
_ROWS: Final = NamedType("sql-rows", sql_tables.ROWS, "result of sql-query")
_TEXT: Final = """
SELECT region, count(*) AS people, avg(income) AS mean, max(age) AS oldest
FROM residents JOIN incomes USING (id)
WHERE age >= 18 AND income IS NOT NULL
GROUP BY region HAVING count(*) >= 3
ORDER BY region
"""
_REGIONS: Final = ("east", "north, far", 'the "south"', "west")


def _generate(seed: int, size: int) -> Case:
    """`size` people in each table, two thirds in both: a CSV file, and encoded rows."""
    random = seeded(seed)
    people = list(range(1, size + size // 3 + 1))
    shuffle(random, people)
    residents = io.StringIO(newline="")
    writer = csv.writer(residents, lineterminator="\n")
    writer.writerow(["id", "region", "age"])
    writer.writerows((each, pick(random, _REGIONS), whole(random, 1, 90)) for each in people[:size])
    incomes: list[Value] = [
        [
            {"Integer": each},
            "Null" if random.random() < 0.1 else {"Real": round(uniform(random, 9e3, 9e4), 2)},
        ]
        for each in people[-size:]
    ]
    tables: list[Value] = [
        {"name": "residents", "queries": [_TEXT], "content": {"Csv": residents.getvalue()}},
        {
            "name": "incomes",
            "queries": ["SELECT count(*) FROM incomes", _TEXT],
            "content": {"Rows": {"columns": ["id", "income"], "rows": incomes}},
        },
    ]
    return Case((encode(_QUERY.kind, _TEXT), *(encode(_TABLE.kind, each) for each in tables)))


def _content(data: bytes, variant: str) -> Value:
    table = decode(_TABLE.kind, data)
    assert isinstance(table, dict)
    content = table["content"]
    assert isinstance(content, dict)
    return content[variant]


def _incomes(data: bytes) -> dict[int, float]:
    content = _content(data, "Rows")
    assert isinstance(content, dict)
    rows = content["rows"]
    assert isinstance(rows, list)
    found: dict[int, float] = {}
    for row in rows:
        assert isinstance(row, list)
        person, income = row
        assert isinstance(person, dict)
        if isinstance(income, dict):
            found[int(str(person["Integer"]))] = float(str(income["Real"]))
    return found


def _expected(case: Case) -> list[Value]:
    """What the one query that `_generate` asks means, without SQL."""
    income_of = _incomes(case.inputs[2])
    groups: dict[str, list[tuple[int, float]]] = {}
    for row in csv.DictReader(io.StringIO(str(_content(case.inputs[1], "Csv")), newline="")):
        person, age = int(row["id"]), int(row["age"])
        if age >= 18 and person in income_of:
            groups.setdefault(row["region"], []).append((age, income_of[person]))
    rows: list[Value] = [
        [
            {"Text": region},
            {"Integer": len(members)},
            {"Real": sum(income for _, income in members) / len(members)},
            {"Integer": max(age for age, _ in members)},
        ]
        for region, members in sorted(groups.items())
        if len(members) >= 3
    ]
    return [{"columns": ["region", "people", "mean", "oldest"], "rows": rows}]


EXAMPLE: Final = Example(
    name="sql-query",
    summary="one SELECT over tables of several owners, each of whom lists what may be asked",
    language="c",
    inputs=(
        Input("query", _QUERY.expression, "analyst"),
        Input("residents", _TABLE.expression, "register of residents"),
        Input("incomes", _TABLE.expression, "tax office"),
    ),
    result=_ROWS.expression,
    types=(_QUERY, _TABLE, _ROWS),
    codes={
        -1: "out of memory",
        -2: "no query, or no table",
        -4: "an input does not decode, or is no table, or two have one name",
        1: "an owner of a table does not list the query",
        2: "the query is not one SELECT that is accepted on these tables",
        3: "the query fails while it runs",
    },
    generate=_generate,
    expected=_expected,
    tolerance=1e-12,
)
