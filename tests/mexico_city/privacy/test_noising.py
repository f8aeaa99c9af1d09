from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexico_city.content import content_of
from mexico_city.privacy import noising
from mexico_city.privacy.noising import Noising
from veracruz_utils.encoding.errors import PineconeError
from veracruz_utils.encoding.pinecone import decode, encode, parse_type


def noised(expression, value, draws):
    kind = parse_type(expression)
    content = finished(Noising(content_of(encode(kind, value)), kind, iter(draws).__next__))
    return decode(kind, content.read(0, content.size))


def finished(work):
    while (content := work.step()) is None:
        pass
    return content


def test_every_integer_gets_noise_of_its_own_and_nothing_else_changes():
    found = noised(
        "{counts: Vec<(u16, i64)>, more: [u8; 2]}",
        {"counts": [(10, -5), (20, 7)], "more": [1, 2]},
        [1, 2, -3, -4, 5, 6],
    )
    assert found == {"counts": [(11, -3), (17, 3)], "more": [6, 8]}


@pytest.mark.parametrize(
    ("expression", "value", "noise", "expected"),
    [
        ("u8", 3, -10, 0),
        ("u8", 250, 10, 255),
        ("i8", -120, -100, -128),
        ("i64", 2**62, 2**70, 2**63 - 1),
    ],
)
def test_what_leaves_the_range_becomes_its_end(expression, value, noise, expected):
    assert noised(expression, value, [noise]) == expected


@given(st.lists(st.integers(0, 2**32 - 1), max_size=40), st.integers(1, 9), st.data())
def test_noise_is_added_whatever_parts_it_is_done_in(values, parts, data):
    noise = [data.draw(st.integers(-(2**33), 2**33)) for _ in values]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noising, "_STEP_PARTS", parts)
        patch.setattr(noising, "_GATHERED_BYTES", 8 * parts)
        found = noised("Vec<u32>", values, noise)
    pairs = zip(values, noise, strict=True)
    assert found == [min(max(value + extra, 0), 2**32 - 1) for value, extra in pairs]


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_it_was_made_of_is_gone_when_it_is_made():
    before = descriptors()
    finished(Noising(content_of(b"\x01\x05"), parse_type("Vec<u8>"), lambda: 0)).close()
    assert descriptors() == before


def test_a_result_of_another_type_gets_no_noise_and_is_gone():
    before = descriptors()
    work = Noising(content_of(b"\x02" + bytes(9)), parse_type("Vec<u32>"), lambda: 0)
    with pytest.raises(PineconeError, match="1 bytes are left over"):
        finished(work)
    work.close()
    assert descriptors() == before
