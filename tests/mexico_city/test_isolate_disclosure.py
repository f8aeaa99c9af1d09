"""What real isolates release: results that the policy allows, with noise that its budget pays."""

import struct
from contextlib import contextmanager

import pytest

from colima import runtime
from colima.runtime import ComputationState, ContentKind, Failure, RefusalReason
from mexico_city.attempts import UNTOLD
from psa_attestation.receipts.receipt import RunDetails, RunEnd
from psa_attestation.receipts.verification import verify_receipt
from support import runtime_guests as guests
from support.guests import main
from veracruz_utils.digest import Digest
from veracruz_utils.encoding.pinecone import decode, encode, parse_type
from veracruz_utils.policy import Limits, Role

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER
ROLES = [[PI], [DATA], [DATA], [READER]]

COPIER = main(
    """
    (drop (call $input_size (i32.const 0) (i32.const 65532)))
    (drop (call $read_input (i32.const 0) (i32.const 0) (i32.load (i32.const 65532))))
    (call $write_output (i32.const 0) (i32.load (i32.const 65532)))
    """
)
"""Its result is input 0."""

REMEMBERING = main(
    """
    (drop (call $read_input (i32.const 0) (i32.const 0) (i32.const 8)))
    (i64.store (i32.const 8) (i64.const -1))
    (drop (call $read_previous_result (i32.const 8) (i32.const 8)))
    (if (i64.eq (i64.load (i32.const 0)) (i64.load (i32.const 8))) (then unreachable))
    (call $write_output (i32.const 0) (i32.const 8))
    """
)
"""Its result is input 0; it traps when it sees that in a previous result."""

COUNTS = parse_type("Vec<i64>")
LAPLACE = {
    "mechanism": "laplace",
    "epsilon": "0.01",
    "total_epsilon": "0.025",
    "sensitivity": "1",
}
GAUSSIAN = LAPLACE | {"mechanism": "gaussian", "delta": "1e-6", "total_delta": "1e-5"}


@contextmanager
def opened(isolates, program, result, *, inputs=(b"first", b"second"), fuel=10**9, **terms):
    """An isolate with the program and both inputs in, of which the second is a list."""
    with isolates.computation(
        ROLES,
        program=program,
        data=[1, 2],
        terms={"result": result, "inputs": [{}, {"type": "Vec<u8>"}], **terms},
        limits=Limits(fuel=fuel),
    ) as rig:
        with rig.session(0) as author:
            author.program(program)
        for number, content in enumerate(inputs, 1):
            with rig.session(number) as provider:
                assert isinstance(provider.data(content), runtime.Accepted)
        yield rig


def receipts_of(rig, caller):
    count = caller.ask(runtime.GetState()).receipts
    digest = rig.isolate.certificate_digest
    return [
        verify_receipt(caller.ask(runtime.GetReceipt(number)).receipt, certificate_digest=digest)
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize(
    ("program", "result", "rule"),
    [
        (COPIER, {"bytes": 4}, "the result is larger than 4 bytes"),
        (COPIER, {"type": "Vec<bool>"}, "the result is not of type Vec<bool>"),
        (guests.SILENT, {"type": "Vec<bool>"}, "there is no result, Vec<bool> was due"),
    ],
    ids=["larger", "another-type", "absent"],
)
def test_a_result_that_the_policy_does_not_allow_is_withheld(isolates, program, result, rule):
    with opened(isolates, program, result, attempts=2) as rig, rig.session(3) as reader:
        answer, content = reader.result()
        (receipt,) = receipts_of(rig, reader)
        with rig.session(1) as provider:  # everybody is told, and another attempt may be made
            state = provider.ask(runtime.GetState())
    assert (state.failure, state.state) == (Failure.WITHHELD, ComputationState.READY_TO_EXECUTE)
    assert (answer.reason, answer.found, content) == (RefusalReason.WITHHELD, rule, b"")
    assert (receipt.end, receipt.details.output_digest) == (RunEnd.WITHHELD, None)


def test_a_result_that_the_policy_allows_is_released_as_it_is(isolates):
    data = encode(parse_type("Vec<String>"), ["a", "b"])
    result = {"type": "Vec<String>", "bytes": len(data), "contributors": 2}
    with (
        opened(isolates, COPIER, result, inputs=(data, b"x")) as rig,
        rig.session(3) as reader,
    ):
        _, content = reader.result()
        (receipt,) = receipts_of(rig, reader)
    assert content == data
    assert receipt.details.output_digest == Digest.of(data).value
    assert receipt.privacy is None


def test_an_empty_input_is_no_contribution_and_nothing_is_run(isolates):
    with (
        opened(isolates, COPIER, {"contributors": 2}, inputs=(b"alone", b"\0")) as rig,
        rig.session(3) as reader,
    ):
        answer, _ = reader.result()
        receipts = receipts_of(rig, reader)
    assert receipts == []
    assert answer.reason is RefusalReason.TOO_FEW_CONTRIBUTORS
    assert answer.found == "1 principals gave an input that is not empty"
    assert answer.expected == "at least 2"


@pytest.mark.parametrize("privacy", [LAPLACE, GAUSSIAN], ids=["laplace", "gaussian"])
def test_a_result_gets_noise_and_every_release_is_paid_until_the_budget_is_spent(isolates, privacy):
    true = [10**6, -(10**6), 0]
    result = {"type": "Vec<i64>", "privacy": privacy}
    inputs = (encode(COUNTS, true), b"x")
    with (
        opened(isolates, COPIER, result, inputs=inputs, rounds=5) as rig,
        rig.session(3) as reader,
    ):
        released = []
        for number in range(2):
            answer, content = reader.result()
            assert isinstance(answer, runtime.ResultIs)
            assert reader.result()[1] == content  # once more, for nothing
            released.append(decode(COUNTS, content))
            assert len(receipts_of(rig, reader)) == number + 1
            refused = reader.ask(runtime.NextRound())
            assert (refused == runtime.Done()) is (number == 0)
        assert reader.result()[1] == content  # it is not given up for a round without a result
        receipts = receipts_of(rig, reader)
    assert refused.reason is RefusalReason.BUDGET_SPENT
    assert refused.found.startswith("epsilon 0.005")
    assert refused.expected.startswith("epsilon 0.01")
    # Noise of so large a scale is 0, or twice the same, once in many hundred draws of six.
    assert released[0] != true
    assert released[0] != released[1]
    for found in released:
        assert all(abs(number - right) < 10**5 for number, right in zip(found, true, strict=True))
    assert [(each.privacy.epsilon_spent, each.privacy.epsilon_left) for each in receipts] == [
        ("0.01", "0.015"),
        ("0.02", "0.005"),
    ]
    deltas = [(each.privacy.delta_spent, each.privacy.delta_left) for each in receipts]
    with_delta = [("0.000001", "0.000009"), ("0.000002", "0.000008")]
    assert deltas == (with_delta if privacy is GAUSSIAN else [("0", "0")] * 2)
    untold = [(each.details.fuel, each.details.run_ms) for each in receipts]
    assert untold == [(None, None)] * 2
    digests = {each.details.output_digest for each in receipts}
    assert len(digests) == len(receipts)


def test_two_isolates_give_different_noise(isolates):
    result = {"type": "Vec<i64>", "privacy": LAPLACE}
    inputs = (encode(COUNTS, [0] * 20), b"x")
    found = []
    for _ in range(2):
        with opened(isolates, COPIER, result, inputs=inputs) as rig, rig.session(3) as reader:
            found.append(reader.result()[1])
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("program", "limits"),
    [
        (COPIER, {}),  # of another type
        (guests.FAILING, {}),
        (guests.TRAPPING, {}),
        (guests.ENDLESS, {"fuel": 10**6}),
        (guests.SILENT, {}),
    ],
    ids=["another-type", "error-code", "trap", "limit", "no-result"],
)
def test_under_privacy_runs_that_fail_are_all_alike_and_paid_for(isolates, program, limits):
    result = {"type": "Vec<i64>", "privacy": LAPLACE}
    inputs = (b"\x02" + bytes(9), b"x")
    with (
        opened(isolates, program, result, inputs=inputs, attempts=2, **limits) as rig,
        rig.session(3) as reader,
        rig.session(0) as author,
    ):
        answer, _ = reader.result()
        report = author.ask(runtime.GetFailureReport())
        failure = author.ask(runtime.GetState()).failure
        (receipt,) = receipts_of(rig, reader)
    assert (answer.reason, answer.found, answer.expected) == (RefusalReason.WITHHELD, UNTOLD, "")
    assert (report.failure, failure) == (f"withheld: {UNTOLD}", Failure.WITHHELD)
    assert (receipt.end, receipt.details) == (RunEnd.WITHHELD, RunDetails())
    assert (receipt.privacy.epsilon_spent, receipt.privacy.epsilon_left) == ("0.01", "0.015")


@pytest.mark.parametrize("privacy", [LAPLACE, None], ids=["noise", "no-noise"])
def test_the_next_round_sees_the_result_that_was_released(isolates, privacy):
    result = {"type": "i64"} | ({"privacy": privacy} if privacy else {})
    with (
        opened(
            isolates, REMEMBERING, result, inputs=(struct.pack("<q", 10**12), b"x"), rounds=2
        ) as rig,
        rig.session(3) as reader,
    ):
        reader.result()
        reader.ask(runtime.NextRound())
        answer, _ = reader.result()
    if privacy:
        assert isinstance(answer, runtime.ResultIs)
    else:
        assert answer.reason is RefusalReason.TRAPPED


class TestSizesOfPlaces:
    def computation(self, isolates, *sizes):
        inputs = [{} if size is None else {"bytes": size} for size in sizes]
        return isolates.computation(
            [[PI], [DATA], [READER]], program=COPIER, data=[1] * len(sizes),
            terms={"inputs": inputs},
        )  # fmt: skip

    def test_what_is_larger_than_its_place_is_refused_before_it_comes(self, isolates):
        with self.computation(isolates, 4, 9) as rig:
            with rig.session(0) as author:
                author.program(COPIER)
            with rig.session(1) as provider:
                refused = provider.ask(runtime.Upload(ContentKind.DATA, 0, 5))
                assert isinstance(provider.data(b"12345", 1), runtime.Accepted)
                assert isinstance(provider.data(b"1234", 0), runtime.Accepted)
        assert refused.reason is RefusalReason.TOO_LARGE
        assert (refused.found, refused.expected) == ("5 bytes", "inputs[0].bytes <= 4")

    def test_a_number_that_does_not_tell_the_place_is_refused_where_sizes_differ(self, isolates):
        with self.computation(isolates, 4, None) as rig:
            with rig.session(0) as author:
                author.program(COPIER)
            with rig.session(1) as provider:
                refused = provider.ask(runtime.Upload(ContentKind.DATA, 7, 1))
        assert refused.reason is RefusalReason.NOT_EXPECTED
        assert refused.expected == "0 to 1: its places take different sizes"

    def test_any_number_will_do_where_they_do_not(self, isolates):
        with self.computation(isolates, 4, 4) as rig:
            with rig.session(0) as author:
                author.program(COPIER)
            with rig.session(1) as provider:
                refused = provider.ask(runtime.Upload(ContentKind.DATA, 7, 5))
                assert isinstance(provider.data(b"1234", 7), runtime.Accepted)
        assert refused.reason is RefusalReason.TOO_LARGE
