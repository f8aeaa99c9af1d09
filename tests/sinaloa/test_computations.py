"""Whose call is whose, by the digest that a client names."""

import pytest

from colima.sinaloa import POLICY_KEY
from sinaloa.computation import ServedPolicy
from sinaloa.computations import MOST_PLACES, Computations
from sinaloa.errors import SinaloaError
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.call_handlers import Caller
from veracruz_utils.digest import Digest

ONE, TWO, THREE = (Digest.of(text) for text in (b"one", b"two", b"three"))
NOBODY = Caller("192.0.2.7", {})


def computation(policy: Digest, places: int = 64) -> ServedPolicy:
    return ServedPolicy(policy, None, max_sessions=places)


def naming(policy: object) -> Caller:
    return Caller("192.0.2.7", {POLICY_KEY: policy})


@pytest.fixture
def served():
    computations = Computations()
    for policy in (ONE, TWO):
        computations.add(computation(policy))
    return computations


def refusal(computations: Computations, caller: Caller) -> CallError:
    with pytest.raises(CallError) as caught:
        computations.of(caller)
    return caught.value


def test_a_client_gets_the_policy_that_it_names(served):
    assert [served.of(naming(str(each))).policy for each in (ONE, TWO)] == [ONE, TWO]


@pytest.mark.parametrize("named", [str(THREE), str(ONE).upper(), str(ONE)[:8], "", b"\xff" * 32])
def test_what_is_not_served_is_refused_without_a_word_of_what_is(served, named):
    refused = refusal(served, naming(named))
    assert refused.status is CallStatus.NOT_FOUND
    assert "compare its digest" in str(refused)
    assert not any(str(each) in str(refused) for each in (ONE, TWO))


def test_a_client_that_names_none_is_told_what_to_do(served):
    refused = refusal(served, NOBODY)
    assert refused.status is CallStatus.FAILED_PRECONDITION
    assert "newer durango" in str(refused)
    assert not any(str(each) in str(refused) for each in (ONE, TWO))


def test_a_client_that_names_none_gets_the_only_one(served):
    served.remove(TWO)
    assert served.of(NOBODY).policy == ONE
    assert refusal(served, naming(str(TWO))).status is CallStatus.NOT_FOUND


def test_where_there_is_only_one_ever_it_is_everybodys():
    alone = Computations(computation(ONE))
    assert [alone.of(each).policy for each in (NOBODY, naming(str(TWO)))] == [ONE, ONE]


def test_places_of_all_together_have_an_end(served):
    with pytest.raises(SinaloaError, match="start another bridge, or lower --max-sessions"):
        served.add(computation(THREE, MOST_PLACES - 100))
    assert len(served.all()) == 2
    served.remove(ONE)
    served.add(computation(THREE, MOST_PLACES - 100))
