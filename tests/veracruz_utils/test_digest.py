import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_digest_is_sha_256():
    """The example of FIPS 180-4."""
    assert str(Digest.of(b"abc")) == SHA256_OF_ABC


@given(st.binary())
def test_all_kinds_of_bytes_have_the_same_digest(data):
    expected = hashlib.sha256(data).digest()
    for kind in (bytes, bytearray, memoryview):
        assert Digest.of(kind(data)).value == expected


@given(st.binary(min_size=32, max_size=32))
def test_a_digest_survives_being_written_and_read(value):
    digest = Digest(value)
    assert Digest.from_hex(str(digest)) == digest
    assert hash(Digest.from_hex(str(digest))) == hash(digest)
    assert str(digest) in repr(digest)
    assert str(digest).startswith(digest.short)
    assert len(digest.short) == 12


@given(st.binary(max_size=64).filter(lambda value: len(value) != 32))
def test_a_digest_has_32_bytes(value):
    with pytest.raises(VeracruzError, match=str(len(value))):
        Digest(value)


@given(st.text(max_size=70))
def test_other_text_is_no_digest(text):
    with pytest.raises(VeracruzError):
        Digest.from_hex(text)


@pytest.mark.parametrize(
    "text",
    [
        SHA256_OF_ABC.upper(),
        SHA256_OF_ABC + "\n",
        " " + SHA256_OF_ABC,
        SHA256_OF_ABC[:-1],
        SHA256_OF_ABC + "0",
        "\u0661" * 64,
        "x" * 100_000,
    ],
)
def test_nearly_a_digest_is_none(text):
    with pytest.raises(VeracruzError) as caught:
        Digest.from_hex(text)
    assert len(str(caught.value)) < 200
