"""The cores of Python that a user has made: whole, and not too many."""

import os

from sdk.toolchains.core_store import MOST_CORES, keep_core, kept_core

INPUTS = "ab" * 32
OTHER = "cd" * 32


def test_a_core_is_found_by_what_it_was_made_of(tmp_path):
    keep_core(tmp_path, INPUTS, b"core")
    assert kept_core(tmp_path, INPUTS) == b"core"
    assert kept_core(tmp_path, OTHER) is None


def test_a_core_that_was_damaged_is_there_no_more(tmp_path):
    for damage in (b"", b"cor", b"Core", b"cores"):
        keep_core(tmp_path, INPUTS, b"core")
        next(tmp_path.iterdir()).write_bytes(damage)
        assert kept_core(tmp_path, INPUTS) is None
        assert list(tmp_path.iterdir()) == []


def test_of_many_cores_those_that_were_used_last_are_kept(tmp_path):
    old = tmp_path / "core-0123.wasm"
    old.write_bytes(b"of an earlier version")
    os.utime(old, (1, 1))
    inputs = [digit * 64 for digit in "abc"]
    assert len(inputs) == MOST_CORES
    for second, digest in enumerate(inputs, 2):
        keep_core(tmp_path, digest, digest.encode())
        os.utime(next(tmp_path.glob(f"core-{digest[:32]}*")), (second, second))
    assert not old.exists()
    assert kept_core(tmp_path, inputs[0])  # so it is the one that was used last
    keep_core(tmp_path, OTHER, b"another")
    found = [kept_core(tmp_path, digest) is not None for digest in (*inputs, OTHER)]
    assert found == [True, False, True, True]
