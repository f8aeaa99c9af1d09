"""What real isolates prove: receipts of every run for every member, consents, seeds of runs."""

import struct
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from baja import KeyAndCertificate
from colima import runtime
from colima.runtime import ContentKind, RefusalReason
from platform_services.seeded import SeededRandomSource
from psa_attestation.consents.consent import PolicyConsent
from psa_attestation.consents.signing import sign_consent
from psa_attestation.receipts.receipt import RunEnd
from psa_attestation.receipts.verification import closed_digest, verify_receipt
from support import runtime_guests as guests
from support.isolate_rig import new_party
from support.policies import DAY, certificate
from veracruz_utils.digest import Digest
from veracruz_utils.policy import RUNTIME_LAYERS, Limits, Role, Strategy

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER
STREAM = Role.STREAM_PROVIDER


def receipts_of(rig, caller):
    """Every receipt that there is, and as it was signed."""
    count = caller.ask(runtime.GetState()).receipts
    signed = [caller.ask(runtime.GetReceipt(number + 1)).receipt for number in range(count)]
    digest = rig.isolate.certificate_digest
    return [verify_receipt(each, certificate_digest=digest) for each in signed], signed


def consent_of(rig, who):
    party = rig.parties[who]
    consent = PolicyConsent.of(rig.policy.digest.value, who, party.certificate)
    return runtime.Consent(sign_consent(consent, party.private_key))


def test_every_member_can_have_the_receipt_of_every_round(isolates):
    roles = [[PI], [DATA], [STREAM], [READER]]
    with isolates.computation(
        roles, program=guests.COLLECTOR, data=[1], streams=[2], terms={"rounds": 2}
    ) as rig:
        with rig.session(0) as author:
            author.program(guests.COLLECTOR)
        with rig.session(1) as provider:
            provider.data(b"data")
        with rig.session(2) as streams, rig.session(3) as reader:
            streams.stream(b"one")
            first, output = reader.result()
            reader.ask(runtime.NextRound())
            streams.stream(b"two")
            second, _ = reader.result()
        for who in range(4):
            with rig.session(who) as member:
                found, signed = receipts_of(rig, member)
                if who == 3:
                    assert signed == [first.receipt, second.receipt]
                else:  # without what is for readers
                    assert [each.details for each in found] == [None, None]
                    of_the_reader = [first.receipt, second.receipt]
                    assert [*map(closed_digest, signed)] == [*map(closed_digest, of_the_reader)]
    assert [(each.number, each.round, each.attempt) for each in found] == [(1, 1, 1), (2, 2, 1)]
    assert found[1].previous_receipt == closed_digest(signed[0])
    assert found[0].details.output_digest == Digest.of(output).value
    for receipt in found:
        assert receipt.readers == (3,)
        assert receipt.measurement == isolates.launcher.measurement
        assert set(receipt.isolation) <= RUNTIME_LAYERS
        assert receipt.seed is None


def test_one_of_a_round_that_was_not_run_yet_is_refused(isolates):
    with isolates.computation([[PI, READER]], program=guests.RANDOM) as rig, rig.session(0) as only:
        answer = only.ask(runtime.GetReceipt(1))
    assert answer.reason is RefusalReason.NOT_EXPECTED


@pytest.mark.parametrize(
    ("program", "limits", "end", "code"),
    [
        (guests.TRAPPING, Limits(), RunEnd.TRAPPED, None),
        (guests.ENDLESS, Limits(run_seconds=1), RunEnd.LIMIT_REACHED, None),
        (guests.FAILING, Limits(), RunEnd.ERROR_CODE, -4),
    ],
    ids=["trap", "time", "error-code"],
)
def test_a_run_that_failed_has_a_receipt_for_every_member(isolates, program, limits, end, code):
    roles = [[PI], [READER], [DATA]]
    with isolates.computation(roles, program=program, data=[2], limits=limits) as rig:
        with rig.session(0) as author:
            author.program(program)
        with rig.session(2) as provider:
            accepted = provider.data(b"data")
        with rig.session(1) as reader:
            reader.result()
            opened, _ = receipts_of(rig, reader)
        with rig.session(2) as provider:
            closed, _ = receipts_of(rig, provider)
    assert (opened[-1].details.return_code, opened[-1].details.output_digest) == (code, None)
    assert (closed[-1].end, closed[-1].details) == (end, None)
    assert [each.commitment for each in closed[-1].inputs] == [accepted.commitment]


class TestConsent:
    def test_data_wait_for_it_and_the_program_does_not(self, isolates):
        roles = [[PI], [DATA], [READER]]
        terms = {"consent": "all"}
        with (
            isolates.computation(roles, program=guests.COLLECTOR, data=[1], terms=terms) as rig,
            rig.session(0) as author,
            rig.session(1) as provider,
            rig.session(2) as reader,
        ):
            assert author.program(guests.COLLECTOR) == runtime.Done()
            refused = provider.data(b"data")
            assert refused.reason is RefusalReason.CONSENT_MISSING
            assert refused.expected == "3 of client 0, client 1, client 2"
            # One collects the signatures of all.
            for who in range(3):
                assert reader.ask(runtime.GetState()).consent_awaited == tuple(range(who, 3))
                assert reader.ask(consent_of(rig, who)) == runtime.Done()
            assert isinstance(provider.data(b"data"), runtime.Accepted)
            answer, _ = reader.result()
            assert answer.present

    def test_a_run_does_not_begin_when_it_was_taken_back_in_between(self, isolates):
        roles = [[PI], [DATA], [READER]]
        terms = {"consent": [0, 1]}
        with (
            isolates.computation(roles, program=guests.COLLECTOR, data=[1], terms=terms) as rig,
            rig.session(0) as author,
            rig.session(1) as provider,
            rig.session(2) as reader,
        ):
            author.program(guests.COLLECTOR)
            for who in (0, 1):
                reader.ask(consent_of(rig, who))
            provider.data(b"data")
            assert author.ask(runtime.Revoke()) == runtime.Done()
            answer, _ = reader.result()
            assert (answer.reason, answer.found) == (RefusalReason.CONSENT_MISSING, "1 given")
            assert reader.ask(consent_of(rig, 0)).reason is RefusalReason.WRONG_ROLE
            assert author.ask(consent_of(rig, 0)) == runtime.Done()
            answer, _ = reader.result()
            assert answer.present
            assert author.ask(runtime.Revoke()).reason is RefusalReason.WRONG_STATE

    def test_every_kind_of_key_can_give_it(self, isolates):
        """In the sandbox, where no algorithm can be loaded any more."""
        keys = [
            ec.generate_private_key(ec.SECP521R1()),
            ed25519.Ed25519PrivateKey.generate(),
            rsa.generate_private_key(65537, 3072),
        ]
        now = datetime.now(UTC)
        parties = [new_party("bearer")] + [
            KeyAndCertificate(
                key, certificate(f"p{at}", key=key, not_before=now - DAY, not_after=now + DAY)
            )
            for at, key in enumerate(keys)
        ]
        roles = [[PI, READER], [DATA], [DATA], [DATA]]
        policy = isolates.policy(
            list(zip(parties, roles, strict=True)), program=guests.HELLO, terms={"consent": "all"}
        )
        with isolates.launch(policy, parties) as rig, rig.session(0) as bearer:
            for who in range(4):
                given = consent_of(rig, who)
                forged = given.signature[:-1] + bytes((given.signature[-1] ^ 1,))
                answer = bearer.ask(runtime.Consent(forged))
                assert answer.reason is RefusalReason.NOT_EXPECTED
                assert bearer.ask(given) == runtime.Done()
            assert bearer.ask(runtime.GetState()).consent_awaited == ()


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("deterministic", [True, False])
def test_nans_have_the_same_bits_if_the_policy_says_deterministic(
    isolates, strategy, deterministic
):
    with (
        isolates.computation(
            [[PI, READER]],
            program=guests.NAN,
            strategy=strategy,
            terms={"deterministic": deterministic},
        ) as rig,
        rig.session(0) as only,
    ):
        only.program(guests.NAN)
        _, output = only.result()
        (found,), _ = receipts_of(rig, only)
    assert found.canonical_nans is deterministic
    (bits,) = struct.unpack("<Q", output)
    assert bits & 0x7FF8 << 48 == 0x7FF8 << 48
    assert not deterministic or bits == 0x7FF8 << 48


@pytest.mark.parametrize("strategy", list(Strategy))
def test_the_numbers_of_a_deterministic_run_are_those_of_the_seed_in_its_receipt(
    isolates, strategy
):
    roles = [[PI, READER, STREAM]]
    with (
        isolates.computation(
            roles,
            program=guests.RANDOM,
            streams=[0],
            strategy=strategy,
            terms={"deterministic": True, "rounds": 3},
        ) as rig,
        rig.session(0) as only,
    ):
        only.program(guests.RANDOM)
        outputs = []
        for turn in range(3):
            if turn:
                only.ask(runtime.NextRound())
            only.upload(ContentKind.STREAM, b"")
            outputs.append(only.result()[1])
        found, _ = receipts_of(rig, only)
    assert outputs == [SeededRandomSource(each.seed).fill(32) for each in found]
    assert all(one.seed != other.seed for one, other in pairwise(found))
