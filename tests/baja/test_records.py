"""Records are counted by their headers alone, however the bytes are cut."""

from hypothesis import given
from hypothesis import strategies as st

from baja.records import RecordCounter


def record(size: int) -> bytes:
    return bytes([23, 3, 3]) + size.to_bytes(2) + bytes(size)


def take_all(counter: RecordCounter, data: bytes, most: int) -> list[tuple[int, int]]:
    """What is taken of `data`, a few records at a time."""
    taken, rest = [], memoryview(data)
    while rest:
        size, records = counter.take(rest, most)
        assert 0 < size <= len(rest)
        taken.append((size, records))
        rest = rest[size:]
    return taken


def test_no_more_records_are_taken_than_asked_for():
    stream = b"".join(record(size) for size in (1, 0, 70, 16400))
    assert take_all(RecordCounter(), stream, 2) == [(6 + 5, 2), (75 + 16405, 2)]


def test_the_beginning_of_a_record_is_taken_along():
    assert RecordCounter().take(memoryview(record(4) + record(9)[:7]), 5) == (9 + 7, 1)


def test_nothing_is_taken_of_nothing():
    assert RecordCounter().take(memoryview(b""), 5) == (0, 0)


@given(
    st.lists(st.integers(0, 300), max_size=20),
    st.lists(st.integers(1, 400), min_size=1, max_size=40),
    st.integers(1, 7),
)
def test_however_the_bytes_are_cut_every_record_is_counted_once(sizes, cuts, most):
    stream = b"".join(map(record, sizes))
    counter, found, position = RecordCounter(), 0, 0
    for cut in [*cuts, len(stream)]:
        piece = stream[position : position + cut]
        position += cut
        taken = take_all(counter, piece, most)
        assert sum(size for size, _ in taken) == len(piece)
        assert all(records <= most for _, records in taken)
        found += sum(records for _, records in taken)
    assert found == len(sizes)


@given(st.binary(max_size=2000), st.integers(1, 7))
def test_any_bytes_are_taken_to_their_end(data, most):
    assert sum(size for size, _ in take_all(RecordCounter(), data, most)) == len(data)
