"""Bundles of receipts, without a network."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baja import make_certificate
from colima.runtime import ContentKind
from durango import (
    Attestation,
    AttestationFileError,
    CommitmentOpening,
    ContentError,
    Evidence,
    GateCheck,
    GateError,
    Identity,
    ReceiptError,
    TabascoKeyError,
    judge,
)
from durango.bundles import ReceiptBundle, verify_bundle
from psa_attestation.receipts.receipt import InputCommitment, Receipt, RunDetails, RunEnd
from psa_attestation.receipts.signing import sign_receipt
from psa_attestation.receipts.verification import closed_digest
from support.principal_rig import DAY, MEASUREMENT, Attester, Rig, key_der, now
from support.psa_tokens import sign1_by_hand
from support.receipts import MEMBERS_V1
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import RUNTIME_LAYERS, Policy
from veracruz_utils.secret import Secret

ATTESTER = Attester()
POLICY = Rig(ATTESTER).policy(terms={"rounds": 5})
ISOLATE = make_certificate(name="isolate", not_before=now() - DAY, not_after=now() + DAY)
CHALLENGE = b"c" * 32
OPENING = CommitmentOpening(2, 5, ContentKind.DATA, Digest.of(b"carol's"), Secret(b"s" * 32))


def attested(policy: Policy, *, isolate=ISOLATE, at: datetime | None = None) -> Attestation:
    at = at or now()
    token = ATTESTER.token(ATTESTER.claims(CHALLENGE, isolate.certificate, policy.digest))
    evidence = Evidence(CHALLENGE, token, ATTESTER.result(ATTESTER.ear(token, CHALLENGE, at)))
    return judge(evidence, policy, tabasco_key=key_der(ATTESTER.tabasco_key), at=at)


def receipt(number: int = 1, previous: bytes | None = None, policy: Policy = POLICY) -> Receipt:
    return Receipt(
        policy_digest=policy.digest.value,
        program_digest=policy.program_digest.value,
        number=number,
        previous_receipt=previous and closed_digest(previous),
        round=number,
        attempt=1,
        inputs=(
            InputCommitment(1, 0, "data", b"b" * 32),
            InputCommitment(2, 5, "data", OPENING.commitment),
        ),
        end=RunEnd.FINISHED,
        details=RunDetails(0, Digest.of(b"output %d" % number).value, 7),
        readers=(2,),
        strategy="JIT",
        engine="scripted 1.0",
        debug=False,
        isolation=tuple(sorted(RUNTIME_LAYERS)),
        measurement=MEASUREMENT,
        host_time=1_790_000_000,
    )


def signed(of: Receipt, isolate=ISOLATE, *, closed: bool = False) -> bytes:
    made = sign_receipt(of, isolate.private_key, isolate.certificate, salt=b"t" * 32)
    return made.closed if closed else made.opened


def chain(count: int) -> list[bytes]:
    made: list[bytes] = []
    for number in range(1, count + 1):
        made.append(signed(receipt(number, made[-1] if made else None)))
    return made


CHAIN = chain(4)
ANOTHER = signed(receipt())
ATTESTATION = attested(POLICY)


def bundle_of(*receipts: bytes) -> ReceiptBundle:
    return ReceiptBundle.of(receipts, ATTESTATION, POLICY)


def test_a_bundle_survives_its_file():
    bundle = bundle_of(*CHAIN)
    again = ReceiptBundle.parse(bundle.to_bytes())
    assert again.to_bytes() == bundle.to_bytes()
    assert again.receipts == tuple(CHAIN)
    assert again.policy == POLICY.raw


def test_its_file_is_a_plain_map():
    members = cbor2.loads(bundle_of(CHAIN[0]).to_bytes())
    assert members.keys() == {"format", "receipts", "attestation", "policy"}
    assert members["format"] == "veracruz-bundle-1"


def test_an_honest_bundle_holds():
    found = verify_bundle(bundle_of(*CHAIN), policy=POLICY, tabasco_key=POLICY.tabasco_key)
    assert [each.number for each in found.receipts] == [1, 2, 3, 4]
    assert found.policy == POLICY
    assert found.attestation.certificate_digest == ATTESTATION.certificate_digest


def test_open_and_closed_receipts_are_of_one_chain():
    closed = signed(receipt(2, CHAIN[0]), closed=True)
    found = verify_bundle(bundle_of(CHAIN[0], closed, signed(receipt(3, closed))))
    assert [each.details is None for each in found.receipts] == [False, True, False]


def test_a_closed_receipt_says_nothing_of_a_result():
    with pytest.raises(ReceiptError, match="take one that a reader got"):
        verify_bundle(bundle_of(signed(receipt(), closed=True)), output=Digest.of(b"output 1"))
    verify_bundle(bundle_of(signed(receipt(), closed=True)), openings=[OPENING])


def test_so_does_a_part_of_the_chain():
    assert len(verify_bundle(bundle_of(*CHAIN[1:3])).receipts) == 2


@pytest.mark.parametrize(
    ("receipts", "said"),
    [
        ([CHAIN[0], CHAIN[2]], "receipt 3 comes after receipt 1: one is missing"),
        ([CHAIN[1], CHAIN[0]], "receipt 1 comes after receipt 2"),
        ([CHAIN[0], CHAIN[0]], "receipt 1 comes after receipt 1"),
        (
            [CHAIN[0], signed(receipt(2, ANOTHER))],
            "receipt 2 names another receipt 1",
        ),
        ([], "no receipt in the bundle"),
    ],
)
def test_a_chain_with_a_fault_is_refused(receipts, said):
    with pytest.raises(ReceiptError, match=said):
        verify_bundle(bundle_of(*receipts))


def test_receipts_of_the_first_format_are_in_no_order():
    inputs = [[1, 0, 0, bytes(32)], [2, 5, 0, bytes(32)]]
    digests = {1: POLICY.digest.value, 2: POLICY.program_digest.value}
    members = MEMBERS_V1 | digests | {3: inputs}
    first = sign1_by_hand(
        cbor2.dumps(members), ISOLATE.private_key, unprotected={33: ISOLATE.certificate}
    )
    (found,) = verify_bundle(bundle_of(first)).receipts
    assert found.policy_digest == POLICY.digest.value
    for receipts in ([first, first], [CHAIN[0], first], [first, CHAIN[0]]):
        with pytest.raises(ReceiptError, match="are in no order: verify each by itself"):
            verify_bundle(bundle_of(*receipts))


def test_a_receipt_by_another_isolate_is_refused_among_others():
    other = make_certificate(name="isolate", not_before=now() - DAY, not_after=now() + DAY)
    with pytest.raises(ReceiptError, match="not by the attested isolate"):
        verify_bundle(bundle_of(CHAIN[0], signed(receipt(2, CHAIN[0]), other)))


def test_results_and_inputs_are_looked_for_in_every_receipt():
    for number in (1, 4):
        output = Digest.of(b"output %d" % number)
        verify_bundle(bundle_of(*CHAIN), output=output, openings=[OPENING])
    with pytest.raises(ReceiptError, match="none of 4 receipts fits"):
        verify_bundle(bundle_of(*CHAIN), output=Digest.of(b"output 5"))
    with pytest.raises(ReceiptError, match="result is") as caught:
        verify_bundle(bundle_of(CHAIN[0]), output=Digest.of(b"output 5"))
    assert "none of" not in str(caught.value)
    with pytest.raises(ReceiptError, match="none of 2 receipts fits"):
        verify_bundle(bundle_of(*CHAIN[:2]), output=Digest.of(b"output 5"))
    with pytest.raises(ReceiptError, match="knows nothing of data package 6"):
        verify_bundle(bundle_of(CHAIN[0]), openings=[replace(OPENING, package_id=6)])


class TestAnotherPolicy:
    """Than one's own: whether the bundle was changed, or is of another computation."""

    OTHER = Rig(ATTESTER).policy(terms={"rounds": 6})

    def test_the_bundle_of_another_computation_is_told_with_what_differs(self):
        with pytest.raises(ReceiptError, match="give the policy of that computation"):
            verify_bundle(bundle_of(CHAIN[0]), policy=self.OTHER)

    def test_one_that_was_put_in_later_is_told_by_its_attestation(self):
        changed = replace(bundle_of(CHAIN[0]), policy=self.OTHER.raw)
        with pytest.raises(ReceiptError, match="its attestation is for your policy"):
            verify_bundle(changed, policy=POLICY)
        with pytest.raises(GateError, match="was damaged or changed since it was kept") as caught:
            verify_bundle(changed)
        assert caught.value.check is GateCheck.POLICY

    def test_so_it_is_beside_a_policy_that_names_no_key(self):
        bundle, key = TestTabascoKey().of_2021()
        own = Policy.parse(bundle.policy, at=now())
        changed = replace(bundle, policy=POLICY.raw)
        for beside in (None, key):
            with pytest.raises(ReceiptError, match="its attestation is for your policy"):
                verify_bundle(changed, policy=own, tabasco_key=beside)

    def test_what_else_the_gate_refuses_is_told_as_it_is(self):
        late = replace(bundle_of().attestation, attested_at=ATTESTATION.expires_at + DAY)
        with pytest.raises(GateError) as caught:
            verify_bundle(replace(bundle_of(CHAIN[0]), attestation=late))
        assert caught.value.check is not GateCheck.POLICY
        assert "damaged" not in str(caught.value)


def test_people_see_how_many_receipts_there_are_and_none_of_their_bytes():
    shown = {repr(bundle_of(*CHAIN[:count])): count for count in (0, 1, 2)} | {
        repr(verify_bundle(bundle_of(*CHAIN[:count]))): count for count in (1, 2)
    }
    for text, count in shown.items():
        assert re.search(rf": {count} receipt{'' if count == 1 else 's'}\b", text)
        assert POLICY.digest.short in text
        assert len(text) < 200
    (page,) = [verify_bundle(bundle_of(*CHAIN[:2]))._repr_html_()]
    assert "2 verified" in page
    assert str(POLICY.digest) in page


def test_ten_years_later_it_holds_as_of_its_time():
    past = datetime(2016, 5, 4, tzinfo=UTC)
    rig = Rig(ATTESTER)
    for name in ("alice", "bob", "carol"):
        setattr(rig, name, Identity.create(name, not_before=past, lifetime=2 * DAY))
    policy = rig.policy(at=past, expires_at=past + DAY)
    isolate = make_certificate(name="isolate", not_before=past, not_after=past + DAY)
    attestation = attested(policy, isolate=isolate, at=past + timedelta(minutes=1))
    made = signed(receipt(policy=policy), isolate)
    bundle = ReceiptBundle.of([made], attestation, policy)
    found = verify_bundle(ReceiptBundle.parse(bundle.to_bytes()), policy=policy)
    assert found.attestation.expires_at < now() - 3000 * DAY


def test_a_time_at_which_the_attestation_was_not_in_force_is_refused():
    bundle = bundle_of(CHAIN[0])
    late = replace(bundle.attestation, attested_at=ATTESTATION.expires_at + DAY)
    with pytest.raises(VeracruzError, match="result time"):
        verify_bundle(replace(bundle, attestation=late))


class TestTabascoKey:
    """A policy of 2021 names none: then the bundle has it, and else it must not."""

    def of_2021(self):
        policy = Rig(ATTESTER).policy_2021()
        key = key_der(ATTESTER.tabasco_key)
        at = now()
        token = ATTESTER.token(ATTESTER.claims(CHALLENGE, ISOLATE.certificate, policy.digest))
        result = ATTESTER.result(ATTESTER.ear(token, CHALLENGE, at))
        attestation = judge(Evidence(CHALLENGE, token, result), policy, tabasco_key=key, at=at)
        made = signed(receipt(policy=policy))
        return ReceiptBundle.of([made], attestation, policy, tabasco_key=key), key

    def test_one_beside_a_policy_without_is_kept_and_used(self):
        bundle, key = self.of_2021()
        again = ReceiptBundle.parse(bundle.to_bytes())
        assert verify_bundle(again, tabasco_key=key).tabasco_key == key
        assert verify_bundle(again).tabasco_key == key

    def test_it_has_to_be_there(self):
        bundle, _ = self.of_2021()
        with pytest.raises(TabascoKeyError, match="says no key"):
            verify_bundle(replace(bundle, tabasco_key=None))

    def test_one_beside_a_policy_that_names_one_is_refused(self):
        with pytest.raises(TabascoKeyError):
            verify_bundle(replace(bundle_of(CHAIN[0]), tabasco_key=POLICY.tabasco_key))

    def test_another_than_was_compared_is_refused(self):
        bundle, _ = self.of_2021()
        with pytest.raises(TabascoKeyError, match="the key given"):
            verify_bundle(bundle, tabasco_key=key_der(ATTESTER.sonora_key))


def members(**changes: object) -> bytes:
    found = cbor2.loads(bundle_of(CHAIN[0]).to_bytes()) | changes
    return cbor2.dumps({key: value for key, value in found.items() if value is not None})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        cbor2.dumps([]),
        cbor2.dumps({}),
        members(format="veracruz-bundle-2"),
        members(format=1),
        members(more=1),
        members(receipts=None),
        members(receipts=b""),
        members(receipts=["text"]),
        members(receipts=[bytes(256 * 1024 + 1)]),
        members(receipts=[b""] * 65_537),
        members(attestation="text"),
        members(attestation=bytes(64 * 1024 + 1)),
        members(policy="{}"),
        members(policy=bytes((1 << 20) + 1)),
        members(tabasco_key=b"not a key"),
        members(tabasco_key="text"),
        members(tabasco_key=bytes(300)),
    ],
)
def test_what_is_not_a_bundle_is_refused(data):
    with pytest.raises(ContentError, match="not a bundle"):
        ReceiptBundle.parse(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"policy": bytes(1 << 20)},
        {"receipts": [b""] * 65_536},
        {"receipts": [bytes(256 * 1024)]},
    ],
)
def test_as_much_as_a_bundle_may_hold_is_read(changes):
    found = ReceiptBundle.parse(members(**changes))
    assert cbor2.loads(found.to_bytes()).items() >= changes.items()


def test_of_an_attestation_as_long_as_one_may_be_it_is_told_that_it_is_none():
    with pytest.raises(AttestationFileError):
        ReceiptBundle.parse(members(attestation=bytes(64 * 1024)))


@pytest.mark.parametrize("data", [members() + b"\0", members()[:-1], members()[:200]])
def test_what_was_a_bundle_is_told_as_damaged(data):
    with pytest.raises(ReceiptError, match="cut off or damaged: take another copy"):
        ReceiptBundle.parse(data)


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_no_bundle(data):
    with pytest.raises(VeracruzError):
        ReceiptBundle.parse(data)


@given(data=st.data())
def test_a_bundle_with_a_changed_byte_is_read_as_another_or_refused(data):
    honest = bytearray(bundle_of(CHAIN[0]).to_bytes())
    at = data.draw(st.integers(0, len(honest) - 1))
    honest[at] ^= data.draw(st.integers(1, 255))
    try:
        found = verify_bundle(ReceiptBundle.parse(bytes(honest)), policy=POLICY)
    except VeracruzError:
        return
    # What is left is the moment of attestation, and headers that nobody signs.
    assert found.policy == POLICY
    assert found.receipts == (receipt(),)
