import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk import samples
from sdk.errors import GenerationError
from sdk.generate import generate_people, people_csv
from sdk.schemas import SCHEMAS
from sdk.tables import encode_table


@given(st.integers(0, 2**64), st.integers(0, 40), st.data())
def test_the_overlap_is_exact_and_nobody_is_listed_twice(seed, size, data):
    overlap = data.draw(st.integers(0, size))
    first, second = generate_people(seed=seed, size=size, overlap=overlap)
    assert len(set(first)) == len(set(second)) == size
    assert len(set(first) & set(second)) == overlap
    assert len({person.employee_id for person in [*first, *second]}) == 2 * size - overlap


def test_the_same_seed_makes_the_same_people():
    assert generate_people(seed=1, size=50, overlap=9) == generate_people(
        seed=1, size=50, overlap=9
    )
    assert generate_people(seed=1, size=50, overlap=9) != generate_people(
        seed=2, size=50, overlap=9
    )


def test_the_first_people_of_a_seed_are_these():
    first, _ = generate_people(seed=1, size=2, overlap=1)
    assert people_csv(first) == (
        "name,employee_id,age,grade\nCarmen Taylor,E100000,56,4\nKamal Le,E100001,50,10\n"
    )


@pytest.mark.parametrize(("size", "overlap"), [(-1, 0), (5, 6), (5, -1), (1_000_001, 0)])
def test_a_shape_that_cannot_be_is_refused(size, overlap):
    with pytest.raises(GenerationError, match="0 <= overlap <= size <= 1000000"):
        generate_people(seed=0, size=size, overlap=overlap)


def test_the_shipped_people_are_the_ones_of_the_documented_seed():
    generated = generate_people(seed=1, size=4000, overlap=1200)
    shipped = [samples.load(name).decode() for name in ("people-a.csv", "people-b.csv")]
    assert [people_csv(people) for people in generated] == shipped


@pytest.mark.parametrize("name", samples.NAMES)
def test_the_shipped_people_encode(name):
    rows = list(csv.DictReader(io.StringIO(samples.load(name).decode())))
    assert len(rows) == 4000
    assert encode_table(SCHEMAS["people"].kind, samples.load(name), header=True)[:2] == b"\xa0\x1f"


def test_a_sample_that_is_not_shipped_is_not_loaded():
    with pytest.raises(KeyError):
        samples.load("../errors.py")
