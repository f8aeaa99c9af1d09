"""One enclave challenges another; the processor's key is a stand-in, the MAC is real."""

import pytest

from sonora.evidence.gramine import GramineSource
from sonora.evidence.local import LocalAttestationError, LocalChallenge, local_binding
from support.platform_fakes import FakeGramine, report_key_of

CERTIFICATE, POLICY = b"c" * 32, b"p" * 32
OURS = b"O" * 512


def challenge(target=OURS):
    source = GramineSource(files=FakeGramine(bytes, target=target))
    return LocalChallenge(source.target_info(), lambda key_id: report_key_of(OURS, key_id))


def answer(asked, *, target=None, certificate=CERTIFICATE, policy=POLICY, nonce=None, flags=0x05):
    """What the isolate's enclave answers."""
    isolate = GramineSource(files=FakeGramine(bytes, target=b"I" * 512, flags=flags))
    binding = local_binding(
        nonce=nonce or asked.nonce, certificate_digest=certificate, policy_digest=policy
    )
    return isolate.report_for(target or asked.target_info, binding)


def concluded(asked, report):
    return asked.conclude(report, certificate_digest=CERTIFICATE, policy_digest=POLICY)


def refused(asked, report, words):
    with pytest.raises(LocalAttestationError, match=words):
        concluded(asked, report)


def test_an_isolate_that_answers_is_known_by_its_measurement():
    asked = challenge()
    found = concluded(asked, answer(asked))
    assert (found.mrenclave, found.mrsigner) == (b"M" * 32, b"S" * 32)
    assert (found.product, found.security_version) == (7, 2)


def test_a_report_for_another_enclave_is_refused():
    asked = challenge()
    refused(asked, answer(asked, target=b"X" * 512), "not made on this machine for us")


def test_no_bit_of_a_report_can_be_changed():
    asked = challenge()
    report = answer(asked)
    for bit in range(0, 8 * len(report), 37):
        changed = bytearray(report)
        changed[bit // 8] ^= 1 << bit % 8
        again = challenge()
        again.nonce = asked.nonce
        refused(again, bytes(changed), "not made on this machine")


@pytest.mark.parametrize(
    "changes", [{"nonce": bytes(32)}, {"certificate": bytes(32)}, {"policy": bytes(32)}], ids=str
)
def test_a_report_over_something_else_is_refused(changes):
    asked = challenge()
    refused(asked, answer(asked, **changes), "over something else")


@pytest.mark.parametrize("flags", [0x07, 0x04])
def test_an_enclave_whose_memory_can_be_read_is_refused(flags):
    asked = challenge()
    refused(asked, answer(asked, flags=flags), "open to debugging")


@pytest.mark.parametrize("size", [0, 431, 433])
def test_a_report_of_another_size_is_refused(size):
    refused(challenge(), bytes(size), "it has 432")


def test_a_challenge_is_answered_once():
    asked = challenge()
    report = answer(asked)
    concluded(asked, report)
    refused(asked, report, "answered before")
    spoiled = challenge()
    refused(spoiled, b"", "it has 432")
    refused(spoiled, answer(spoiled), "answered before")


def test_two_challenges_differ():
    assert challenge().nonce != challenge().nonce
