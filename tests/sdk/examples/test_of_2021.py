"""Where an example differs from the program of 2021 is said, and is so."""

import math

import pytest

from sdk.examples import EXAMPLES
from sdk.examples.of_2021 import DIFFERENCES
from sdk.toolchains.sources import source_folder
from veracruz_utils.encoding.pinecone import decode, encode, parse_type


def encoded(name, value):
    return encode(EXAMPLES[name].inputs[0].kind, value)


def result(name, outcome):
    return decode(parse_type(EXAMPLES[name].result), outcome.output)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_its_readme_says_so(name):
    text = source_folder("examples").joinpath(name, "README.md").read_text()
    assert f"Compared with the original: {DIFFERENCES[name]}." in " ".join(text.split())


@pytest.mark.parametrize(
    "name", [name for name, text in DIFFERENCES.items() if "left over" in text]
)
def test_bytes_left_over_are_refused(run_program, name):
    example = EXAMPLES[name]
    case = example.generate(1, 40)
    given = {"streams": case.rounds[0]} if example.streams else {}
    assert run_program(name, *case.inputs, **given).return_code == 0
    longer = [case.inputs[0] + b"\0" * 16, *case.inputs[1:]]
    outcome = run_program(name, *longer, **given)
    assert (outcome.return_code in example.codes, outcome.output) == (True, None)


def test_test_rows_of_one_label_have_an_area_of_zero(run_program):
    name = "idash2017-logistic-regression"
    train = [[1.0, 2.0], [1.0, 3.0], [-1.0, 2.0], [-1.0, 1.0]]
    outcome = run_program(name, encoded(name, (train, [[1.0, 2.5], [1.0, 1.0]], 7, 5, 1, -1)))
    _, correct, area = result(name, outcome)
    assert (math.isfinite(correct), area) == (True, 0.0)


def test_a_file_of_the_generator_of_then_is_refused(run_program):
    name = "idash2017-logistic-regression"
    wide = parse_type("(Vec<Vec<f64>>, Vec<Vec<f64>>, u64, u64, i64, i64)")
    rows = [[1.0, 2.0], [-1.0, 1.0]]
    assert run_program(name, encode(wide, (rows, rows, 7, 5, 1, -1))).return_code == 1


def test_two_greetings_are_not_wholly_alike(run_program):
    name = "string-edit-distance"
    assert round(result(name, run_program(name, b"Hello world!", b"Hello world.")), 2) == 0.97


def test_too_few_prices_are_a_code(run_program):
    name = "moving-average-convergence-divergence"
    assert run_program(name, encoded(name, [1.0] * 33)).return_code == 1


def test_the_first_party_counts(run_program):
    name = "logistic-regression"
    points = [{"point": [float(x)], "classification": x > 2} for x in range(5)]
    first, other = encoded(name, {"points": points}), encoded(name, {"points": points[:2]})
    assert run_program(name, first, other).output != run_program(name, other, other).output


def test_an_intersection_is_in_the_order_of_the_first_register(run_program):
    name = "private-set-intersection"
    people = [{"name": n, "employee_id": "1", "age": 1, "grade": 1} for n in "zaymb"]
    backwards = encoded(name, people[::-1])
    found = result(name, run_program(name, encoded(name, people), backwards))
    assert [one["name"] for one in found] == list("zaymb")
