"""Whose consent is here, without an isolate."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from colima.runtime import RefusalReason, ResponseStatus
from mexico_city.consents import Consents
from mexico_city.errors import DeniedError
from support.computations import consent_to, policy
from support.policies import NOW, certificate, current_document, identity, pem, text
from veracruz_utils.policy import Policy

ROLES = [["PiProvider"], ["DataProvider"], ["DataProvider"], ["ResultReader"]]


def policy_of(consent):
    return policy(ROLES, data=[1, 2], consent=consent)


def denied(action, *arguments):
    with pytest.raises(DeniedError) as caught:
        action(*arguments)
    return caught.value.answer


def test_a_policy_that_asks_for_none_needs_none_and_takes_none():
    free = policy(ROLES, data=[1, 2])
    consents = Consents(free)
    consents.require()
    assert consents.awaited == ()
    answer = denied(consents.give, free.identities[1], consent_to(free, 1))
    assert answer.reason is RefusalReason.NOT_EXPECTED


def test_all_of_them_are_asked_for_until_the_last_is_here():
    all_ = policy_of("all")
    consents = Consents(all_)
    for client_id in range(4):
        assert consents.awaited == tuple(range(client_id, 4))
        assert denied(consents.require).reason is RefusalReason.CONSENT_MISSING
        consents.give(all_.identities[client_id], consent_to(all_, client_id))
    consents.require()
    assert consents.awaited == ()


def test_so_many_of_them_are_enough():
    some = policy_of({"least": 2, "of": [0, 1, 2]})
    consents = Consents(some)
    consents.give(some.identities[0], consent_to(some, 2))
    answer = denied(consents.require)
    assert (answer.found, answer.expected) == ("1 given", "2 of client 0, client 1")
    assert answer.status is ResponseStatus.NOT_READY
    consents.give(some.identities[0], consent_to(some, 0))
    consents.require()


def test_any_member_may_bring_that_of_another():
    all_ = policy_of("all")
    consents = Consents(all_)
    for client_id in range(4):
        consents.give(all_.identities[3], consent_to(all_, client_id))
    consents.require()


def test_the_same_twice_counts_once():
    some = policy_of({"least": 2, "of": [0, 1, 2]})
    consents = Consents(some)
    for _ in range(3):
        consents.give(some.identities[0], consent_to(some, 0))
    assert denied(consents.require).found == "1 given"


def test_one_that_is_not_asked_for_is_refused():
    some = policy_of([1, 2])
    answer = denied(Consents(some).give, some.identities[0], consent_to(some, 0))
    assert answer.reason is RefusalReason.NOT_EXPECTED


def test_one_to_another_policy_is_refused_and_changes_nothing():
    all_, other = policy_of("all"), policy_of([1, 2])
    consents = Consents(all_)
    answer = denied(consents.give, all_.identities[1], consent_to(all_, 1, instead=other))
    assert str(all_.digest) in answer.expected
    assert consents.awaited == (0, 1, 2, 3)


@pytest.mark.parametrize("change", [slice(0, -1), slice(1, None), slice(0, 0)])
def test_a_message_that_is_none_is_refused(change):
    all_ = policy_of("all")
    answer = denied(Consents(all_).give, all_.identities[1], consent_to(all_, 1)[change])
    assert answer.reason is RefusalReason.NOT_EXPECTED


def test_a_signature_of_anothers_key_is_refused():
    all_ = policy_of("all")
    forged = consent_to(all_, 1)[:-64] + consent_to(all_, 2)[-64:]
    consents = Consents(all_)
    answer = denied(consents.give, all_.identities[2], forged)
    assert answer.found == "a signature that is not by client 1"
    assert consents.awaited == (0, 1, 2, 3)


class TestRevocation:
    def test_it_takes_back_ones_own(self):
        all_ = policy_of("all")
        consents = Consents(all_)
        for client_id in range(4):
            consents.give(all_.identities[0], consent_to(all_, client_id))
        consents.revoke(all_.identities[1])
        assert consents.awaited == (1,)
        assert denied(consents.require).reason is RefusalReason.CONSENT_MISSING

    def test_a_copy_in_anothers_hands_does_not_undo_it(self):
        all_ = policy_of("all")
        consents = Consents(all_)
        consents.give(all_.identities[1], consent_to(all_, 1))
        consents.revoke(all_.identities[1])
        answer = denied(consents.give, all_.identities[0], consent_to(all_, 1))
        assert answer.reason is RefusalReason.WRONG_ROLE
        assert "taken back" in answer.found
        assert 1 in consents.awaited

    def test_its_principal_gives_it_again_and_then_others_may_too(self):
        all_ = policy_of("all")
        consents = Consents(all_)
        consents.give(all_.identities[1], consent_to(all_, 1))
        consents.revoke(all_.identities[1])
        consents.give(all_.identities[1], consent_to(all_, 1))
        consents.give(all_.identities[0], consent_to(all_, 1))
        assert 1 not in consents.awaited

    def test_of_what_was_not_given_it_is_refused(self):
        all_ = policy_of("all")
        answer = denied(Consents(all_).revoke, all_.identities[1])
        assert answer.reason is RefusalReason.NOT_EXPECTED

    def test_after_a_run_has_begun_it_is_refused(self):
        all_ = policy_of("all")
        consents = Consents(all_)
        consents.give(all_.identities[1], consent_to(all_, 1))
        consents.bind()
        assert denied(consents.revoke, all_.identities[1]).found == "a run has begun"
        assert 1 not in consents.awaited


def test_whoever_has_a_key_that_signs_none_is_awaited_for_good():
    key = ec.generate_private_key(ec.SECP256K1())
    other = identity(1, "other", "DataProvider") | {
        "certificate": pem(certificate("other", key=key))
    }
    author = identity(0, "party-0", "PiProvider", "ResultReader")
    document = current_document() | {
        "identities": [author, other],
        "data_provision_order": [1],
        "streaming_order": [],
        "consent": "all",
    }
    asking = Policy.parse(text(document), at=NOW)
    consents = Consents(asking)
    consents.give(asking.identities[0], consent_to(asking, 0))
    assert consents.awaited == (1,)


def test_names_that_are_too_many_for_an_answer_are_cut():
    many = policy([["PiProvider", "ResultReader"]] + [["DataProvider"]] * 40, consent="all")
    assert len(denied(Consents(many).require).expected) == 160
