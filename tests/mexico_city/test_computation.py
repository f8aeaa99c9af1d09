import hashlib

import pytest

from colima.runtime import (
    ComputationState,
    ContentKind,
    RefusalReason,
    ResponseStatus,
    TrapFrame,
    Upload,
    Withdraw,
)
from mexico_city.attempts import RunResult
from mexico_city.computation import Computation, Job
from mexico_city.content import content_of
from mexico_city.errors import DeniedError
from platform_services import ServiceUnavailableError
from psa_attestation.receipts.receipt import commit
from support.computations import PROGRAM, policy
from support.guests import CountingRandom

PI, DATA, READER, STREAM = "PiProvider", "DataProvider", "ResultReader", "StreamProvider"
ROLES = [[PI], [DATA], [DATA, STREAM], [READER], [READER, STREAM]]
AUTHOR, FIRST, SECOND, READER_1, READER_2 = range(5)


class Party:
    """A computation, and its identities by their numbers."""

    def __init__(self, *, random=None, **terms) -> None:
        once = {"rounds": 99, "attempts": 1}
        self.policy = policy(terms.pop("roles", ROLES), **(once | terms))
        self.computation = Computation(self.policy, random or CountingRandom())

    def reserve(self, who: int, kind: ContentKind, package_id: int = 0, size: int = 1):
        upload = Upload(kind, package_id, size)
        return self.computation.provision.reserve(self.policy.identities[who], upload)

    def send(self, who: int, kind: ContentKind, package_id: int = 0, content: bytes = b"x"):
        slot = self.reserve(who, kind, package_id, len(content))
        return self.computation.provision.provide(slot, content_of(content))

    def load(self) -> None:
        slot = self.reserve(AUTHOR, ContentKind.PROGRAM, size=len(PROGRAM))
        self.computation.provision.check_program(slot, content_of(PROGRAM))
        self.computation.provision.program_loaded()

    def ask(self, who: int = READER_1):
        return self.computation.request_result(self.policy.identities[who])

    def run(self, output: bytes | None = b"out", code: int = 0) -> Job:
        job = self.ask()
        assert isinstance(job, Job)
        content = None if output is None else content_of(output)
        self.computation.run_finished(RunResult(code, content, b"receipt"))
        return job

    def next_round(self, who: int = READER_1) -> None:
        self.computation.next_round(self.policy.identities[who])

    def vote(self, who: int) -> bool:
        return self.computation.shutdown(self.policy.identities[who])

    @property
    def state(self) -> ComputationState:
        return self.computation.stage.state


def refusal(call, *args, **terms):
    with pytest.raises(DeniedError) as refused:
        call(*args, **terms)
    return refused.value.answer


@pytest.mark.parametrize(
    ("data", "streams", "after"),
    [
        ([1], [1], ComputationState.DATA_SOURCES_LOADING),
        ([1], [], ComputationState.DATA_SOURCES_LOADING),
        ([], [1], ComputationState.STREAM_SOURCES_LOADING),
        ([], [], ComputationState.READY_TO_EXECUTE),
    ],
)
def test_a_loaded_program_leads_to_what_is_still_to_be_loaded(data, streams, after):
    party = Party(data=data, streams=streams)
    party.load()
    assert party.state is after


def test_the_program_has_no_digest_to_tell_until_it_is_loaded():
    party = Party()
    slot = party.reserve(AUTHOR, ContentKind.PROGRAM, size=len(PROGRAM))
    party.computation.provision.check_program(slot, content_of(PROGRAM))
    assert party.computation.provision.program_digest is None
    party.computation.provision.program_loaded()
    assert party.computation.provision.program_digest.value == hashlib.sha256(PROGRAM).digest()


def test_another_program_is_refused_by_its_digest_and_the_right_one_may_follow():
    party = Party()
    slot = party.reserve(AUTHOR, ContentKind.PROGRAM, size=5)
    answer = refusal(party.computation.provision.check_program, slot, content_of(b"other"))
    assert answer.reason is RefusalReason.WRONG_PROGRAM
    assert hashlib.sha256(b"other").hexdigest() in answer.found
    assert answer.expected == hashlib.sha256(PROGRAM).hexdigest()
    party.load()
    assert party.state is ComputationState.READY_TO_EXECUTE


def test_a_program_that_arrives_after_the_computation_failed_is_refused():
    party = Party()
    slot = party.reserve(AUTHOR, ContentKind.PROGRAM, size=len(PROGRAM))
    party.computation.keeper_lost("signal-9")
    answer = refusal(party.computation.provision.check_program, slot, content_of(PROGRAM))
    assert (answer.reason, answer.found) == (
        RefusalReason.WRONG_STATE,
        "ERROR (guest lost)",
    )


def test_one_upload_of_the_program_at_a_time():
    party = Party()
    slot = party.reserve(AUTHOR, ContentKind.PROGRAM)
    assert refusal(party.reserve, AUTHOR, ContentKind.PROGRAM).reason is RefusalReason.BUSY
    party.computation.provision.release(slot)
    party.load()


def test_a_program_that_the_engine_refuses_is_an_error_for_good():
    party = Party()
    party.reserve(AUTHOR, ContentKind.PROGRAM)
    answer = party.computation.program_refused("start-section").answer
    assert (answer.reason, answer.found) == (RefusalReason.PROGRAM_REFUSED, "start-section")
    late = refusal(party.reserve, AUTHOR, ContentKind.PROGRAM)
    assert late.found == "ERROR (the program was refused: start-section)"


@pytest.mark.parametrize(
    ("who", "kind"),
    [
        (FIRST, ContentKind.PROGRAM),
        (READER_1, ContentKind.PROGRAM),
        (AUTHOR, ContentKind.DATA),
        (READER_2, ContentKind.DATA),
        (AUTHOR, ContentKind.STREAM),
        (READER_1, ContentKind.STREAM),
    ],
)
def test_the_role_comes_before_the_state_and_the_size(who, kind):
    party = Party(limits={"input_bytes": 1, "program_bytes": 1})
    answer = refusal(party.reserve, who, kind, size=2**40)
    assert answer.reason is RefusalReason.WRONG_ROLE
    assert answer.status is ResponseStatus.INVALID_ROLE


def test_only_readers_ask_for_results_rounds_and_shutdown():
    party = Party()
    for call in (party.ask, party.next_round, party.vote):
        answer = refusal(call, AUTHOR)
        assert answer.reason is RefusalReason.WRONG_ROLE
        assert answer.found == "client 0 is PiProvider"
        assert answer.expected == "ResultReader"


def test_the_state_comes_before_the_size():
    party = Party(data=[1], limits={"input_bytes": 1})
    answer = refusal(party.reserve, FIRST, ContentKind.DATA, size=2)
    assert answer.reason is RefusalReason.WRONG_STATE
    assert (answer.found, answer.expected) == ("INITIAL", "DATA_SOURCES_LOADING")


def test_a_client_with_the_data_role_may_send_streams_too():
    party = Party(streams=[1, 2])
    party.load()
    party.send(FIRST, ContentKind.STREAM)
    party.send(SECOND, ContentKind.STREAM)
    assert party.state is ComputationState.READY_TO_EXECUTE


def test_an_input_that_arrives_after_the_computation_failed_is_refused():
    party = Party(data=[1])
    party.load()
    slot = party.reserve(FIRST, ContentKind.DATA)
    party.computation.keeper_lost("signal-9")
    answer = refusal(party.computation.provision.provide, slot, content_of(b"x"))
    assert (answer.reason, answer.found) == (
        RefusalReason.WRONG_STATE,
        "ERROR (guest lost)",
    )


def test_a_commitment_hides_an_input_behind_a_salt_that_its_provider_learns():
    party = Party(data=[1, 1])
    party.load()
    first = party.send(FIRST, ContentKind.DATA, 0, b"same")
    second = party.send(FIRST, ContentKind.DATA, 1, b"same")
    assert first.commitment != second.commitment
    for each in (first, second):
        assert each.commitment == commit(each.salt.reveal(), hashlib.sha256(b"same").digest())


class NoRandom:
    def fill(self, size: int) -> bytes:
        raise ServiceUnavailableError("none now")


def test_without_random_bytes_an_input_is_refused_and_its_place_is_free_again():
    party = Party(random=NoRandom(), data=[1])
    party.load()
    answer = refusal(party.send, FIRST, ContentKind.DATA)
    assert (answer.reason, answer.status) == (RefusalReason.BUSY, ResponseStatus.NOT_READY)
    party.reserve(FIRST, ContentKind.DATA)


@pytest.mark.parametrize(
    ("kind", "who", "limit"),
    [
        (ContentKind.PROGRAM, AUTHOR, "program_bytes"),
        (ContentKind.DATA, FIRST, "input_bytes"),
        (ContentKind.STREAM, FIRST, "input_bytes"),
    ],
)
def test_an_upload_of_just_the_limit_is_taken_and_a_byte_more_is_not(kind, who, limit):
    party = Party(data=[1][: kind is ContentKind.DATA], streams=[1], limits={limit: 100})
    if kind is not ContentKind.PROGRAM:
        party.load()
    answer = refusal(party.reserve, who, kind, size=101)
    assert (answer.reason, answer.found) == (RefusalReason.TOO_LARGE, "101 bytes")
    assert answer.expected == f"{limit} <= 100"
    party.reserve(who, kind, size=100)


def test_inputs_of_a_round_share_a_limit_that_counts_what_is_on_its_way():
    party = Party(data=[1, 2], streams=[1], limits={"total_input_bytes": 10})
    party.load()
    slot = party.reserve(FIRST, ContentKind.DATA, size=6)
    answer = refusal(party.reserve, SECOND, ContentKind.DATA, size=5)
    assert (answer.reason, answer.found) == (RefusalReason.TOO_LARGE, "11 bytes of inputs in all")
    party.computation.provision.release(slot)
    party.send(SECOND, ContentKind.DATA, content=b"5 byt")
    party.send(FIRST, ContentKind.DATA, content=b"two")
    assert (
        refusal(party.reserve, FIRST, ContentKind.STREAM, size=3).reason is RefusalReason.TOO_LARGE
    )
    party.reserve(FIRST, ContentKind.STREAM, size=2)


def test_the_streams_of_a_round_count_together():
    party = Party(streams=[1, 2], limits={"total_input_bytes": 10})
    party.load()
    party.send(FIRST, ContentKind.STREAM, content=b"6 byte")
    answer = refusal(party.reserve, SECOND, ContentKind.STREAM, size=5)
    assert (answer.reason, answer.found) == (RefusalReason.TOO_LARGE, "11 bytes of inputs in all")
    party.reserve(SECOND, ContentKind.STREAM, size=4)


def test_the_program_is_no_input_and_takes_nothing_of_their_limit():
    party = Party(data=[1], limits={"total_input_bytes": 4})
    party.load()
    party.send(FIRST, ContentKind.DATA, content=b"four")
    assert party.state is ComputationState.READY_TO_EXECUTE


def test_streams_of_an_earlier_round_do_not_count_any_more():
    party = Party(streams=[1], limits={"total_input_bytes": 4})
    party.load()
    for _ in range(3):
        party.send(FIRST, ContentKind.STREAM, content=b"four")
        party.run()
        party.next_round()


def test_the_program_runs_once_and_its_outcome_is_for_every_reader():
    party = Party()
    party.load()
    assert isinstance(party.ask(READER_1), Job)
    assert party.computation.stage.running
    assert party.ask(READER_2) is None
    assert party.ask(READER_1) is None
    outcome = RunResult(0, None, b"receipt")
    party.computation.run_finished(outcome)
    assert not party.computation.stage.running
    assert party.ask(READER_1) is outcome
    assert party.ask(READER_2) is outcome


def test_a_return_code_other_than_0_is_told_every_time():
    party = Party()
    party.load()
    party.run(b"partial", code=-4)
    assert [party.ask().return_code for _ in range(2)] == [-4, -4]
    assert party.ask().output is None
    assert party.state is ComputationState.ERROR


def test_no_result_before_everything_is_in():
    party = Party(data=[1])
    assert refusal(party.ask).found == "INITIAL"
    party.load()
    answer = refusal(party.ask)
    assert (answer.reason, answer.status) == (RefusalReason.WRONG_STATE, ResponseStatus.NOT_READY)
    assert (answer.found, answer.expected) == ("DATA_SOURCES_LOADING", "READY_TO_EXECUTE")


def test_a_failed_run_is_told_once_as_such_and_then_as_the_state():
    party = Party()
    party.load()
    party.ask()
    answer = party.computation.run_failed(RefusalReason.TRAPPED, "unreachable").answer
    assert (answer.reason, answer.status) == (RefusalReason.TRAPPED, ResponseStatus.VM_ERROR)
    assert answer.found == "unreachable"
    assert not party.computation.stage.running
    assert refusal(party.ask).found == "ERROR (trapped: unreachable)"


def test_rounds_keep_program_and_data_and_hand_on_the_result():
    party = Party(data=[1], streams=[2])
    party.load()
    party.send(FIRST, ContentKind.DATA, content=b"data")
    given = []
    for number in range(3):
        assert party.computation.stage.round == number + 1
        party.send(SECOND, ContentKind.STREAM, content=b"%d" % number)
        job = party.run(b"result %d" % number)
        previous = None if job.previous is None else job.previous.read(0, 99)
        given.append(
            (job.inputs[0].content.read(0, 9), job.streams[0].content.read(0, 9), previous)
        )
        party.next_round()
        assert party.state is ComputationState.STREAM_SOURCES_LOADING
    assert given == [
        (b"data", b"0", None),
        (b"data", b"1", b"result 0"),
        (b"data", b"2", b"result 1"),
    ]


def test_a_round_without_a_result_hands_on_an_empty_one():
    party = Party()
    party.load()
    party.run(output=None)
    party.next_round()
    previous = party.run().previous
    assert previous is not None
    assert previous.size == 0


def test_without_streams_the_next_round_is_ready_at_once():
    party = Party(data=[1])
    party.load()
    party.send(FIRST, ContentKind.DATA)
    party.run()
    party.next_round()
    assert party.state is ComputationState.READY_TO_EXECUTE


@pytest.mark.parametrize("debug", [True, False])
def test_where_a_program_failed_and_what_it_said_is_told_with_debug_alone(debug):
    party = Party(debug=debug)
    party.load()
    party.ask()
    frames = [TrapFrame(7, 0x1F4, "divide")]
    party.computation.run_failed(RefusalReason.TRAPPED, "unreachable", frames, "by zero")
    report = party.computation.failure_report(party.policy.identities[AUTHOR])
    assert report.failure == "trapped: unreachable"
    assert (report.frames, report.message) == ((tuple(frames), "by zero") if debug else ((), ""))


@pytest.mark.parametrize(("code", "failure"), [(0, ""), (-4, "returned: -4")])
def test_with_debug_the_report_names_a_return_code_other_than_0(code, failure):
    party = Party(debug=True)
    party.load()
    party.run(code=code)
    report = party.computation.failure_report(party.policy.identities[AUTHOR])
    assert report.failure == failure


def test_of_a_long_failure_a_refusal_says_the_beginning():
    party = Party()
    party.load()
    party.ask()
    party.computation.run_failed(RefusalReason.TRAPPED, "x" * 150)
    answer = refusal(party.ask)
    assert answer.found.startswith("ERROR (trapped: xxx")
    assert len(answer.found) == 160


def test_of_a_long_refusal_of_the_program_they_say_the_beginning():
    party = Party()
    party.computation.program_refused("x" * 135)
    provision, identity = party.computation.provision, party.policy.identities[FIRST]
    withdrawing = refusal(provision.withdraw, identity, Withdraw(ContentKind.DATA, 0))
    assert [len(each.found) for each in (withdrawing, provision.gone_on.answer)] == [160, 160]


def test_at_the_end_nothing_is_left_of_inputs_and_results():
    party = Party(data=[1], streams=[1])
    party.load()
    data = party.send(FIRST, ContentKind.DATA)
    party.send(FIRST, ContentKind.STREAM)
    party.run(b"first")
    party.next_round()
    stream = party.send(FIRST, ContentKind.STREAM)
    previous = party.run(b"second").previous
    output = party.computation.outcome.output
    party.computation.close()
    for content in (data.content, stream.content, previous, output):
        with pytest.raises(OSError, match="Bad file descriptor"):
            content.read(0, 1)


def test_an_end_without_a_result_is_an_end():
    party = Party()
    party.load()
    party.run(None)
    party.computation.close()


def test_what_a_round_said_is_not_told_of_the_next():
    party = Party(data=[1], debug=True)
    party.load()
    party.send(FIRST, ContentKind.DATA)
    author = party.policy.identities[AUTHOR]
    party.ask()
    party.computation.run_finished(RunResult(0, None, b"receipt"), "of round one")
    assert party.computation.failure_report(author).message == "of round one"
    party.next_round()
    party.ask()
    party.computation.run_failed(RefusalReason.LIMIT_REACHED, "time")
    report = party.computation.failure_report(author)
    assert (report.failure, report.message) == ("limit reached: time", "")


def test_results_that_are_no_longer_anyones_are_given_back():
    party = Party()
    party.load()
    party.run(b"first")
    first = party.ask().output
    party.next_round()
    party.run(b"second")
    assert first.descriptor >= 0
    party.next_round()
    assert first.descriptor == -1


def test_no_next_round_before_the_end_of_this_one():
    party = Party()
    assert refusal(party.next_round).reason is RefusalReason.WRONG_STATE
    party.load()
    assert refusal(party.next_round).expected == "FINISHED_EXECUTING"


def test_a_lost_keeper_leaves_a_finished_result_but_no_next_round():
    party = Party()
    party.load()
    party.run(b"kept")
    party.computation.keeper_lost("exit-70")
    assert party.ask().output.read(0, 9) == b"kept"
    answer = refusal(party.next_round)
    assert (answer.reason, answer.status) == (RefusalReason.GUEST_LOST, ResponseStatus.VM_ERROR)
    assert party.ask().output.read(0, 9) == b"kept"


def test_a_failed_computation_drops_what_came_in():
    party = Party(data=[1, 1], streams=[1])
    party.load()
    kept = [party.send(FIRST, ContentKind.DATA, number) for number in range(2)]
    party.computation.keeper_lost("signal-9")
    assert [each.content.descriptor for each in kept] == [-1, -1]


def test_the_end_is_when_every_reader_asked_for_it():
    party = Party()
    assert not party.vote(READER_1)
    assert not party.vote(READER_1)
    assert party.vote(READER_2)


def test_readers_may_ask_for_the_end_after_a_failure():
    party = Party(roles=[[PI], [READER]])
    party.computation.keeper_lost("signal-9")
    assert party.vote(1)


def test_a_new_round_forgets_who_asked_for_the_end():
    party = Party()
    party.load()
    party.run()
    party.vote(READER_1)
    party.next_round()
    assert not party.vote(READER_2)
    assert party.vote(READER_1)


def test_a_computation_whose_keeper_is_lost_no_longer_runs():
    party = Party()
    party.load()
    party.computation.request_result(party.policy.identities[READER_1])
    assert party.computation.stage.running
    party.computation.keeper_lost("signal-9")
    assert not party.computation.stage.running


def test_nobody_but_the_programs_provider_gets_a_failure_report():
    party = Party()
    party.computation.keeper_lost("signal-9")
    for who in (FIRST, SECOND, READER_1, READER_2):
        with pytest.raises(DeniedError) as refused:
            party.computation.failure_report(party.policy.identities[who])
        assert refused.value.answer.reason is RefusalReason.WRONG_ROLE
    report = party.computation.failure_report(party.policy.identities[AUTHOR])
    assert report.failure == "guest lost: signal-9"
