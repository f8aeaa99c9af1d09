"""What Sonora keeps of compiled code, and for whom."""

import fcntl
import os

import pytest

from colima import isolate
from mexico_city.content import content_of
from sonora.shared_code import SharedCode
from support.processes import open_files
from veracruz_utils.digest import Digest

ONE, OTHER = Digest.of(b"one program"), Digest.of(b"another")
NAME, TAG = bytes(32), b"t" * 32


def code_file(data: bytes) -> int:
    """The descriptor of a sealed file, the caller's."""
    content = content_of(data)
    return content.descriptor


def read(descriptor: int) -> bytes:
    data = os.pread(descriptor, 1000, 0)
    os.close(descriptor)
    return data


@pytest.fixture
def store():
    one = SharedCode(max_bytes=100)
    yield one
    one.close()


def keep(store, data: bytes, *, program=ONE, name=NAME) -> bool:
    return store.take(program, name, isolate.CodeMade(TAG, len(data)), code_file(data))


def offered(store, *, program=ONE, name=NAME) -> bytes | None:
    offer, descriptors = store.offer(program, name)
    if not descriptors:
        assert (offer.size, offer.tag) == (0, b"")
        return None
    data = read(*descriptors)
    assert (offer.size, offer.tag) == (len(data), TAG)
    return data


def test_code_is_offered_to_the_same_program_under_the_same_name_alone(store):
    assert offered(store) is None
    assert keep(store, b"code")
    assert offered(store) == b"code"
    assert offered(store, program=OTHER) is None
    assert offered(store, name=b"n" * 32) is None


def test_each_program_has_a_key_of_its_own_and_each_store_too(store):
    keys = {store.offer(program, NAME)[0].key for program in (ONE, OTHER)}
    again = SharedCode()
    assert len(keys | {again.offer(ONE, NAME)[0].key}) == 3
    assert store.offer(ONE, b"n" * 32)[0].key in keys


def test_a_key_is_in_no_text(store):
    offer, _ = store.offer(ONE, NAME)
    assert offer.key.hex() not in repr(offer)
    assert repr(offer.key) not in repr(offer)


def test_what_was_not_used_for_longest_makes_room(store):
    assert keep(store, b"a" * 40, name=b"a" * 32)
    assert keep(store, b"b" * 40, name=b"b" * 32)
    assert offered(store, name=b"a" * 32) is not None
    assert keep(store, b"c" * 40, name=b"c" * 32)
    assert offered(store, name=b"b" * 32) is None
    assert offered(store, name=b"a" * 32) is not None


def test_code_of_the_same_name_replaces_what_was_there(store):
    assert keep(store, b"a" * 90)
    assert keep(store, b"b" * 90)
    assert offered(store) == b"b" * 90


def test_code_that_is_too_large_empty_or_of_another_size_is_not_kept(store):
    assert not keep(store, b"x" * 101)
    for size in (0, 3, 5):
        assert not store.take(ONE, NAME, isolate.CodeMade(TAG, size), code_file(b"code"))
    assert offered(store) is None


def test_a_file_that_could_still_change_is_not_kept(store):
    descriptor = os.memfd_create("open", os.MFD_ALLOW_SEALING)
    os.write(descriptor, b"code")
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    assert not store.take(ONE, NAME, isolate.CodeMade(TAG, 4), descriptor)
    reader, writer = os.pipe()
    assert not store.take(ONE, NAME, isolate.CodeMade(TAG, 4), reader)
    os.close(writer)


def test_no_descriptor_stays_open():
    before = len(open_files(os.getpid()))
    store = SharedCode(max_bytes=100)
    keep(store, b"a" * 60)
    keep(store, b"b" * 60, name=b"b" * 32)
    keep(store, b"x" * 101)
    offered(store)
    store.close()
    assert len(open_files(os.getpid())) == before
