import csv
import io
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk.errors import GenerationError
from sdk.examples.named_types import SCHEMAS
from sdk.examples.people import generate_people, people_csv
from veracruz_utils.encoding.tables import encode_table

PEOPLE_OF_SEED_1 = [  # 4,000 each, 1,200 of whom are in both
    "c95580b17490317995d577fdef677b2c762b5368ad61ced1fe4fecd337fbe87d",
    "e7b2e39b0e9b18038d4eb57d91533db4541a51ab004a156cfd23c8d009162316",
]


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


@pytest.fixture(scope="module")
def default_files():
    both = generate_people(seed=1, size=4000, overlap=1200)
    return [people_csv(people).encode() for people in both]


def test_the_people_of_a_seed_stay_the_same_from_version_to_version(default_files):
    assert [sha256(file).hexdigest() for file in default_files] == PEOPLE_OF_SEED_1


def test_the_people_encode(default_files):
    for file in default_files:
        rows = list(csv.DictReader(io.StringIO(file.decode())))
        assert len(rows) == 4000
        assert encode_table(SCHEMAS["people"].kind, file, header=True)[:2] == b"\xa0\x1f"
