"""Runs that fail, and what may be done about it; rounds, and who gets how many results."""

import pytest

from colima.runtime import (
    ComputationState,
    ContentKind,
    Failure,
    Filling,
    RefusalReason,
    Upload,
    Withdraw,
)
from mexico_city.attempts import RunResult
from mexico_city.computation import Computation, Job
from mexico_city.content import content_of
from mexico_city.errors import DeniedError
from support.computations import PROGRAM, policy
from support.guests import CountingRandom
from support.policies import NOW, document_2021, text
from veracruz_utils.policy import Policy

ROLES = [["PiProvider"], ["DataProvider", "StreamProvider"], ["ResultReader"], ["ResultReader"]]
AUTHOR, NORTH, READER, OTHER = range(4)
READY, DATA = ComputationState.READY_TO_EXECUTE, ComputationState.DATA_SOURCES_LOADING
STREAMS = ComputationState.STREAM_SOURCES_LOADING


class Case:
    """A computation whose program is in, and an input of `NORTH` for each of its places."""

    def __init__(self, *, data=(NORTH,), streams=(), sent=True, **terms) -> None:
        self.policy = policy(ROLES, data=data, streams=streams, **terms)
        self.time = 1000.0
        self.computation = Computation(self.policy, CountingRandom(), lambda: self.time)
        upload = Upload(ContentKind.PROGRAM, 0, len(PROGRAM))
        slot = self.computation.provision.reserve(self.policy.identities[AUTHOR], upload)
        self.computation.provision.check_program(slot, content_of(PROGRAM))
        self.computation.provision.program_loaded()
        if sent:
            for number in range(len(data)):
                self.send(b"before", number)
            for number in range(len(streams)):
                self.send(b"item", number, kind=ContentKind.STREAM)

    def slot(self, content=b"x", number=0, *, replace=False, kind=ContentKind.DATA):
        upload = Upload(kind, number, len(content), replace=replace)
        return self.computation.provision.reserve(self.policy.identities[NORTH], upload)

    def send(self, content, number=0, *, replace=False, kind=ContentKind.DATA):
        slot = self.slot(content, number, replace=replace, kind=kind)
        return self.computation.provision.provide(slot, content_of(content))

    def withdraw(self, number=0, kind=ContentKind.DATA):
        self.computation.provision.withdraw(self.policy.identities[NORTH], Withdraw(kind, number))

    def ask(self, who=READER, *, retry=False):
        return self.computation.request_result(self.policy.identities[who], retry=retry)

    def run(self, *, code=0, retry=False) -> Job:
        job = self.ask(retry=retry)
        assert isinstance(job, Job)
        self.computation.run_finished(RunResult(code, content_of(b"out"), b"receipt"))
        return job

    def trap(self, *, retry=False):
        assert isinstance(self.ask(retry=retry), Job)
        self.computation.run_failed(RefusalReason.TRAPPED, "unreachable")

    def next_round(self, who=READER) -> bool:
        return self.computation.next_round(self.policy.identities[who])

    @property
    def state(self):
        return self.computation.stage.state


def refusal(call, *args, **terms):
    with pytest.raises(DeniedError) as refused:
        call(*args, **terms)
    return refused.value.answer


def test_the_same_failure_is_told_again_and_nothing_runs_for_it():
    case = Case()
    case.trap()
    for who in (READER, OTHER, READER):
        answer = refusal(case.ask, who)
        assert (answer.reason, answer.found) == (RefusalReason.TRAPPED, "unreachable")
    assert case.computation.stage.attempts.begun == 1
    assert (case.state, case.computation.stage.failure) == (READY, Failure.TRAPPED)


def test_an_error_code_is_told_again_too_and_its_output_is_gone():
    case = Case()
    case.run(code=-4)
    assert [case.ask().return_code for _ in range(2)] == [-4, -4]
    assert case.ask().output is None
    assert (case.state, case.computation.stage.failure) == (READY, Failure.ERROR_CODE)


@pytest.mark.parametrize("change", ["replaced", "withdrawn and sent", "retry"])
def test_another_attempt_takes_a_change_or_an_express_wish(change):
    case = Case()
    case.trap()
    if change == "replaced":
        case.send(b"after", replace=True)
    elif change == "withdrawn and sent":
        case.withdraw()
        case.send(b"after")
    job = case.ask(retry=change == "retry")
    assert isinstance(job, Job)
    content = job.inputs[0].content.read(0, 9)
    assert content == (b"before" if change == "retry" else b"after")
    assert case.computation.stage.failure is Failure.NONE


def test_a_change_is_good_for_one_attempt():
    case = Case()
    case.trap()
    case.send(b"after", replace=True)
    case.trap()
    assert refusal(case.ask).reason is RefusalReason.TRAPPED


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_there_are_as_many_attempts_as_the_policy_says(attempts):
    case = Case(attempts=attempts)
    for number in range(attempts):
        assert case.state is READY
        if number:
            case.send(b"after", replace=True)
        case.trap()
    assert case.state is ComputationState.ERROR
    assert refusal(case.ask, retry=True).found == "ERROR (trapped: unreachable)"
    assert refusal(case.send, b"after", replace=True).reason is RefusalReason.WRONG_STATE


def test_the_last_attempt_is_kept_for_an_input_that_has_changed():
    case = Case(attempts=3)
    case.trap()
    case.trap(retry=True)
    answer = refusal(case.ask, retry=True)
    assert (answer.reason, answer.found) == (
        RefusalReason.ATTEMPTS_USED,
        "one attempt is left in this round",
    )
    assert refusal(case.ask).reason is RefusalReason.TRAPPED
    case.send(b"after", replace=True)
    case.run(retry=True)


@pytest.mark.parametrize("rounds", [1, 2])
def test_where_no_input_can_be_changed_a_reader_may_take_the_last_attempt(rounds):
    case = Case(data=(NORTH,) * (rounds - 1), attempts=2, rounds=2)
    if rounds == 2:
        case.run()
        case.next_round()
    case.trap()
    case.trap(retry=True)
    assert case.state is ComputationState.ERROR


def test_nothing_is_run_again_while_an_input_is_being_replaced():
    case = Case(attempts=5)
    case.trap()
    slot = case.slot(b"after", replace=True)
    answer = refusal(case.ask, retry=True)
    assert (answer.reason, answer.found) == (RefusalReason.BUSY, "an input is being replaced")
    case.computation.provision.provide(slot, content_of(b"after"))
    case.run(retry=True)


def test_another_round_that_the_privacy_budget_does_not_pay_for_leaves_the_last_result():
    privacy = {"mechanism": "laplace", "epsilon": "1", "total_epsilon": "1", "sensitivity": "1"}
    case = Case(rounds=2, result={"type": "i64", "privacy": privacy})
    case.ask()
    outcome = RunResult(0, content_of(bytes(8)), b"receipt")
    case.computation.run_finished(outcome)
    assert refusal(case.next_round).reason is RefusalReason.BUDGET_SPENT
    assert case.computation.round_votes.awaited == ()
    assert case.ask(OTHER) is outcome


def test_by_default_there_are_three_attempts():
    assert Case().policy.conduct.attempts == 3


def test_the_last_error_code_is_told_in_the_end_as_well():
    case = Case(attempts=1)
    case.run(code=7)
    assert case.state is ComputationState.ERROR
    assert case.ask().return_code == 7
    assert "7" not in refusal(case.send, b"x").found  # which is the readers' to know


def test_attempts_count_anew_in_every_round():
    case = Case(rounds=2, attempts=3)
    case.trap()
    case.run(retry=True)
    assert case.next_round()
    assert case.computation.stage.attempts.begun == 0
    case.trap()
    assert case.state is READY


def test_inputs_may_be_replaced_before_any_run_and_the_old_one_is_gone_then():
    case = Case()
    old = case.computation.provision.data.find(NORTH, 0).content
    slot = case.slot(b"after", replace=True)
    assert old.read(0, 9) == b"before"
    assert case.state is READY
    case.computation.provision.provide(slot, content_of(b"after"))
    assert old.descriptor == -1
    assert case.run().inputs[0].content.read(0, 9) == b"after"


def test_a_replacement_that_breaks_off_leaves_the_old_one():
    case = Case()
    case.computation.provision.release(case.slot(b"after", replace=True))
    assert case.run().inputs[0].content.read(0, 9) == b"before"


def test_what_comes_instead_of_a_stream_of_the_round_before_is_refused():
    case = Case(data=(), streams=(NORTH, NORTH), rounds=2)
    late = case.slot(b"late", replace=True, kind=ContentKind.STREAM)
    case.run()
    case.next_round()
    case.send(b"item", 5, kind=ContentKind.STREAM)
    answer = refusal(case.computation.provision.provide, late, content_of(b"late"))
    assert (answer.reason, answer.found) == (
        RefusalReason.WRONG_STATE,
        "STREAM_SOURCES_LOADING, round 2",
    )
    case.send(b"item", 6, kind=ContentKind.STREAM)
    assert [each.slot.package_id for each in case.run().streams] == [5, 6]


def test_a_stream_item_on_its_way_may_arrive_after_data_were_withdrawn():
    case = Case(streams=(NORTH,), sent=False)
    case.send(b"data")
    slot = case.slot(b"item", kind=ContentKind.STREAM)
    case.withdraw()
    case.computation.provision.provide(slot, content_of(b"item"))
    assert case.state is DATA
    case.send(b"data")
    assert case.state is READY


def test_an_input_that_is_to_be_replaced_by_a_small_one_takes_no_more_room():
    case = Case(data=(NORTH, NORTH), sent=False, limits={"total_input_bytes": 200})
    case.send(bytes(100))
    case.slot(b"", replace=True)
    case.send(bytes(100), 1)
    answer = refusal(case.slot, bytes(101), 1, replace=True)
    assert (answer.reason, answer.found) == (RefusalReason.TOO_LARGE, "201 bytes of inputs in all")


def test_a_replacement_that_arrives_in_a_run_is_refused_and_the_run_has_the_old_one():
    case = Case()
    slot = case.slot(b"after", replace=True)
    job = case.ask()
    answer = refusal(case.computation.provision.provide, slot, content_of(b"after"))
    assert (answer.reason, answer.found) == (RefusalReason.WRONG_STATE, "a run is under way")
    assert job.inputs[0].content.read(0, 9) == b"before"
    assert not case.computation.provision.data._reserved


@pytest.mark.parametrize("who", [AUTHOR, READER])
@pytest.mark.parametrize("kind", [ContentKind.DATA, ContentKind.STREAM])
def test_who_sends_no_inputs_withdraws_none(who, kind):
    case = Case(streams=(NORTH,))
    identity = case.policy.identities[who]
    answer = refusal(case.computation.provision.withdraw, identity, Withdraw(kind, 0))
    assert answer.reason is RefusalReason.WRONG_ROLE


def test_a_stream_item_before_the_data_is_too_early_whatever_may_be_done_with_one_that_is_in():
    case = Case(streams=(NORTH,), sent=False)
    answer = refusal(case.slot, kind=ContentKind.STREAM)
    assert (answer.found, answer.expected) == ("DATA_SOURCES_LOADING", "STREAM_SOURCES_LOADING")


def test_after_a_run_that_failed_the_state_is_told_as_it_is():
    case = Case()
    case.trap()
    case.withdraw()
    assert refusal(case.ask).found == "DATA_SOURCES_LOADING"


def test_a_replacement_that_is_announced_in_a_run_is_refused_at_once():
    case = Case(streams=(NORTH,))
    case.ask()
    for kind, what in [(ContentKind.DATA, "data"), (ContentKind.STREAM, "streams")]:
        answer = refusal(case.slot, b"after", replace=True, kind=kind)
        assert answer.found == "a run is under way"
        assert answer.expected == f"{what} that are in no result yet, and no run under way"
    assert not case.computation.provision.data.replacing


def test_to_replace_what_is_not_in_is_to_send_it():
    case = Case(sent=False)
    case.send(b"first", replace=True)
    assert case.state is READY


def test_one_replacement_of_a_package_at_a_time():
    case = Case()
    case.slot(b"after", replace=True)
    assert refusal(case.slot, b"again", replace=True).reason is RefusalReason.DUPLICATE_PACKAGE


@pytest.mark.parametrize("state", [DATA, READY])
def test_what_is_sent_twice_is_refused_as_such_and_by_name(state):
    case = Case(data=(NORTH, NORTH), sent=state is READY)
    if state is DATA:
        case.send(b"x")
    answer = refusal(case.send, b"x")
    assert answer.reason is RefusalReason.DUPLICATE_PACKAGE
    assert answer.found == "package 0 of client 1, a second time"


def test_refusals_name_principals_as_the_policy_does():
    document = [["PiProvider"], ["DataProvider"], ["ResultReader"]]
    named = policy(document, data=[1])
    assert named.named(1) == "client 1"
    case = Case(data=(NORTH,))
    assert refusal(case.withdraw, 5).found == "data package 5 of client 1 is not in"


@pytest.mark.parametrize(
    ("kind", "after"), [(ContentKind.DATA, DATA), (ContentKind.STREAM, STREAMS)]
)
def test_what_is_withdrawn_is_waited_for_again(kind, after):
    case = Case(streams=(NORTH,))
    assert case.state is READY
    case.withdraw(kind=kind)
    assert case.state is after
    case.send(b"again", kind=kind)
    assert case.state is READY


def test_streams_stay_while_data_are_waited_for_again():
    case = Case(streams=(NORTH,))
    case.withdraw()
    case.withdraw(kind=ContentKind.STREAM)
    assert case.state is DATA
    case.send(b"again")
    assert case.state is STREAMS


def test_nothing_is_withdrawn_in_a_run_or_after_a_result():
    case = Case(rounds=2)
    case.ask()
    assert refusal(case.withdraw).found == "a run is under way"
    case.computation.run_finished(RunResult(0, None, b"receipt"))
    assert refusal(case.withdraw).reason is RefusalReason.WRONG_STATE
    case.next_round()
    answer = refusal(case.withdraw)
    assert (answer.reason, answer.found) == (
        RefusalReason.WRONG_STATE,
        "READY_TO_EXECUTE, round 2",
    )
    assert refusal(case.send, b"x", replace=True).reason is RefusalReason.WRONG_STATE


def test_only_inputs_are_withdrawn():
    assert refusal(Case().withdraw, kind=ContentKind.PROGRAM).reason is RefusalReason.NOT_EXPECTED


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_there_are_as_many_rounds_as_the_policy_says(rounds):
    case = Case(rounds=rounds)
    for _ in range(rounds - 1):
        case.run()
        assert case.next_round()
    case.run()
    answer = refusal(case.next_round)
    assert (answer.reason, answer.expected) == (RefusalReason.ROUNDS_USED, f"rounds <= {rounds}")
    assert case.ask().output is not None


def test_without_streams_one_round_is_the_default():
    case = Case()
    case.run()
    assert refusal(case.next_round).reason is RefusalReason.ROUNDS_USED


def test_another_round_takes_those_whom_the_policy_names():
    case = Case(rounds=2, next_round="all")
    case.run()
    assert not case.next_round(READER)
    assert case.computation.round_votes.awaited == (OTHER,)
    assert not case.next_round(READER)
    assert case.computation.stage.round == 1
    assert case.next_round(OTHER)
    assert case.computation.round_votes.awaited == ()


def test_a_reader_whose_word_does_not_count_is_told_whose_does():
    case = Case(rounds=2, next_round={"least": 1, "of": [OTHER]})
    case.run()
    answer = refusal(case.next_round, READER)
    assert (answer.reason, answer.expected) == (RefusalReason.WRONG_ROLE, "1 of client 3")


def test_a_reader_has_as_many_results_as_the_policy_says_and_the_same_one_again():
    case = Case(rounds=3, results_per_reader=1)
    case.run()
    for _ in range(2):
        assert case.ask().output is not None
        case.computation.handed_over(case.policy.identities[READER])
    case.next_round()
    answer = refusal(case.ask)
    assert (answer.reason, answer.found) == (
        RefusalReason.RESULTS_USED,
        "client 2 has had 1 results",
    )
    assert isinstance(case.ask(OTHER), Job)


def test_a_reader_may_know_of_rounds_whose_result_it_had_or_may_still_have():
    case = Case(rounds=3, results_per_reader=1)
    first, second = (case.policy.identities[who] for who in (READER, OTHER))
    case.run()
    case.computation.handed_over(first)
    case.next_round()
    known = [[case.computation.may_have(who, turn) for turn in (1, 2)] for who in (first, second)]
    assert known == [[True, False], [False, True]]
    free = Case(rounds=2)
    free.run()
    free.next_round()
    assert free.computation.may_have(first, 1)


def test_only_readers_and_the_author_are_told_the_code_of_a_failure():
    case = Case(attempts=1)
    case.trap()
    assert refusal(case.ask, retry=True).found == "ERROR (trapped: unreachable)"
    report = case.computation.failure_report(case.policy.identities[AUTHOR])
    assert report.failure == "trapped: unreachable"
    assert refusal(case.send, b"after", 9).found == "ERROR (trapped)"
    assert refusal(case.withdraw).found == "ERROR (trapped), round 1"


def test_everybody_sees_which_places_are_filled_by_whom_and_since_when():
    case = Case(data=(NORTH, NORTH), sent=False)
    case.time = 1234.5
    case.send(b"first", 1)
    case.slot(b"second one", 0)
    program, first, second = case.computation.provision.places
    assert (program.client_id, program.filling, program.since) == (AUTHOR, Filling.FILLED, 1000)
    assert (first.package_id, first.filling, first.size) == (0, Filling.ARRIVING, 10)
    assert (second.package_id, second.filling, second.size) == (1, Filling.FILLED, 5)
    assert (first.since, second.since) == (0, 1234)


@pytest.mark.parametrize(("time", "since"), [(-5.0, 0), (0.9, 0), (1.0, 1)])
def test_a_clock_before_1970_is_at_its_begin(time, since):
    case = Case(sent=False)
    case.time = time
    case.send(b"first", 0)
    assert case.computation.provision.places[1].since == since


def test_a_policy_of_2021_takes_an_error_code_for_an_outcome():
    case = Case.__new__(Case)
    case.policy = Policy.parse(text(document_2021()), at=NOW)
    assert (case.policy.conduct.attempts, case.policy.conduct.repairs) == (1, False)
    case.computation = Computation(case.policy, CountingRandom())
    case.computation.provision.program_loaded()
    case.computation.stage.state = READY
    case.computation.stage.attempts.begin()
    case.computation.run_finished(RunResult(-4, content_of(b"out"), b"receipt"))
    assert case.state is ComputationState.FINISHED_EXECUTING
    reader = next(each for each in case.policy.identities if "ResultReader" in each.roles)
    assert case.computation.request_result(reader).return_code == -4


def test_a_policy_of_2021_lets_an_input_be_replaced_as_long_as_there_is_no_result():
    case = Case.__new__(Case)
    case.policy = Policy.parse(text(document_2021()), at=NOW)
    case.computation = Computation(case.policy, CountingRandom())
    case.computation.provision.program_loaded()
    before = case.send(b"before")
    after = case.send(b"after", replace=True)
    assert after.commitment != before.commitment
    case.withdraw()
    assert case.state is DATA
