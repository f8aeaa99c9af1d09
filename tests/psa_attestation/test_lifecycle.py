import pytest

from psa_attestation.errors import ErrorCode, Stage
from psa_attestation.tokens.lifecycle import Lifecycle, lifecycle_of
from support.psa_tokens import refused


@pytest.mark.parametrize("state", list(Lifecycle))
def test_a_state_has_256_numbers(state):
    assert lifecycle_of(state.number) is state
    assert lifecycle_of(state.number + 0xFF) is state


def test_the_numbers_between_the_states_belong_to_none():
    states = {state.value for state in Lifecycle}
    for high in range(256):
        if high not in states:
            with refused(ErrorCode.LIFECYCLE_RANGE, Stage.CLAIMS):
                lifecycle_of(high << 8)


@pytest.mark.parametrize("number", [-1, 0x10000, 0x13000])
def test_a_number_beyond_16_bits_belongs_to_none(number):
    with refused(ErrorCode.LIFECYCLE_RANGE):
        lifecycle_of(number)
