"""The example programs in Rust against computations of their own in Python."""

import itertools
import math
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_services import ServiceUnavailableError
from sdk.errors import BuildError
from sdk.examples import programs
from sdk.examples.named_types import SCHEMAS
from sdk.toolchains.made import with_producers
from sdk.toolchains.rust import compile_rust
from sdk.toolchains.sources import source_folder
from support.rust_toolchain import has_the_examples_rust
from veracruz_utils.encoding.pinecone import decode, encode

STD_ERROR = 1
DATA_SOURCE_COUNT, BAD_INPUT, SERVICE_UNAVAILABLE = -2, -4, -7


def encoded(name, value):
    return encode(SCHEMAS[name].kind, value)


def decoded(name, data):
    return decode(SCHEMAS[name].kind, data)


needs_rust = pytest.mark.skipif(
    not has_the_examples_rust(), reason="the Rust that the examples are built by is absent"
)


@needs_rust
def test_a_module_does_not_depend_on_where_it_is_built(tmp_path):
    library = source_folder("c").parent
    source = tmp_path / "some where" / "main.rs"
    source.parent.mkdir()
    name = "intersection-set-sum"
    source.write_bytes((source_folder("examples") / name / "main.rs").read_bytes())
    made = with_producers(compile_rust(source, libraries=library, examples=True))
    assert (made.code, made.warnings) == (programs.load(name), "")


@needs_rust
def test_a_source_that_does_not_compile_is_an_error_with_the_compilers_words(tmp_path):
    source = tmp_path / "main.rs"
    source.write_text("fn main() { missing() }")
    with pytest.raises(BuildError, match="cannot find function `missing`"):
        compile_rust(source, libraries=source_folder("c").parent)


def test_nop_does_nothing(run_program):
    outcome = run_program("nop")
    assert (outcome.return_code, outcome.output) == (0, None)
    assert run_program("nop", b"an input that nobody reads").return_code == 0


class Fixed:
    def fill(self, size):
        return bytes(range(size))


class Absent:
    def fill(self, size):
        raise ServiceUnavailableError("none now")


def test_random_source_gives_four_bytes_of_the_hosts(run_program):
    assert run_program("random-source", random=Fixed()).output == b"\4\0\1\2\3"
    assert len(run_program("random-source").output) == 5
    outcome = run_program("random-source", random=Absent())
    assert (outcome.return_code, outcome.output) == (SERVICE_UNAVAILABLE, None)


IDS = st.sampled_from(["", "a", "b", "ä", "long " * 9])


@given(st.lists(IDS, max_size=8), st.lists(st.tuples(IDS, st.floats(-9, 9)), max_size=8))
@settings(max_examples=40)
def test_what_viewers_spent_is_summed_in_order(run_program, viewers, customers):
    expected = 0.0
    for viewer in viewers:
        for name, spend in customers:
            if name == viewer:
                expected += spend
    outcome = run_program(
        "intersection-set-sum",
        encoded("viewers", [{"id": each} for each in viewers]),
        encoded("customers", [{"id": a, "total_spend": b} for a, b in customers]),
    )
    assert outcome.output == struct.pack("<d", expected)


@pytest.mark.parametrize(
    ("inputs", "code"),
    [([], DATA_SOURCE_COUNT), ([b"\0"], DATA_SOURCE_COUNT), ([b"\0"] * 3, DATA_SOURCE_COUNT),
     ([b"\1", b"\0"], BAD_INPUT), ([b"\0", b"\0\0"], BAD_INPUT), ([b"\0", b""], BAD_INPUT),
     ([b"\xff" * 9 + b"\1", b"\0"], BAD_INPUT), ([b"\1\1\xff", b"\0"], BAD_INPUT)],
)  # fmt: skip
def test_an_intersection_sum_of_something_else_ends_with_a_code(run_program, inputs, code):
    outcome = run_program("intersection-set-sum", *inputs)
    assert (outcome.return_code, outcome.output) == (code, None)


PAIRS = st.tuples(st.integers(0, 3), st.integers(2**64 - 2, 2**64 - 1))


@given(
    st.lists(st.tuples(PAIRS, st.integers(0, 2**32 - 1)), max_size=9), st.lists(PAIRS, max_size=9)
)
@settings(max_examples=40)
def test_entries_in_the_sample_are_counted_and_summed(run_program, data, sample):
    outcome = run_program(
        "private-set-intersection-sum", encoded("sampled", {"data": data, "sample": sample})
    )
    found = [value for name, value in data if name in sample]
    assert decoded("matches", outcome.output) == (len(found), sum(found))


@pytest.mark.parametrize("name", [
    "private-set-intersection-sum", "moving-average-convergence-divergence",
    "idash2017-logistic-regression",
])  # fmt: skip
@pytest.mark.parametrize("inputs", [[], [b""], [b"\x01"], [b"\0", b"\0"], [b"\xff" * 20]])
def test_a_program_with_std_ends_with_code_1_when_its_input_is_something_else(
    run_program, name, inputs
):
    outcome = run_program(name, *inputs)
    assert (outcome.return_code, outcome.output) == (STD_ERROR, None)


def weighted(values, size):
    weights = [2 * (at + 1) / (size * (size + 1)) for at in range(size)]
    return [
        sum(v * w for v, w in zip(values[at : at + size], weights, strict=True))
        for at in range(len(values) - size + 1)
    ]


def macd(prices):
    a, b = weighted(prices, 12), weighted(prices, 26)
    d = [x - y for x, y in zip(a[14:], b, strict=True)]
    m = [x - y for x, y in zip(d[9:], weighted(d, 9), strict=False)]
    result = []
    for x, y in itertools.pairwise(m):
        u, w = 0.5 * x, 0.5 * y
        p = u * w
        f = (-0.0001 * p**9 + 0.0003 * p**8 + 0.0025 * p**7 - 0.009 * p**6 - 0.0253 * p**5
             + 0.0984 * p**4 + 0.0882 * p**3 - 0.5173 * p**2 + 0.4475 * p - 0.0753)  # fmt: skip
        result.append(f * (u - w))
    return result


@pytest.mark.parametrize("count", [34, 35, 36, 40, 300])
def test_decisions_follow_from_moving_averages(run_program, count):
    source = random.Random(count)
    prices = [50 + source.gauss(0, 2) for _ in range(count)]
    outcome = run_program("moving-average-convergence-divergence", encoded("numbers", prices))
    found = decoded("numbers", outcome.output)
    assert len(found) == max(0, count - 35)
    assert found == pytest.approx(macd(prices), rel=1e-9, abs=1e-12)


def test_too_few_prices_have_no_decision(run_program):
    outcome = run_program("moving-average-convergence-divergence", encoded("numbers", [1.0] * 33))
    assert outcome.return_code == STD_ERROR


def logistic(points):
    parameters, last = [0.5] * (len(points[0][0]) + 1), 0.0
    for _ in range(100):
        cost, slope = 0.0, [0.0] * len(parameters)
        for point, label in points:
            row = [1.0, *point]
            output = 1 / (1 + math.exp(-sum(p * x for p, x in zip(parameters, row, strict=True))))
            cost -= math.log(output if label else 1 - output)
            for at, x in enumerate(row):
                slope[at] += (output - label) * x
        cost /= len(points)
        if abs(last - cost) < 1e-20:
            break
        parameters = [p - 0.3 * s / len(points) for p, s in zip(parameters, slope, strict=True)]
        last = cost
    return parameters


def labelled(points):
    return encoded(
        "labelled-points",
        {"points": [{"point": list(p), "classification": bool(label)} for p, label in points]},
    )


@pytest.mark.parametrize("parties", [1, 2, 3])
def test_a_logistic_regression_is_over_all_parties(run_program, parties):
    source = random.Random(parties)
    points = []
    for _ in range(40):
        label = source.random() < 0.5
        points.append(([source.gauss(2 * label - 1, 1), source.gauss(1 - 2 * label, 1)], label))
    size = -(-len(points) // parties)
    shares = [points[at : at + size] for at in range(0, len(points), size)]
    outcome = run_program("logistic-regression", *map(labelled, shares))
    found = decoded("numbers", outcome.output)
    assert found == pytest.approx(logistic(points), rel=1e-9)
    correct = sum(
        (found[0] + sum(a * b for a, b in zip(found[1:], p, strict=True)) > 0) == label
        for p, label in points
    )
    assert correct > 30


def test_parties_of_different_dimensions_are_refused(run_program):
    outcome = run_program(
        "logistic-regression", labelled([([1.0], 1)]), labelled([([1.0, 2.0], 0)])
    )
    assert outcome.return_code == STD_ERROR
    assert decoded("numbers", run_program("logistic-regression").output) == [0.5]


def sigmoid(x, degree):
    if degree == 3:
        return -0.5 + 0.15012 * x - 0.001593 * x**3
    if degree == 5:
        return -0.5 + 0.19131 * x - 0.0045963 * x**3 + 0.0000412332 * x**5
    return -0.5 + 0.216884 * x - 0.00819276 * x**3 + 0.000165861 * x**5 - 0.00000119581 * x**7


def normalised(rows):
    tops = [max(abs(row[at]) for row in rows) or 1 for at in range(len(rows[0]))]
    return [[x / top for x, top in zip(row, tops, strict=True)] for row in rows]


def idash(case):
    train, test, iterations, degree, up, down = case
    train, test = normalised(train), normalised(test)
    columns, count = len(train[0]), len(train)
    w, v = [0.0] * columns, [0.0] * columns
    alpha0 = 0.01
    alpha1 = (1 + math.sqrt(1 + 4 * alpha0**2)) / 2
    for k in range(iterations):
        eta = (1 - alpha0) / alpha1
        gamma = up / down / count if down > 0 else up / (k - down) / count
        factors = [
            sigmoid(sum(a * b for a, b in zip(row, v, strict=True)), degree) for row in train
        ]
        new = [
            v[at] - gamma * sum(row[at] * f for row, f in zip(train, factors, strict=True))
            for at in range(columns)
        ]
        v = [(1 - eta) * n + eta * o for n, o in zip(new, w, strict=True)]
        w = new
        alpha0, alpha1 = alpha1, (1 + math.sqrt(1 + 4 * alpha1**2)) / 2
    scored = [(row[0], sum(a * b for a, b in zip(row, w, strict=True)),
               row[0] * sum(a * b for a, b in zip(row[1:], w[1:], strict=True)))
              for row in test]  # fmt: skip
    correctness = 100 - 100 * sum(dot < 0 for _, dot, _ in scored) / len(test)
    positive = [score for label, _, score in scored if label > 0]
    negative = [score for label, _, score in scored if label <= 0]
    pairs = sum(n <= p for p in positive for n in negative)
    return w, correctness, pairs / (len(positive) * len(negative))


@pytest.mark.parametrize("degree", [3, 5, 7])
@pytest.mark.parametrize(("up", "down"), [(1, -1), (2, 3)])
def test_weights_and_quality_are_those_of_the_competition(run_program, degree, up, down):
    source = random.Random(degree * up)

    def rows(count):
        made = []
        for _ in range(count):
            label = source.choice([1.0, -1.0])
            made.append([label, *(label * (source.gauss(label, 1)) for _ in range(4))])
        return made

    case = (rows(60), rows(30), 7, degree, up, down)
    outcome = run_program("idash2017-logistic-regression", encoded("idash", case))
    weights, correctness, area = decoded("idash-result", outcome.output)
    expected = idash(case)
    assert weights == pytest.approx(expected[0], rel=1e-9)
    assert (correctness, area) == pytest.approx(expected[1:], rel=1e-12)
    assert correctness > 60


@pytest.mark.parametrize(
    "case", [([], [], 1, 3, 1, 1), ([[1.0]], [], 1, 3, 1, 1), ([[1.0]], [[1.0, 2.0]], 1, 3, 1, 1)]
)
def test_rows_that_cannot_be_learned_from_are_refused(run_program, case):
    outcome = run_program("idash2017-logistic-regression", encoded("idash", case))
    assert outcome.return_code == STD_ERROR
