"""The compute-heavy example programs, against the same computations natively.

Ours runs in the engine as an isolate does, compiled and interpreted, and decodes its inputs and
encodes its result on the way. A reference in NumPy or Python gets arrays or sets that are ready,
and so does only the computation; SQLite fills its tables from rows that are, and the same program
built for this machine decodes and encodes as ours does. Both must come to the same result.
"""

import sqlite3
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
from measuring import Figure, in_turns, run, seconds
from native_program import native_program

from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from platform_services import LinuxRandomSource
from sdk.examples import EXAMPLES, Example, programs
from veracruz_utils.encoding.pinecone import TypeKind, Value, decode, parse_type
from veracruz_utils.policy import Strategy

_LIMITS: Final = EngineLimits(run_seconds=None)
_SET_SIZE: Final = 1 << 20
_INTERPRETED_SHARE: Final = 16
"""An interpreted program gets this part of the data, so that it does not take minutes."""


@dataclass(frozen=True, slots=True)
class _Task:
    """Inputs of a program, and the same computation on the host.

    Attributes:
        native: computes; is called with the clock running.
        agrees: whether a result of the program says what `native` gave.
        streams: what the one round is given.
    """

    inputs: tuple[bytes, ...]
    native: Callable[[], object]
    agrees: Callable[[bytes, object], bool]
    streams: tuple[bytes, ...] = ()


def measure(rounds: int) -> list[Figure]:
    """Run example programs, compiled and interpreted, and their computations natively."""
    figures: list[Figure] = []
    for name, (task_of, size, against) in _TASKS.items():
        for strategy, share in ((Strategy.JIT, 1), (Strategy.INTERPRETATION, _INTERPRETED_SHARE)):
            task = task_of(size // share)
            ratios = _compare(name, strategy, task, rounds=rounds)
            figures.append(Figure(f"{name}, {strategy.value}", against, ratios))
    return figures


def _compare(name: str, strategy: Strategy, task: _Task, *, rounds: int) -> Sequence[float]:
    program = Program.load(programs.load(name), strategy=strategy, limits=_LIMITS)
    given, random_source = RunInputs(task.inputs, task.streams), LinuxRandomSource()

    def once() -> bytes:
        outcome = program.run(given, random=random_source)
        assert outcome.return_code == 0, f"{name}: code {outcome.return_code}"
        assert outcome.output is not None
        return outcome.output

    assert task.agrees(once(), task.native()), f"{name}: the results differ"
    ours, native = in_turns([lambda: seconds(once), lambda: seconds(task.native)], rounds=rounds)
    return [one / other for one, other in zip(ours, native, strict=True)]


def _linear_regression(size: int) -> _Task:
    points = np.random.default_rng(1).random((size, 2))

    def native() -> tuple[float, float]:
        x, y = points[:, 0], points[:, 1]
        dx = x - x.mean()
        gradient = float(dx @ (y - y.mean()) / (dx @ dx))
        return gradient, float(y.mean()) - gradient * float(x.mean())

    def agrees(result: bytes, expected: object) -> bool:
        return bool(np.allclose(struct.unpack("<2d", result), expected))

    return _Task((_varint(size) + points.astype("<f8").tobytes(),), native, agrees)


def _logistic_regression(size: int) -> _Task:
    example = EXAMPLES["logistic-regression"]
    case = example.generate(1, size // 2)
    kind = parse_type("Vec<(Vec<f64>, bool)>")
    labelled = [each for data in case.inputs for each in _items(decode(kind, data))]
    rows = np.array([[1.0, *_items(_items(each)[0])] for each in labelled], dtype=float)
    labels = np.array([_items(each)[1] for each in labelled], dtype=float)

    def native() -> object:
        parameters = np.full(rows.shape[1], 0.5)
        for _ in range(100):
            output = 1 / (1 + np.exp(-(rows @ parameters)))
            parameters -= 0.3 * ((output - labels) @ rows) / len(rows)
        return parameters

    def agrees(result: bytes, expected: object) -> bool:
        return bool(np.allclose(_items(decode(parse_type("Vec<f64>"), result)), expected))  # type: ignore[arg-type]

    return _Task(case.inputs, native, agrees)


def _neural_network(size: int) -> _Task:
    case = EXAMPLES["neural-network"].generate(1, size)
    kind = parse_type("Vec<(Vec<Vec<f32>>, Vec<f32>)>")
    layers = [
        tuple(np.array(part, dtype=np.float32) for part in _items(layer))
        for layer in _items(decode(kind, case.inputs[0]))
    ]
    images = np.array(decode(parse_type("Vec<Vec<f32>>"), case.inputs[1]), dtype=np.float32)

    def native() -> object:
        values = images
        for number, (weights, bias) in enumerate(layers, 1):
            values = values @ weights.T + bias
            if number < len(layers):
                values = np.maximum(values, 0)
        return values.argmax(axis=1)

    def agrees(result: bytes, expected: object) -> bool:
        return list(_items(decode(parse_type("Vec<u32>"), result))) == list(expected)  # type: ignore[call-overload]

    return _Task(case.inputs, native, agrees)


def _private_set_intersection(size: int) -> _Task:
    """Two sets of people, told apart by strings; half of each is in both."""
    first, second = (
        [_person(f"person {number}") for number in range(start, start + size)]
        for start in (0, size // 2)
    )

    def native() -> object:
        return set(first) & set(second)

    def agrees(result: bytes, expected: object) -> bool:
        common = [person for person in first if person in expected]  # type: ignore[operator]
        return result == _varint(len(common)) + b"".join(common)

    inputs = (_varint(size) + b"".join(first), _varint(size) + b"".join(second))
    return _Task(inputs, native, agrees)


def _private_set_intersection_sum(size: int) -> _Task:
    dice = np.random.default_rng(1)
    entries = np.zeros(size, dtype=[("id", "<u8", 2), ("value", "<u4")])
    entries["id"] = dice.integers(0, 1 << 52, (size, 2))
    entries["value"] = dice.integers(0, 1_000_000, size)
    sample = entries["id"][: size // 2].copy()
    data = _varint(size) + entries.tobytes() + _varint(len(sample)) + sample.tobytes()

    def native() -> tuple[int, int]:
        whole = np.ascontiguousarray(entries["id"]).view("V16").ravel()
        found = np.isin(whole, sample.view("V16").ravel())
        return int(found.sum()), int(entries["value"][found].sum(dtype=np.uint64))

    def agrees(result: bytes, expected: object) -> bool:
        return struct.unpack("<2Q", result) == expected

    return _Task((data,), native, agrees)


def _group_by_join(size: int) -> _Task:
    example = EXAMPLES["group-by-join"]
    case = example.generate(1, size)
    tables = [
        [_fields(row) for row in _items(decode(_kind_of(example, at), case.inputs[at]))]
        for at in (1, 2)
    ]
    members = [(str(row["id"]), str(row["group"])) for row in tables[0]]
    measured = [(str(row["id"]), float(str(row["value"]))) for row in tables[1]]

    def native() -> object:
        value_of = dict(measured)
        groups: dict[str, list[float]] = {}
        for person, group in dict(members).items():
            if person in value_of:
                groups.setdefault(group, []).append(value_of[person])
        return {
            group: (len(values), sum(values) / len(values))
            for group, values in groups.items()
            if len(values) >= 5
        }

    def agrees(result: bytes, expected: object) -> bool:
        rows = [_fields(row) for row in _items(decode(parse_type(str(example.result)), result))]
        found = {
            str(row["group"]): (float(str(row["people"])), float(str(row["mean"]))) for row in rows
        }
        assert isinstance(expected, dict)
        return found.keys() == expected.keys() and all(
            bool(np.allclose(found[group], expected[group])) for group in expected
        )

    return _Task(case.inputs, native, agrees)


def _sealed_bid_auction(size: int) -> _Task:
    amounts = np.random.default_rng(1).integers(0, 1 << 40, size).tolist()
    bids = [(amount, f"bidder {number}") for number, amount in enumerate(amounts)]
    terms = b"\1" + bytes(8)  # at the second price, without a reserve
    inputs = [_text(bidder) + struct.pack("<Q", amount) for amount, bidder in bids]

    def native() -> tuple[str, int]:
        (_, winner), (price, _) = sorted(bids, key=lambda bid: bid[0], reverse=True)[:2]
        return winner, price

    def agrees(result: bytes, expected: object) -> bool:
        assert isinstance(expected, tuple)
        winner, price = expected
        return result == b"\1" + _text(winner) + struct.pack("<Q", price)

    return _Task((terms, *inputs), native, agrees)


def _secret_ballot(size: int) -> _Task:
    example = EXAMPLES["secret-ballot"]
    votes = np.random.default_rng(1).integers(0, 4, size).tolist()
    terms = _varint(3) + b"".join(map(_text, "abc")) + bytes(8)

    def native() -> Counter[int]:
        return Counter(votes)

    def agrees(result: bytes, expected: object) -> bool:
        found = _fields(decode(parse_type(str(example.result)), result))
        assert isinstance(expected, Counter)
        tally = [(name, expected[number]) for number, name in enumerate("abc")]
        return found["tally"] == tally and found["spoiled"] == expected[3]

    return _Task((terms, *(struct.pack("<I", vote) for vote in votes)), native, agrees)


def _federated_averaging(size: int) -> _Task:
    models = np.random.default_rng(1).random((4, size))
    weights = np.array([3.0, 5.0, 11.0])
    encoded = [_varint(size) + model.astype("<f8").tobytes() for model in models]
    streams = [
        struct.pack("<I", int(each)) + model
        for each, model in zip(weights, encoded[1:], strict=True)
    ]

    def native() -> object:
        return weights @ models[1:] / weights.sum()

    def agrees(result: bytes, expected: object) -> bool:
        means = np.frombuffer(result[len(_varint(size)) :], dtype="<f8")
        return bool(np.allclose(means, expected))  # type: ignore[arg-type]

    return _Task((encoded[0],), native, agrees, tuple(streams))


def _forest_inference(size: int) -> _Task:
    case = EXAMPLES["forest-inference"].generate(1, size)
    program = native_program("forest-inference")
    return _Task(
        case.inputs, lambda: program(case.inputs), lambda result, expected: result == expected
    )


def _sql_query(size: int) -> _Task:
    dice = np.random.default_rng(1)
    people = list(zip(range(size), dice.integers(0, 100, size).tolist(), strict=True))
    bills = list(
        zip(dice.integers(0, size, size).tolist(), dice.random(size).tolist(), strict=True)
    )
    query = "SELECT city, count(*), sum(amount) FROM people JOIN bills USING (id) GROUP BY city"

    def native() -> object:
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute("CREATE TABLE people(id, city)")
            database.execute("CREATE TABLE bills(id, amount)")
            database.executemany("INSERT INTO people VALUES(?, ?)", people)
            database.executemany("INSERT INTO bills VALUES(?, ?)", bills)
            return database.execute(query).fetchall()

    def agrees(result: bytes, expected: object) -> bool:
        rows = _fields(decode(parse_type(str(EXAMPLES["sql-query"].result)), result))["rows"]
        found = [
            [next(iter(_fields(cell).values())) for cell in _items(row)] for row in _items(rows)
        ]
        return bool(np.allclose(np.array(found, dtype=float), expected))  # type: ignore[arg-type]

    head = [_text("people") + b"\0\1", _varint(2) + _text("id") + _text("city") + _varint(size)]
    first = b"".join([*head, *(b"\2\1%b\1%b" % (_i64(a), _i64(b)) for a, b in people)])
    head = [_text("bills") + b"\0\1", _varint(2) + _text("id") + _text("amount") + _varint(size)]
    second = b"".join([*head, *(b"\2\1%b\2%b" % (_i64(a), struct.pack("<d", b)) for a, b in bills)])
    return _Task((_text(query), first, second), native, agrees)


_TASKS: Final[dict[str, tuple[Callable[[int], _Task], int, str]]] = {
    "linear-regression": (_linear_regression, 1_000_000, "NumPy"),
    "logistic-regression": (_logistic_regression, 10_000, "NumPy"),
    "neural-network": (_neural_network, 500, "NumPy"),
    "private-set-intersection": (_private_set_intersection, _SET_SIZE, "Python's sets of bytes"),
    "private-set-intersection-sum": (_private_set_intersection_sum, _SET_SIZE, "NumPy"),
    "group-by-join": (_group_by_join, 100_000, "Python's dicts"),
    "sealed-bid-auction": (_sealed_bid_auction, 20_000, "Python's sort"),
    "secret-ballot": (_secret_ballot, 20_000, "Python's Counter"),
    "federated-averaging": (_federated_averaging, 1_000_000, "NumPy"),
    "forest-inference": (_forest_inference, 20_000, "the same C, built natively"),
    "sql-query": (_sql_query, 100_000, "Python's SQLite"),
}


def _person(name: str) -> bytes:
    encoded = name.encode()
    return bytes([len(encoded)]) + encoded + b"\x001\x01"  # no employee_id, some age and grade


def _text(text: str) -> bytes:
    return _varint(len(text)) + text.encode()


def _i64(number: int) -> bytes:
    return struct.pack("<q", number)


def _kind_of(example: Example, at: int) -> TypeKind:
    kind = example.inputs[at].kind
    assert kind is not None
    return kind


def _fields(value: Value) -> dict[str, Value]:
    assert isinstance(value, dict)
    return value


def _items(value: Value) -> Sequence[Value]:
    assert isinstance(value, list | tuple)
    return value


def _varint(number: int) -> bytes:
    """A count as the examples' encoding has it."""
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


if __name__ == "__main__":
    run("example_programs", measure, rounds=5)
