"""Every example against a computation of its own in Python, which shares no code with the SDK."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tlaxcala
from execution_engine.limits import EngineLimits
from execution_engine.wasm.binary import parse
from execution_engine.wasm.examination import check_module
from sdk.examples import programs

DATA_SOURCE_COUNT, BAD_INPUT, INVARIANT_FAILED, GENERIC = -2, -4, -5, -1
STD_ERROR = 1
"""Of a program in Rust with `std`, whatever the error."""


def f64(*numbers):
    return struct.pack(f"<{len(numbers)}d", *numbers)


def varint(number):
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


@pytest.mark.parametrize("name", programs.NAMES)
def test_a_shipped_module_runs_on_our_engine_and_asks_for_host_calls_only(name):
    code = programs.load(name)
    summary = check_module(code, limits=EngineLimits())
    assert summary.runnable
    assert {wanted.module for wanted in summary.imports} <= {"env"}
    assert {"main", "memory"} <= {export.name for export in parse(code).exports}


@pytest.mark.parametrize("name", programs.NAMES)
def test_a_shipped_module_is_certified(name):
    assert tlaxcala.check(programs.load(name)).certified


def test_a_program_that_is_not_shipped_is_not_loaded():
    with pytest.raises(KeyError):
        programs.load("../programs/linear-regression")


# --- private-set-intersection -------------------------------------------------------------------

PEOPLE = st.tuples(
    st.sampled_from(["", "clare", "bob", "alice", "Zoë", "李"]),
    st.sampled_from(["", "1", "22", "333"]),
    st.integers(0, 2),
    st.integers(254, 255),
)


def person_bytes(person):
    name, employee_id, age, grade = person
    texts = [text.encode() for text in (name, employee_id)]
    return b"".join(varint(len(text)) + text for text in texts) + bytes([age, grade])


def people_bytes(people):
    return varint(len(people)) + b"".join(map(person_bytes, people))


@given(st.lists(st.lists(PEOPLE, max_size=20, unique=True), min_size=1, max_size=4))
def test_the_intersection_is_who_is_in_every_set_in_the_order_of_the_first(run_program, sets):
    outcome = run_program("private-set-intersection", *map(people_bytes, sets))
    common = set(sets[0]).intersection(*sets[1:])
    assert outcome.return_code == 0
    assert outcome.output == people_bytes([person for person in sets[0] if person in common])


@given(st.lists(PEOPLE, max_size=20), st.lists(PEOPLE, max_size=20))
def test_a_person_listed_twice_counts_once(run_program, first, second):
    outcome = run_program("private-set-intersection", people_bytes(first), people_bytes(second))
    common = [person for person in dict.fromkeys(first) if person in second]
    assert outcome.output == people_bytes(common)


def test_no_sets_have_no_one_in_common(run_program):
    assert run_program("private-set-intersection").output == b"\0"


def test_large_sets_intersect(run_program):
    first = [(f"person {number}", str(number), number % 90, 1) for number in range(20_000)]
    second = first[15_000:] + [(name, "other", age, grade) for name, _, age, grade in first]
    outcome = run_program("private-set-intersection", people_bytes(first), people_bytes(second))
    assert outcome.output == people_bytes(first[15_000:])


def test_the_fuel_of_an_intersection_is_the_same_every_time(run_program):
    people = people_bytes([(f"person {number}", "1", 1, 1) for number in range(50)])
    limits = EngineLimits(fuel=10**9)
    first, second = (
        run_program("private-set-intersection", people, people, limits=limits) for _ in range(2)
    )
    assert first.fuel == second.fuel


ONE_PERSON = people_bytes([("clare", "3", 39, 54)])


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        ONE_PERSON[:-1],
        ONE_PERSON + b"\0",
        b"\xff\xff\xff\xff\x0f" + ONE_PERSON[1:],
        b"\x80\x00",
        b"\x80" * 11,
        b"\x01\x02\xc3\x28\x00\x01\x01",
        b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01aaaa",
    ],
    ids=[
        "empty",
        "cut-off",
        "left-over",
        "announces-4-billion",
        "overlong-varint",
        "endless-varint",
        "not-utf-8",
        "text-of-2-to-the-64",
    ],
)
@pytest.mark.parametrize("position", [0, 1])
def test_a_set_that_does_not_decode_is_bad_input(run_program, hostile, position):
    inputs = [ONE_PERSON, ONE_PERSON]
    inputs[position] = hostile
    outcome = run_program("private-set-intersection", *inputs)
    assert (outcome.return_code, outcome.output) == (STD_ERROR, None)


# --- forest-inference ---------------------------------------------------------------------------


def test_a_program_in_c_that_is_out_of_memory_says_so(run_program):
    forest = f64(0) + varint(0)
    rows = varint(100_000) + bytes(100_000)
    limits = EngineLimits(memory_bytes=3 * 65536)
    assert run_program("forest-inference", forest, rows, limits=limits).return_code == GENERIC


# --- linear-regression --------------------------------------------------------------------------

COORDINATES = st.integers(-1000, 1000).map(float)


def points_bytes(points):
    return varint(len(points)) + b"".join(f64(*point) for point in points)


@given(st.lists(st.tuples(COORDINATES, COORDINATES), min_size=2, max_size=30))
def test_the_line_is_the_least_squares_one(run_program, points):
    xs, ys = ([Fraction(point[axis]) for point in points] for axis in (0, 1))
    n = len(points)
    determinant = n * sum(x * x for x in xs) - sum(xs) ** 2
    assume(determinant != 0)
    slope = (n * sum(x * y for x, y in zip(xs, ys, strict=True)) - sum(xs) * sum(ys)) / determinant
    outcome = run_program("linear-regression", points_bytes(points))
    gradient, intercept = struct.unpack("<2d", outcome.output)
    assert math.isclose(gradient, slope, rel_tol=1e-9, abs_tol=1e-9)
    assert math.isclose(intercept, (sum(ys) - slope * sum(xs)) / n, rel_tol=1e-9, abs_tol=1e-7)


def test_the_sums_are_in_the_order_of_the_input(run_program):
    points = [(0.1 * number, 1e9 / (number + 1)) for number in range(100)]
    mean_x, mean_y = (_running_sum(p[axis] for p in points) / len(points) for axis in (0, 1))
    top = _running_sum((x - mean_x) * (y - mean_y) for x, y in points)
    gradient = top / _running_sum((x - mean_x) * (x - mean_x) for x, _ in points)
    outcome = run_program("linear-regression", points_bytes(points))
    assert outcome.output == f64(gradient, mean_y - gradient * mean_x)


def _running_sum(numbers):
    total = 0.0  # not sum(), which compensates from Python 3.12 on
    for number in numbers:
        total += number
    return total


@pytest.mark.parametrize("points", [[], [(1.0, 2.0)]], ids=["none", "one"])
def test_too_few_points_have_no_line(run_program, points):
    outcome = run_program("linear-regression", points_bytes(points))
    assert all(map(math.isnan, struct.unpack("<2d", outcome.output)))


@pytest.mark.parametrize("count", [0, 2])
def test_a_regression_of_not_one_input_fails_as_it_always_did(run_program, count):
    outcome = run_program("linear-regression", *[points_bytes([(1.0, 2.0)])] * count)
    assert outcome.return_code == INVARIANT_FAILED


@pytest.mark.parametrize(
    "hostile",
    [b"", b"\x01" + bytes(15), b"\x01" + bytes(17), b"\xff\xff\xff\xff\x0f" + bytes(64)],
    ids=["empty", "cut-off", "left-over", "announces-4-billion"],
)
def test_points_that_do_not_decode_are_bad_input(run_program, hostile):
    assert run_program("linear-regression", hostile).return_code == BAD_INPUT


# --- string-edit-distance -----------------------------------------------------------------------


def jaro_winkler(a, b):
    """Winkler (1990), with the threshold of his program: a boost for similar strings only."""
    window = max(0, max(len(a), len(b)) // 2 - 1)
    free = list(range(len(b)))
    pairs = []
    for i, character in enumerate(a):
        near = [j for j in free if abs(i - j) <= window and b[j] == character]
        if near:
            pairs.append((i, near[0]))
            free.remove(near[0])
    if not a and not b:
        return 1.0
    if not pairs:
        return 0.0
    in_order_of_b = sorted(j for _, j in pairs)
    moved = sum(a[i] != b[j] for (i, _), j in zip(pairs, in_order_of_b, strict=True))
    m = len(pairs)
    similarity = (m / len(a) + m / len(b) + (m - moved // 2) / m) / 3
    if similarity <= 0.7:
        return similarity
    prefix = 0
    while prefix < min(4, len(a), len(b)) and a[prefix] == b[prefix]:
        prefix += 1
    return similarity + prefix * 0.1 * (1 - similarity)


def similarity_of(run_program, a, b):
    outcome = run_program("string-edit-distance", a.encode(), b.encode())
    assert outcome.return_code == 0
    (similarity,) = struct.unpack("<d", outcome.output)
    return similarity


# Published examples (Winkler 1990, and 2006 for the last), to three digits.
@pytest.mark.parametrize(
    ("a", "b", "similarity"),
    [
        ("MARTHA", "MARHTA", 0.961),
        ("DWAYNE", "DUANE", 0.840),
        ("DIXON", "DICKSONX", 0.813),
        ("JONES", "JOHNSON", 0.832),
        ("ABROMS", "ABRAMS", 0.922),
        ("JERALDINE", "GERALDINE", 0.926),
        ("", "", 1.0),
        ("", "a", 0.0),
        ("a", "a", 1.0),
        ("a", "b", 0.0),
        ("ab", "ba", 0.0),
    ],
)
def test_a_published_similarity_is_met(run_program, a, b, similarity):
    assert similarity_of(run_program, a, b) == pytest.approx(similarity, abs=0.0006)


TEXTS = st.text("abcé李😀", max_size=24) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=12
)


@given(TEXTS, TEXTS)
def test_the_similarity_of_texts_is_jaro_and_winklers(run_program, a, b):
    similarity = similarity_of(run_program, a, b)
    assert similarity == pytest.approx(jaro_winkler(a, b), abs=1e-12)
    assert 0 <= similarity <= 1


@given(TEXTS)
def test_a_text_is_wholly_like_itself(run_program, text):
    assert similarity_of(run_program, text, text) == 1


def test_different_texts_with_a_long_common_beginning_are_not_wholly_alike(run_program):
    assert similarity_of(run_program, "Hello world!\n", "Hello world.\n") == pytest.approx(0.96923)


def test_long_texts_are_compared_in_linear_time(run_program):
    a, b = "ab" * 50_000, "ba" * 50_000
    # Every character has its partner one place on; so all stand elsewhere, which is half as bad.
    assert similarity_of(run_program, a, b) == pytest.approx((1 + 1 + 1 / 2) / 3)


@pytest.mark.parametrize(
    "hostile",
    [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"a\x80"],
    ids=["ff", "cut-off", "overlong", "surrogate", "beyond-10ffff", "cut-off-3", "stray"],
)
def test_text_that_is_not_utf_8_is_bad_input(run_program, hostile):
    assert run_program("string-edit-distance", b"a", hostile).return_code == STD_ERROR
    assert run_program("string-edit-distance", hostile, b"a").return_code == STD_ERROR


@given(st.binary(max_size=12))
def test_a_text_is_accepted_exactly_when_it_is_utf_8(run_program, data):
    try:
        data.decode()
    except UnicodeDecodeError:
        expected = STD_ERROR
    else:
        expected = 0
    assert run_program("string-edit-distance", data, b"").return_code == expected


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_distance_of_not_two_texts_is_refused(run_program, count):
    outcome = run_program("string-edit-distance", *[b"a"] * count)
    assert outcome.return_code == STD_ERROR


# --- number-stream-accumulation -----------------------------------------------------------------

NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_the_sum_runs_over_rounds(run_program, start, rounds):
    total, previous = start, None
    for first, second in rounds:
        outcome = run_program(
            "number-stream-accumulation",
            f64(start),
            streams=[f64(first), f64(second)],
            previous_result=previous,
        )
        total = total + first + second
        previous = outcome.output
        assert previous == f64(total)


def test_streams_beyond_the_second_are_not_read(run_program):
    streams = [f64(1), f64(2), b"not a number"]
    outcome = run_program("number-stream-accumulation", f64(3), streams=streams)
    assert outcome.output == f64(6)


@pytest.mark.parametrize(("inputs", "streams"), [(0, 2), (2, 2), (1, 0), (1, 1)])
def test_a_round_without_one_number_and_two_streams_is_refused(run_program, inputs, streams):
    outcome = run_program(
        "number-stream-accumulation", *[f64(1)] * inputs, streams=[f64(1)] * streams
    )
    assert outcome.return_code == STD_ERROR


@pytest.mark.parametrize("hostile", [b"", bytes(7), bytes(9)], ids=["empty", "short", "long"])
def test_a_number_that_does_not_decode_is_bad_input(run_program, hostile):
    def code(number, first, second, previous):
        streams = [first, second]
        return run_program(
            "number-stream-accumulation", number, streams=streams, previous_result=previous
        ).return_code

    good = f64(1)
    assert code(hostile, good, good, None) == STD_ERROR
    assert code(good, hostile, good, None) == STD_ERROR
    assert code(good, good, hostile, None) == STD_ERROR
    assert code(good, good, good, hostile) == STD_ERROR


# --- all of them --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", programs.NAMES)
@settings(max_examples=30)  # of each of some twenty programs, under each strategy
@given(
    inputs=st.lists(st.binary(max_size=40), max_size=3),
    streams=st.lists(st.binary(max_size=12), max_size=3),
    previous=st.none() | st.binary(max_size=12),
)
def test_arbitrary_inputs_give_a_result_or_a_documented_code(
    run_program, name, inputs, streams, previous
):
    outcome = run_program(name, *inputs, streams=streams, previous_result=previous)
    assert outcome.return_code in (0, STD_ERROR, DATA_SOURCE_COUNT, BAD_INPUT, INVARIANT_FAILED)
    wrote = outcome.return_code == 0 and name != "nop"
    assert (outcome.output is not None) == wrote
