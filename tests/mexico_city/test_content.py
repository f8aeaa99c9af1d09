import errno
import hashlib
import mmap
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexico_city.content import Content, ContentWriter, Sealing, anonymous_file, content_of
from mexico_city.errors import RuntimeFailure

MIB = 1024 * 1024


def filled(data: bytes) -> int:
    descriptor = anonymous_file()
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def sealed(data: bytes) -> Content:
    sealing = Sealing(filled(data), size=len(data), limit=len(data))
    while (content := sealing.step()) is None:
        pass
    return content


def closed(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError as error:
        return error.errno == errno.EBADF
    return False


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_content_is_what_was_written_however_it_was_cut(pieces):
    whole = b"".join(pieces)
    writer = ContentWriter(len(whole))
    for piece in pieces:
        writer.write(piece)
    content = writer.finish()
    assert content.read(0, len(whole) + 1) == whole
    assert content.size == len(whole)
    assert content.digest.value == hashlib.sha256(whole).digest()
    content.close()


@pytest.mark.parametrize("make", [content_of, sealed])
def test_content_cannot_be_changed_by_whoever_holds_its_descriptor(make):
    content = make(b"four")
    for change in (
        lambda: os.pwrite(content.descriptor, b"x", 0),
        lambda: os.pwrite(content.descriptor, b"x", 4),
        lambda: os.ftruncate(content.descriptor, 3),
        lambda: os.ftruncate(content.descriptor, 5),
        lambda: mmap.mmap(content.descriptor, 4, prot=mmap.PROT_WRITE),
    ):
        with pytest.raises(PermissionError):
            change()
    assert content.read(0, 9) == b"four"
    content.close()


def test_content_is_not_inherited_by_another_program():
    content = content_of(b"")
    assert not os.get_inheritable(content.descriptor)
    content.close()


def test_a_duplicate_outlives_its_original():
    original = content_of(b"abc")
    duplicate = original.duplicate()
    original.close()
    assert duplicate.read(1, 9) == b"bc"
    assert duplicate.digest == original.digest
    duplicate.close()


def test_closing_twice_closes_nobody_elses_file():
    content = content_of(b"abc")
    content.close()
    other = content_of(b"other")
    content.close()
    assert other.read(0, 9) == b"other"
    other.close()


def test_a_writer_that_is_given_up_closes_its_file():
    writer = ContentWriter(3)
    descriptor = writer.descriptor
    writer.write(b"ab")
    writer.close()
    writer.close()
    assert closed(descriptor)


def test_a_result_is_read_in_parts_and_its_digest_is_that_of_the_whole():
    data = os.urandom(9 * MIB)
    sealing = Sealing(filled(data), size=len(data), limit=len(data))
    assert sealing.step() is None
    assert sealing.step() is None
    content = sealing.step()
    assert content is not None
    assert content.digest.value == hashlib.sha256(data).digest()
    content.close()


def test_a_result_is_immutable_before_all_of_it_was_read():
    descriptor = filled(bytes(9 * MIB))
    sealing = Sealing(descriptor, size=9 * MIB, limit=9 * MIB)
    sealing.step()
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 0)
    sealing.close()
    assert closed(descriptor)


@pytest.mark.parametrize(
    ("size", "limit", "why"),
    [
        (4, 4, "the output file has 5 bytes, 4 were announced"),
        (6, 6, "the output file has 5 bytes, 6 were announced"),
        (5, 4, "the output file has 5 bytes, the limit is 4"),
    ],
)
def test_a_result_of_another_size_is_refused_and_closed(size, limit, why):
    descriptor = filled(b"12345")
    with pytest.raises(RuntimeFailure, match=why):
        Sealing(descriptor, size=size, limit=limit)
    assert closed(descriptor)


def test_a_result_that_its_writer_could_still_change_is_refused_and_closed():
    descriptor = filled(b"12345")
    with (
        mmap.mmap(descriptor, 5),
        pytest.raises(RuntimeFailure, match="still mapped for writing"),
    ):
        Sealing(descriptor, size=5, limit=5)
    assert closed(descriptor)


def test_an_empty_result_is_content_too():
    content = sealed(b"")
    assert content.size == 0
    assert content.digest.value == hashlib.sha256(b"").digest()
    content.close()
