"""statistics-of-two-tables: means, variances and correlation of columns in different hands."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from sdk.examples.draw import normal, seeded, shuffle
from sdk.examples.model import Case, Example, Input
from veracruz_utils.strict_json import JsonError, read_json

_MAX_RESULT_BYTES: Final = 64 * 1024

_TOLERANCE: Final = 1e-9


def _generate(seed: int, size: int) -> Case:
    """`size` rows in each table, of which two thirds have their key in both; y is near 3 x + 1."""
    random = seeded(seed)
    keys = [f"K{number:05}" for number in range(size + size // 3)]
    shuffle(random, keys)
    x_of = {key: 5 + normal(random, 2) for key in keys}
    y_of = {key: 3 * x + 1 + normal(random, 1) for key, x in x_of.items()}
    first = {key: x_of[key] for key in keys[:size]}
    second = {key: y_of[key] for key in keys[-size:]}
    return Case((_csv("x", first), _csv("y", second)))


def _csv(name: str, values: Mapping[str, float]) -> bytes:
    return "\n".join([f"key,{name}", *(f"{k},{v!r}" for k, v in values.items()), ""]).encode()


def _values(table: bytes) -> dict[str, float]:
    rows = list(csv.reader(io.StringIO(table.decode(), newline="")))
    return {key: float(value) for key, value in rows[1:]}


def _expected(case: Case) -> dict[str, object]:
    """By the standard library's statistics, which the program does not use."""
    first, second = map(_values, case.inputs)
    keys = sorted(first.keys() & second.keys())
    expected: dict[str, object] = {"rows": [len(first), len(second)], "joined": len(keys)}
    if keys:
        columns = [first[key] for key in keys], [second[key] for key in keys]
        enough = len(keys) > 1
        expected["means"] = [statistics.fmean(column) for column in columns]
        expected["variances"] = [statistics.variance(c) if enough else None for c in columns]
        varies = enough and all(len(set(column)) > 1 for column in columns)
        expected["correlation"] = statistics.correlation(*columns) if varies else None
    return expected


def _check(case: Case, results: Sequence[bytes | None]) -> str | None:
    (result,) = results
    if result is None:
        return "there is no result"
    try:
        found = read_json(result, max_bytes=_MAX_RESULT_BYTES)
    except JsonError as error:
        return f"the result {error}"
    expected = _expected(case)
    if not isinstance(found, dict) or found.keys() != expected.keys():
        return f"the result is {str(found)[:200]}, expected {expected}"
    for name, value in expected.items():
        if not _near(found[name], value):
            return f"{name} is {str(found[name])[:200]}, expected {value}"
    return None


def _near(found: object, expected: object) -> bool:
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(map(_near, found, expected))
        )
    if isinstance(expected, float) and isinstance(found, int | float):
        return abs(found - expected) <= _TOLERANCE * max(1.0, abs(expected))
    return found == expected


EXAMPLE: Final = Example(
    name="statistics-of-two-tables",
    summary="means, variances and correlation of columns in different hands, in Python",
    language="python",
    inputs=(
        Input("first", None, "first data provider"),
        Input("second", None, "second data provider"),
    ),
    result=None,
    codes={-2: "not exactly two inputs", -4: "an input is not a table of keys and finite numbers"},
    generate=_generate,
    check=_check,
)
