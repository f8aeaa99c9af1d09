"""Sessions with an isolate over real gRPC and TLS: what is sent, what is refused, and by whom."""

import io
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from colima import runtime
from colima.runtime import ComputationState, ContentKind, RefusalReason, ResponseStatus
from durango import (
    ContentError,
    Identity,
    NotAuthorisedError,
    Principal,
    ProgramFailedError,
    ProtocolError,
    ReceiptBundle,
    ReceiptError,
    RequestFailedError,
    RequestRefusedError,
    attest,
    verify_bundle,
    verify_receipt,
)
from durango.content import PIECE_BYTES
from jalisco import IsolateRefusedError, WrongIsolateError
from psa_attestation.receipts.receipt import RunDetails, RunEnd
from support.patience import PATIENCE_S
from support.principal_rig import DAY, PROGRAM, SALT, key_der, new_identity, now
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.errors import RefusedError, UnreachableError
from veracruz_utils.policy import Limits, PolicyIdentity, Role


def connect(rig, identity: Identity, **patience) -> Principal:
    policy = rig.isolate.policy
    return Principal.connect(policy, identity, attest(policy), timeout_s=PATIENCE_S, **patience)


def provide_everything(rig) -> None:
    with connect(rig, rig.alice) as alice:
        alice.send_program(PROGRAM)
    with connect(rig, rig.bob) as bob:
        bob.send_data(0, b"bob's")
    with connect(rig, rig.carol) as carol:
        carol.send_data(0, b"carol's")


def refusing(request_type, answer: runtime.Response):
    """A script for the isolate that gives `answer` to requests of one type."""
    return lambda request: answer if isinstance(request, request_type) else None


# The way through.


def test_three_principals_compute_together(rig):
    with connect(rig, rig.alice) as alice:
        assert alice.client_id == 0
        assert alice.state() == runtime.StateIs(ComputationState.INITIAL, 1, running=False)
        assert alice.program_digest() is None
        assert alice.send_program(PROGRAM) == Digest.of(PROGRAM)
        assert alice.program_digest() == Digest.of(PROGRAM)
        assert alice.policy_digest() == rig.isolate.policy.digest
    with connect(rig, rig.bob) as bob:
        opening = bob.send_data(0, b"bob's")
    with connect(rig, rig.carol) as carol:
        carol.send_data(0, b"carol's")
        output, outcome = carol.result()
        assert output == b"bob'scarol's"
        assert outcome.output_size == len(output)
        assert outcome.output_digest == Digest.of(output)
        assert outcome.receipt.round == 1
        carol.shutdown()
    assert rig.isolate.goodbyes == {2}
    attestation = attest(rig.isolate.policy)
    assert verify_receipt(
        outcome.signed_receipt,
        attestation=attestation,
        policy=rig.isolate.policy,
        output=Digest.of(output),
        openings=[opening],
    )


def test_a_policy_of_2021_goes_the_same_way_over_tls_1_2(rig):
    policy = rig.launch(rig.policy_2021())
    attestation = attest(policy, tabasco_key=key_der(rig.attester.tabasco_key))
    with Principal.connect(policy, rig.alice, attestation) as alice:
        alice.send_program(PROGRAM)
    assert rig.isolate.program == PROGRAM


@pytest.mark.parametrize("size", [0, 1, 16 * 1024 + 1, 3 * PIECE_BYTES + 7])
def test_inputs_and_results_of_every_size_arrive_whole(rig, tmp_path, size):
    path = tmp_path / "input"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"z" * (size % 256))
    rig.launch(rig.policy(data_provision_order=[2]))
    with connect(rig, rig.alice) as alice:
        alice.send_program(PROGRAM)
    with connect(rig, rig.carol) as carol:
        progress: list[int] = []
        carol.send_data(7, path, on_progress=progress.append)
        assert sum(progress) == size
        assert rig.isolate.inputs == {(2, 7): path.read_bytes()}
        file = io.BytesIO()
        outcome = carol.save_result(file.write)
        assert file.getvalue() == path.read_bytes()
        assert outcome.output_size == size


def test_streams_rounds_and_states_follow_each_other(rig):
    rig.launch(rig.policy(data_provision_order=[1], streaming_order=[1]))
    with connect(rig, rig.alice) as alice:
        alice.send_program(PROGRAM)
    with connect(rig, rig.bob) as bob, connect(rig, rig.carol) as carol:
        bob.send_data(0, b"data")
        bob.send_stream(0, b"one")
        assert carol.result()[0] == b"dataone"
        carol.next_round()
        assert carol.state().state is ComputationState.STREAM_SOURCES_LOADING
        bob.send_stream(0, b"two")
        output, outcome = carol.result()
        assert output == b"datatwo"
        assert outcome.receipt.round == 2


def test_waiting_ends_when_the_others_have_done_their_part(rig):
    with connect(rig, rig.alice) as alice:
        alice.send_program(PROGRAM)
        assert alice.wait_for(
            ComputationState.DATA_SOURCES_LOADING, timeout_s=PATIENCE_S
        ).state is (ComputationState.DATA_SOURCES_LOADING)
        assert alice.wait_for(ComputationState.READY_TO_EXECUTE, timeout_s=0).state is (
            ComputationState.DATA_SOURCES_LOADING
        )
        rig.isolate.state = ComputationState.ERROR
        assert (
            alice.wait_for(ComputationState.READY_TO_EXECUTE, timeout_s=3600).state
            is ComputationState.ERROR
        )


def test_a_program_without_a_result_has_none_and_a_receipt(rig):
    rig.isolate.compute = lambda _: None
    provide_everything(rig)
    with connect(rig, rig.carol) as carol:
        output, outcome = carol.result()
    assert output is None
    assert outcome.output_size is None
    assert outcome.output_digest is None
    assert outcome.receipt.details.output_digest is None


def test_an_empty_result_is_not_the_same_as_none(rig):
    rig.isolate.compute = lambda _: b""
    provide_everything(rig)
    with connect(rig, rig.carol) as carol:
        output, outcome = carol.result()
    assert output == b""
    assert outcome.output_size == 0


def test_an_error_code_of_the_program_comes_with_its_receipt(rig):
    rig.isolate.compute = lambda _: -3
    provide_everything(rig)
    with connect(rig, rig.carol) as carol, pytest.raises(ProgramFailedError) as caught:
        carol.result()
    assert caught.value.return_code == -3
    assert caught.value.exit_code == 1
    attestation = attest(rig.isolate.policy)
    receipt = verify_receipt(
        caught.value.signed_receipt, attestation=attestation, policy=rig.isolate.policy
    )
    assert receipt.details.return_code == -3


# Who may connect.


def test_an_identity_that_is_not_in_the_policy_is_refused_here(rig):
    stranger = new_identity("stranger")
    with pytest.raises(NotAuthorisedError, match=str(stranger.digest)) as caught:
        connect(rig, stranger)
    assert str(rig.isolate.policy.digest) in str(caught.value)
    assert caught.value.exit_code == 3


def test_the_same_name_on_another_certificate_is_a_stranger(rig):
    with pytest.raises(NotAuthorisedError, match="is not in policy"):
        connect(rig, new_identity("alice"))


def test_a_certificate_with_a_strangers_key_is_refused_by_the_isolate_or_here(rig):
    thief = Identity(rig.alice.certificate, new_identity().private_key)
    with pytest.raises(Exception, match="do not belong together") as caught:
        connect(rig, thief)
    assert caught.value.exit_code == 1


def test_an_isolate_that_refuses_the_certificate_is_reported_as_such(rig):
    mine = rig.isolate.policy
    attestation = attest(mine)
    others = [member for member in rig.members() if member.client_id != 1]
    others.append(
        PolicyIdentity(1, new_identity("eve").certificate, frozenset({Role.DATA_PROVIDER}))
    )
    rig.isolate.policy = rig.policy(identities=others)
    with (
        pytest.raises(IsolateRefusedError, match=str(rig.bob.digest)) as caught,
        Principal.connect(mine, rig.bob, attestation, timeout_s=PATIENCE_S) as bob,
    ):
        bob.state()
    assert caught.value.exit_code == 3


def test_an_isolate_with_another_certificate_than_attested_gets_nothing(rig):
    attestation = attest(rig.isolate.policy)
    policy = rig.launch(rig.isolate.policy)
    with pytest.raises(WrongIsolateError, match="attest again") as caught:
        Principal.connect(policy, rig.alice, attestation, timeout_s=PATIENCE_S)
    assert caught.value.exit_code == 3
    assert rig.isolate.seen == []


def test_an_attestation_for_another_policy_is_refused(rig):
    attestation = attest(rig.isolate.policy)
    with pytest.raises(NotAuthorisedError, match="the attestation is for policy"):
        Principal.connect(rig.policy(debug=True), rig.alice, attestation)


def test_an_expired_attestation_is_refused(rig):
    attestation = replace(attest(rig.isolate.policy), expires_at=now())
    with pytest.raises(NotAuthorisedError, match="attest again"):
        Principal.connect(rig.isolate.policy, rig.alice, attestation)


def test_an_expired_certificate_is_refused_here(rig):
    old = Identity.create("old", not_before=now() - 3 * DAY, lifetime=DAY)
    with pytest.raises(NotAuthorisedError, match="expired at"):
        connect(rig, old)


def test_a_bridge_that_went_away_is_unreachable(rig):
    attestation = attest(rig.isolate.policy)
    with pytest.raises(UnreachableError, match="sinaloa at 127") as caught:
        Principal.connect(
            rig.isolate.policy, rig.alice, attestation, sinaloa=Address("127.0.0.1", 1)
        )
    assert caught.value.exit_code == 4


# What the policy does not give is refused before a byte leaves.


@pytest.mark.parametrize(
    ("who", "act", "holder"),
    [
        (
            "bob",
            lambda p: p.send_program(PROGRAM),
            "PiProvider, which the policy gives to client 0",
        ),
        (
            "alice",
            lambda p: p.send_data(0, b""),
            "DataProvider, which the policy gives to client 1, client 2",
        ),
        ("alice", lambda p: p.send_stream(0, b""), "DataProvider or StreamProvider"),
        ("alice", lambda p: p.result(), "ResultReader, which the policy gives to client 2"),
        ("alice", lambda p: p.save_result(bytes), "ResultReader"),
        ("bob", lambda p: p.next_round(), "ResultReader"),
        ("bob", lambda p: p.shutdown(), "ResultReader"),
    ],
)
def test_what_a_role_does_not_allow_is_refused_here_naming_who_may(rig, who, act, holder):
    with connect(rig, getattr(rig, who)) as principal:
        with pytest.raises(NotAuthorisedError, match=holder) as caught:
            act(principal)
        assert caught.value.exit_code == 3
    assert rig.isolate.seen == []


def test_a_program_that_is_not_the_policys_is_refused_here(rig):
    other = PROGRAM + b"!"
    with connect(rig, rig.alice) as alice:
        with pytest.raises(NotAuthorisedError, match=str(Digest.of(other))) as caught:
            alice.send_program(other)
        assert str(Digest.of(PROGRAM)) in str(caught.value)
    assert rig.isolate.seen == []


def test_a_file_that_is_too_large_is_refused_here(rig, tmp_path):
    limits = Limits(program_bytes=10, input_bytes=20)
    rig.launch(rig.policy(limits=limits))
    with connect(rig, rig.alice) as alice, pytest.raises(NotAuthorisedError) as caught:
        alice.send_program(PROGRAM)
    assert "allows 10 (program_bytes)" in str(caught.value)
    with connect(rig, rig.bob) as bob, pytest.raises(NotAuthorisedError) as caught:
        bob.send_data(0, bytes(21))
    assert "21 bytes, the policy allows 20" in str(caught.value)
    assert rig.isolate.seen == []


def test_a_provider_without_a_place_in_the_order_is_refused_here(rig):
    rig.launch(rig.policy(data_provision_order=[2]))
    with connect(rig, rig.bob) as bob:
        with pytest.raises(NotAuthorisedError, match=r"data_provision_order, which names client 2"):
            bob.send_data(0, b"")
        with pytest.raises(NotAuthorisedError, match=r"streaming_order, which names nobody"):
            bob.send_stream(0, b"")
    assert rig.isolate.seen == []


@pytest.mark.parametrize("package_id", [-1, 1 << 32])
def test_a_package_number_that_is_none_is_refused_here(rig, package_id):
    with connect(rig, rig.bob) as bob, pytest.raises(NotAuthorisedError, match="is not between"):
        bob.send_data(package_id, b"")
    assert rig.isolate.seen == []


def test_a_missing_file_is_noticed_before_it_is_announced(rig, tmp_path):
    with connect(rig, rig.bob) as bob, pytest.raises(ContentError, match="cannot be read"):
        bob.send_data(0, tmp_path / "nowhere")
    assert rig.isolate.seen == []


# What the isolate refuses.


def test_a_datum_that_is_too_early_is_refused_with_the_states(rig):
    with connect(rig, rig.bob) as bob:
        with pytest.raises(RequestFailedError, match="INITIAL, expected DATA_SOURCES_LOADING"):
            bob.send_data(0, b"early")
        assert bob.state().state is ComputationState.INITIAL


def test_a_result_that_is_too_early_is_refused(rig):
    with connect(rig, rig.carol) as carol, pytest.raises(RequestFailedError, match="--wait"):
        carol.result()


def test_a_duplicate_package_is_refused(rig):
    with connect(rig, rig.alice) as alice:
        alice.send_program(PROGRAM)
    with connect(rig, rig.bob) as bob:
        bob.send_data(3, b"once")
        with pytest.raises(RequestRefusedError, match="duplicate package") as caught:
            bob.send_data(3, b"twice")
    assert caught.value.exit_code == 3
    assert rig.isolate.inputs == {(1, 3): b"once"}


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_every_reason_of_a_refusal_is_told_with_a_remedy(rig, reason):
    answer = runtime.Refused(ResponseStatus.GENERIC, reason, "the one", "the other")
    rig.isolate.answer_with = refusing(runtime.GetState, answer)
    with (
        connect(rig, rig.alice, patience_s=0) as alice,
        pytest.raises((RequestFailedError, RequestRefusedError)) as caught,
    ):
        alice.state()
    text = str(caught.value)
    assert reason.name.lower().replace("_", " ") in text
    assert "the one, expected the other: " in text
    assert caught.value.answer == answer


def test_a_refused_role_is_a_refusal_whatever_the_reason_says(rig):
    answer = runtime.Refused(ResponseStatus.INVALID_ROLE, RefusalReason.WRONG_ROLE)
    rig.isolate.answer_with = refusing(runtime.GetState, answer)
    with connect(rig, rig.alice) as alice, pytest.raises(RefusedError) as caught:
        alice.state()
    assert caught.value.exit_code == 3


def test_the_isolates_words_do_not_reach_the_terminal_raw(rig):
    answer = runtime.Refused(ResponseStatus.GENERIC, RefusalReason.TRAPPED, "\x1b[2J\nfake", "")
    rig.isolate.answer_with = refusing(runtime.GetState, answer)
    with connect(rig, rig.alice) as alice, pytest.raises(RequestFailedError) as caught:
        alice.state()
    assert str(caught.value).isprintable()


def test_a_refusal_in_the_middle_of_an_upload_says_why(rig):
    with connect(rig, rig.alice) as alice:
        alice.send_program(PROGRAM)
    rig.isolate.refuses_midway = True
    with connect(rig, rig.bob) as bob, pytest.raises(RequestRefusedError, match="too large"):
        bob.send_data(0, bytes(64 * PIECE_BYTES))


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (RefusalReason.EXPIRED, 3),
        (RefusalReason.SHUT_DOWN, 1),
        (RefusalReason.FLOODED, 1),
    ],
)
def test_why_an_isolate_closed_a_session_is_told_at_the_next_request(rig, reason, status):
    with connect(rig, rig.carol) as carol:
        rig.isolate.last_word = runtime.Refused(ResponseStatus.GENERIC, reason, "this is why")
        carol.state()
        with pytest.raises((RequestFailedError, RequestRefusedError), match="this is why") as told:
            carol.state()
        assert told.value.exit_code == status


def test_an_isolate_that_vanishes_in_the_middle_of_an_upload_is_unreachable(rig):
    with connect(rig, rig.alice) as alice:
        alice.send_program(PROGRAM)
    rig.isolate.vanishes_midway = True
    with connect(rig, rig.bob, patience_s=0) as bob, pytest.raises(UnreachableError) as caught:
        bob.send_data(0, bytes(64 * PIECE_BYTES))
    assert caught.value.exit_code == 4


# An isolate that does not keep to the protocol is not believed.


def test_an_answer_of_the_wrong_kind_is_a_protocol_error(rig):
    rig.isolate.answer_with = refusing(runtime.GetState, runtime.Done())
    with connect(rig, rig.alice) as alice, pytest.raises(ProtocolError, match="StateIs"):
        alice.state()


def test_a_commitment_to_something_else_is_a_protocol_error(rig):
    rig.isolate.spoil_acceptance = lambda same: runtime.Accepted(SALT, b"x" * 32)
    with connect(rig, rig.alice) as alice:
        alice.send_program(PROGRAM)
    with connect(rig, rig.bob) as bob, pytest.raises(ProtocolError, match="committed"):
        bob.send_data(0, b"mine")


@pytest.mark.parametrize("size", [1 << 40, 257 * 1024 * 1024])
def test_a_result_larger_than_allowed_is_not_waited_for(rig, size):
    rig.isolate.answer_with = refusing(
        runtime.GetResult, runtime.ResultIs(present=True, size=size, receipt=b"")
    )
    with connect(rig, rig.carol) as carol, pytest.raises(ProtocolError, match="announced"):
        carol.result()


def test_content_that_belongs_to_no_result_is_a_protocol_error(rig):
    rig.isolate.answer_with = refusing(
        runtime.GetResult, runtime.ResultIs(present=False, size=5, receipt=b"")
    )
    with connect(rig, rig.carol) as carol, pytest.raises(ProtocolError, match="announced"):
        carol.result()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"details": RunDetails(0, b"o" * 32, 7)}, "result"),
        ({"policy_digest": b"p" * 32}, "policy"),
        ({"program_digest": b"g" * 32}, "program"),
        ({"end": RunEnd.ERROR_CODE, "details": RunDetails(9, None, 7)}, "result is none"),
        ({"strategy": "Interpretation"}, "execution strategy"),
        ({"inputs": ()}, "order of data"),
    ],
)
def test_a_result_whose_receipt_does_not_fit_is_refused(rig, changes, named):
    rig.isolate.spoil_receipt = lambda receipt: replace(receipt, **changes)
    provide_everything(rig)
    with connect(rig, rig.carol) as carol, pytest.raises(ReceiptError, match=named) as caught:
        carol.result()
    assert caught.value.exit_code == 3


def test_an_error_code_that_is_not_the_receipts_is_refused(rig):
    rig.isolate.compute = lambda _: -3
    details = RunDetails(-4, None, 7)
    rig.isolate.spoil_receipt = lambda receipt: replace(receipt, details=details)
    provide_everything(rig)
    with connect(rig, rig.carol) as carol, pytest.raises(ReceiptError, match="return code is -4"):
        carol.result()


def test_an_upload_of_the_wrong_kind_is_never_announced(rig):
    with connect(rig, rig.alice) as alice:
        alice.send_program(PROGRAM)
    digest = Digest.of(PROGRAM).value
    assert rig.isolate.seen == [runtime.Upload(ContentKind.PROGRAM, 0, len(PROGRAM), digest)]


def test_a_session_is_over_once_it_is_closed(rig):
    alice = connect(rig, rig.alice)
    alice.close()
    alice.close()
    with pytest.raises(Exception, match="session") as caught:
        alice.state()
    assert caught.value.exit_code in {1, 4}


def test_who_waited_until_the_attestation_was_over_keeps_a_bundle_that_holds(rig):
    rig.spoil_ear = lambda ear: replace(ear, expires_at=ear.issued_at + 2)
    policy = rig.isolate.policy
    attestation = attest(policy)
    with Principal.connect(policy, rig.alice, attestation) as alice:
        alice.send_program(PROGRAM)
    with Principal.connect(policy, rig.bob, attestation) as bob:
        bob.send_data(0, b"bob's")
    with Principal.connect(policy, rig.carol, attestation) as carol:
        carol.send_data(0, b"carol's")
        while datetime.now(UTC) < attestation.expires_at:
            time.sleep(0.1)
        output, outcome = carol.result()
    bundle = ReceiptBundle.of([outcome.signed_receipt], attestation, policy)
    assert verify_bundle(bundle, policy=policy, output=Digest.of(output)).receipts
