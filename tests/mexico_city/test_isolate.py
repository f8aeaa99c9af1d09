"""Whole computations in real isolates: what the original's test plan asks of the runtime."""

import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from colima import runtime
from colima.runtime import (
    ComputationState,
    ContentKind,
    GetProgramDigest,
    RefusalReason,
    ResponseStatus,
    Shutdown,
)
from psa_attestation.receipts.receipt import commit
from psa_attestation.receipts.verification import verify_receipt
from sonora import local_attestation
from support import runtime_guests as guests
from support.patience import PATIENCE_S
from veracruz_utils.digest import Digest
from veracruz_utils.policy import IsolationLayer, Limits, Role, Strategy

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER
STREAM = Role.STREAM_PROVIDER
BOTH_STRATEGIES = pytest.mark.parametrize("strategy", list(Strategy))


def number(value: float) -> bytes:
    return struct.pack("<d", value)


def collected(caller, *, count: int) -> guests.Collected:
    answer, output = caller.result()
    assert isinstance(answer, runtime.ResultIs)
    return guests.Collected.parse(output, count=count)


@BOTH_STRATEGIES
def test_a_program_without_data_runs_and_every_isolate_draws_its_own_numbers(isolates, strategy):
    results = set()
    for _ in range(2):
        with (
            isolates.computation([[PI, READER]], program=guests.RANDOM, strategy=strategy) as rig,
            rig.session(0) as only,
        ):
            assert only.state() is ComputationState.INITIAL
            assert only.program(guests.RANDOM) == runtime.Done()
            assert only.state() is ComputationState.READY_TO_EXECUTE
            answer, output = only.result()
            assert answer.present
            assert len(output) == 32
            assert only.state() is ComputationState.FINISHED_EXECUTING
            results.add(output)
    assert len(results) == 2


def test_isolates_forked_from_one_zygote_have_keys_of_their_own(isolates, monkeypatch):
    """OpenSSL's generator takes no notice of a fork into another pid namespace."""
    keys = set()
    require_signature = local_attestation._require_signature

    def noted(answer, transcript):
        key = x509.load_der_x509_certificate(answer.certificate).public_key()
        keys.add(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
        return require_signature(answer, transcript)

    monkeypatch.setattr(local_attestation, "_require_signature", noted)
    for _ in range(3):
        with isolates.computation([[PI, READER]], program=guests.RANDOM) as rig:
            if IsolationLayer.NAMESPACES not in rig.isolate.layers:
                pytest.skip("this host gives no namespaces, and processes tell by their id")
    assert len(keys) == 3


@BOTH_STRATEGIES
def test_three_parties_compute_and_the_receipt_names_what_they_gave(isolates, strategy):
    roles = [[PI], [DATA], [DATA], [READER]]
    with isolates.computation(
        roles, program=guests.COLLECTOR, data=[2, 1, 1], strategy=strategy
    ) as rig:
        given = {}
        with rig.session(0) as author:
            assert author.program(guests.COLLECTOR) == runtime.Done()
        for who, package_id, content in ((1, 9, b"nine"), (2, 0, b"zero"), (1, 4, b"")):
            with rig.session(who) as provider:
                given[who, package_id] = provider.data(content, package_id), content
        with rig.session(3) as reader:
            answer, output = reader.result()
            seen = guests.Collected.parse(output, count=3)
            assert seen == guests.Collected((b"zero", b"", b"nine"), None)
        receipt = verify_receipt(answer.receipt, certificate_digest=rig.isolate.certificate_digest)
        assert receipt.policy_digest == rig.policy.digest.value == rig.isolate.policy_digest
        assert receipt.program_digest == Digest.of(guests.COLLECTOR).value
        assert receipt.details.output_digest == Digest.of(output).value
        assert (receipt.details.return_code, receipt.details.fuel, receipt.round) == (0, None, 1)
        assert receipt.strategy == strategy.value
        names = [(each.client_id, each.package_id, each.kind) for each in receipt.inputs]
        assert names == [(2, 0, "data"), (1, 4, "data"), (1, 9, "data")]
        for each in receipt.inputs:
            accepted, content = given[each.client_id, each.package_id]
            assert each.commitment == accepted.commitment
            assert each.commitment == commit(accepted.salt, Digest.of(content).value)


def test_a_result_without_a_program_is_refused(isolates):
    with isolates.computation([[PI, READER]], program=guests.RANDOM) as rig, rig.session(0) as only:
        answer, _ = only.result()
        assert (answer.status, answer.reason) == (
            ResponseStatus.NOT_READY,
            RefusalReason.WRONG_STATE,
        )
        assert (answer.found, answer.expected) == ("INITIAL", "READY_TO_EXECUTE")
        assert only.ask(GetProgramDigest()).found == "no program yet"


def test_another_program_is_refused_and_the_right_one_may_follow(isolates):
    with isolates.computation([[PI, READER]], program=guests.RANDOM) as rig, rig.session(0) as only:
        answer = only.program(guests.HELLO)
        assert (answer.status, answer.reason) == (
            ResponseStatus.INVALID_REQUEST,
            RefusalReason.WRONG_PROGRAM,
        )
        assert str(Digest.of(guests.HELLO)) in answer.found
        assert answer.expected == str(Digest.of(guests.RANDOM))
        assert only.state() is ComputationState.INITIAL
        assert only.program(guests.RANDOM) == runtime.Done()
        assert only.ask(GetProgramDigest()).digest == Digest.of(guests.RANDOM).value
        late = only.program(guests.RANDOM)
        assert (late.reason, late.found) == (RefusalReason.WRONG_STATE, "READY_TO_EXECUTE")


@BOTH_STRATEGIES
def test_what_is_no_program_at_all_is_refused_for_good(isolates, strategy):
    garbage = b"no module at all"
    with (
        isolates.computation([[PI, READER]], program=garbage, strategy=strategy) as rig,
        rig.session(0) as only,
    ):
        answer = only.program(garbage)
        assert (answer.status, answer.reason) == (
            ResponseStatus.VM_ERROR,
            RefusalReason.PROGRAM_REFUSED,
        )
        assert answer.found == "not-wasm"
        assert only.state() is ComputationState.ERROR
        assert only.program(garbage).found == "ERROR (the program was refused: not-wasm)"


def test_data_that_nobody_expects_is_refused(isolates):
    with (
        isolates.computation([[PI, READER], [DATA]], program=guests.RANDOM) as rig,
        rig.session(0) as author,
        rig.session(1) as provider,
    ):
        author.program(guests.RANDOM)
        answer = provider.data(b"unasked")
        assert (answer.reason, answer.found) == (RefusalReason.WRONG_STATE, "READY_TO_EXECUTE")


def test_data_comes_after_the_program_and_before_the_result(isolates):
    with (
        isolates.computation([[PI], [DATA], [READER]], program=guests.COLLECTOR, data=[1]) as rig,
        rig.session(0) as author,
        rig.session(1) as provider,
        rig.session(2) as reader,
    ):
        early = provider.data(b"early")
        assert (early.reason, early.found) == (RefusalReason.WRONG_STATE, "INITIAL")
        author.program(guests.COLLECTOR)
        answer, _ = reader.result()
        assert (answer.reason, answer.found) == (RefusalReason.WRONG_STATE, "DATA_SOURCES_LOADING")
        assert isinstance(provider.data(b"in time"), runtime.Accepted)
        late = provider.data(b"late", 1)
        assert (late.reason, late.found) == (RefusalReason.WRONG_STATE, "READY_TO_EXECUTE")
        assert collected(reader, count=1).items == (b"in time",)


def test_too_many_and_duplicate_packages_are_refused_and_change_nothing(isolates):
    with (
        isolates.computation(
            [[PI], [DATA], [DATA, READER]], program=guests.COLLECTOR, data=[1, 1, 2]
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as first,
        rig.session(2) as second,
    ):
        author.program(guests.COLLECTOR)
        first.data(b"a", 0)
        assert first.data(b"again", 0).reason is RefusalReason.DUPLICATE_PACKAGE
        first.data(b"b", 1)
        third = first.data(b"c", 2)
        assert third.reason is RefusalReason.NOT_EXPECTED
        assert third.expected == "2 of that client, 2 provided"
        assert first.state() is ComputationState.DATA_SOURCES_LOADING
        second.data(b"d", 0)
        assert collected(second, count=3).items == (b"a", b"b", b"d")


def test_reversed_provisioning_gives_the_same_order(isolates):
    with (
        isolates.computation(
            [[PI], [DATA], [DATA, READER]], program=guests.COLLECTOR, data=[1, 2]
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as first,
        rig.session(2) as second,
    ):
        author.program(guests.COLLECTOR)
        second.data(b"second")
        first.data(b"first")
        assert collected(second, count=2).items == (b"first", b"second")


@BOTH_STRATEGIES
def test_ten_rounds_carry_a_sum_over_from_one_to_the_next(isolates, strategy):
    with isolates.computation(
        [[PI], [DATA], [STREAM], [READER]],
        program=guests.ACCUMULATOR,
        data=[1],
        streams=[2, 2],
        strategy=strategy,
    ) as rig:
        with rig.session(0) as author:
            author.program(guests.ACCUMULATOR)
        with rig.session(1) as provider:
            provider.data(number(0.5))
        total = 0.5
        with rig.session(2) as streams, rig.session(3) as reader:
            for turn in range(1, 11):
                state = ComputationState.STREAM_SOURCES_LOADING
                assert reader.stands_in() == (state, turn, False)
                assert reader.standing().receipts == turn - 1
                streams.stream(number(turn), 0)
                streams.stream(number(turn / 8), 1)
                total += turn + turn / 8
                answer, output = reader.result()
                assert output == number(total)
                digest = rig.isolate.certificate_digest
                assert verify_receipt(answer.receipt, certificate_digest=digest).round == turn
                if turn < 10:
                    assert reader.ask(runtime.NextRound()) == runtime.Done()
            assert reader.state() is ComputationState.FINISHED_EXECUTING


def test_one_stream_of_two_is_not_enough_and_without_data_none_is_taken(isolates):
    with (
        isolates.computation(
            [[PI], [DATA], [STREAM, READER]], program=guests.ACCUMULATOR, data=[1], streams=[2, 2]
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as provider,
        rig.session(2) as both,
    ):
        author.program(guests.ACCUMULATOR)
        for package_id in range(3):
            answer = both.stream(number(1), package_id)
            assert (answer.reason, answer.found) == (
                RefusalReason.WRONG_STATE,
                "DATA_SOURCES_LOADING",
            )
        provider.data(number(1))
        both.stream(number(1), 0)
        answer, _ = both.result()
        assert (answer.reason, answer.found) == (
            RefusalReason.WRONG_STATE,
            "STREAM_SOURCES_LOADING",
        )
        both.stream(number(1), 1)
        assert both.stream(number(1), 2).found == "READY_TO_EXECUTE"
        assert both.result()[1] == number(3)


@BOTH_STRATEGIES
def test_the_previous_result_is_none_at_first_and_then_always_there(isolates, strategy):
    with (
        isolates.computation(
            [[PI], [STREAM], [READER]], program=guests.COLLECTOR, streams=[1], strategy=strategy
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as streams,
        rig.session(2) as reader,
    ):
        author.program(guests.COLLECTOR)
        streams.stream(b"one")
        _, first = reader.result()
        assert guests.Collected.parse(first, count=1) == guests.Collected((b"one",), None)
        reader.ask(runtime.NextRound())
        streams.stream(b"two")
        assert collected(reader, count=1) == guests.Collected((b"two",), first)


def test_a_round_that_wrote_nothing_has_no_result_and_hands_on_an_empty_one(isolates):
    with isolates.computation([[PI, READER]], program=guests.SILENT) as rig, rig.session(0) as only:
        only.program(guests.SILENT)
        answer, _ = only.result()
        assert (answer.present, answer.size) == (False, 0)
        assert only.ask(runtime.NextRound()) == runtime.Done()
        assert only.result()[0].present is False


@BOTH_STRATEGIES
def test_every_reader_gets_the_same_result_from_one_run(isolates, strategy):
    with (
        isolates.computation(
            [[PI], [READER], [READER]], program=guests.RANDOM, strategy=strategy
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as first,
        rig.session(2) as second,
    ):
        author.program(guests.RANDOM)
        answers = [first.result(), second.result(), first.result()]
        assert len(set(answers)) == 1


def test_a_return_code_other_than_0_is_told_to_each_reader_each_time(isolates):
    with (
        isolates.computation([[PI, READER], [READER]], program=guests.FAILING) as rig,
        rig.session(0) as author,
        rig.session(1) as second,
    ):
        author.program(guests.FAILING)
        for reader in (author, second, author):
            answer, _ = reader.result()
            assert isinstance(answer, runtime.ProgramFailed)
            assert answer.return_code == -4
            receipt = verify_receipt(
                answer.receipt, certificate_digest=rig.isolate.certificate_digest
            )
            assert receipt.details.return_code == -4
        assert author.state() is ComputationState.ERROR


@BOTH_STRATEGIES
def test_a_trap_is_named_and_ends_in_error_while_the_isolate_serves_on(isolates, strategy):
    with (
        isolates.computation([[PI], [READER]], program=guests.TRAPPING, strategy=strategy) as rig,
        rig.session(0) as author,
        rig.session(1) as reader,
    ):
        author.program(guests.TRAPPING)
        answer, _ = reader.result()
        assert (answer.status, answer.reason) == (ResponseStatus.VM_ERROR, RefusalReason.TRAPPED)
        assert answer.found == "unreachable"
        again, _ = reader.result()
        assert (again.reason, again.found) == (
            RefusalReason.WRONG_STATE,
            "ERROR (trapped: unreachable)",
        )
        assert author.state() is ComputationState.ERROR
        assert reader.ask(Shutdown()) == runtime.Done()
        assert rig.isolate.ended.wait(PATIENCE_S)
        assert rig.isolate.exit_code == 0


@pytest.mark.parametrize(
    ("who", "ask"),
    [
        (1, lambda caller: caller.program(guests.HELLO)),
        (0, lambda caller: caller.data(b"x")),
        (2, lambda caller: caller.stream(b"x")),
        (0, lambda caller: caller.result()[0]),
        (1, lambda caller: caller.ask(runtime.NextRound())),
        (1, lambda caller: caller.ask(Shutdown())),
    ],
)
def test_a_wrong_role_is_refused_whatever_the_state(isolates, who, ask):
    with (
        isolates.computation([[PI], [DATA], [READER]], program=guests.HELLO, data=[1]) as rig,
        rig.session(who) as caller,
    ):
        answer = ask(caller)
        assert (answer.status, answer.reason) == (
            ResponseStatus.INVALID_ROLE,
            RefusalReason.WRONG_ROLE,
        )
        assert caller.state() is ComputationState.INITIAL


def test_sizes_over_the_policys_limits_are_refused_before_a_byte_is_sent(isolates):
    most = len(guests.HELLO)
    limits = Limits(program_bytes=most, input_bytes=10, total_input_bytes=15)
    with (
        isolates.computation(
            [[PI], [DATA], [READER]], program=guests.HELLO, data=[1, 1], limits=limits
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as provider,
    ):
        refused = author.begin_upload(ContentKind.PROGRAM, most + 1)
        assert (refused.reason, refused.expected) == (
            RefusalReason.TOO_LARGE,
            f"program_bytes <= {most}",
        )
        author.program(guests.HELLO)
        refused = provider.begin_upload(ContentKind.DATA, 2**63)
        assert (refused.reason, refused.expected) == (RefusalReason.TOO_LARGE, "input_bytes <= 10")
        provider.data(bytes(10), 0)
        refused = provider.data(bytes(6), 1)
        assert refused.expected == "total_input_bytes <= 15"
        assert isinstance(provider.data(bytes(5), 1), runtime.Accepted)


@BOTH_STRATEGIES
def test_fuel_and_output_are_limited_by_the_policy(isolates, strategy):
    for limits, code in (
        (Limits(fuel=10_000), "fuel"),
        (Limits(memory_bytes=2**16), "memory"),
        (Limits(output_bytes=1000), "output-size"),
    ):
        program = guests.ENDLESS if code == "fuel" else guests.writing(70_000)
        with (
            isolates.computation(
                [[PI, READER]], program=program, limits=limits, strategy=strategy
            ) as rig,
            rig.session(0) as only,
        ):
            loaded = only.program(program)
            if code == "memory":
                assert loaded.found == "memory-too-large"
                continue
            answer, _ = only.result()
            assert (answer.reason, answer.found) == (RefusalReason.LIMIT_REACHED, code)


def test_the_end_takes_every_reader_and_is_answered(isolates):
    with (
        isolates.computation([[PI], [READER], [READER]], program=guests.HELLO) as rig,
        rig.session(0) as author,
        rig.session(1) as first,
        rig.session(2) as second,
    ):
        author.program(guests.HELLO)
        first.result()
        assert first.ask(Shutdown()) == runtime.Awaited((2,))
        assert first.ask(Shutdown()) == runtime.Awaited((2,))
        assert second.standing().shutdown_awaited == (2,)
        assert not rig.isolate.ended.is_set()
        assert second.result()[1] == b"hello"
        assert second.ask(Shutdown()) == runtime.Done()
        assert rig.isolate.ended.wait(PATIENCE_S)
        assert rig.isolate.exit_code == 0


def test_a_new_round_forgets_who_asked_for_the_end(isolates):
    with (
        isolates.computation([[PI], [READER], [READER]], program=guests.HELLO) as rig,
        rig.session(0) as author,
        rig.session(1) as first,
        rig.session(2) as second,
    ):
        author.program(guests.HELLO)
        first.result()
        first.ask(Shutdown())
        second.ask(runtime.NextRound())
        second.ask(Shutdown())
        assert second.state() is ComputationState.READY_TO_EXECUTE
        first.ask(Shutdown())
        assert rig.isolate.ended.wait(PATIENCE_S)
