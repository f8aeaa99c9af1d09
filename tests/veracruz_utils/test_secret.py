import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veracruz_utils.secret import Secret

CONTENT = b"correct horse battery staple"


@given(st.binary(), st.binary())
def test_secrets_are_equal_when_their_contents_are(one, two):
    assert Secret(one) == Secret(one)
    assert (Secret(one) == Secret(two)) is (one == two)
    assert Secret(one).reveal() == one
    assert len(Secret(one)) == len(one)


def test_a_secret_does_not_show_in_text():
    secret = Secret(CONTENT)
    shown = f"{secret} {secret!r} {secret!s} {[secret]}"
    assert "horse" not in shown
    assert repr(secret) == "<Secret: 28 bytes>"


def test_a_secret_is_no_bytes_by_accident():
    secret = Secret(CONTENT)
    assert secret != CONTENT
    for misuse in (bytes, memoryview, iter, hash):
        with pytest.raises(TypeError):
            misuse(secret)


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_not_copied_out(leak):
    with pytest.raises(TypeError, match="not pickled"):
        leak(Secret(CONTENT))


def test_a_secret_keeps_its_own_bytes():
    buffer = bytearray(CONTENT)
    secret = Secret(buffer)
    buffer[:] = bytes(len(buffer))
    assert secret.reveal() == CONTENT


def test_a_secret_takes_no_attributes():
    with pytest.raises(AttributeError):
        Secret(CONTENT).note = "x"


def test_a_secret_is_not_made_of_a_number_or_text():
    """`bytes(32)` would quietly be 32 zeros: the worst key there is."""
    for value in (32, "text", [1, 2]):
        with pytest.raises(TypeError):
            Secret(value)
