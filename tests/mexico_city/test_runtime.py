"""The runtime between principals and a guest process: the guest is played, nothing is in a sandbox.

What the tests say for the guest and for the principals is decided by the real parts in this very
process, so that each takes milliseconds; `test_isolate_*` ask the same of real isolates.
"""

import os
import socket
import subprocess
from contextlib import ExitStack

import pytest

from colima import isolate
from colima.runtime import (
    REQUEST,
    Accepted,
    Awaited,
    ComputationState,
    Consent,
    ContentKind,
    DigestIs,
    Done,
    Failure,
    Filling,
    GetFailureReport,
    GetProgramDigest,
    GetReceipt,
    GetResult,
    GetState,
    NextRound,
    Proceed,
    ReceiptIs,
    RefusalReason,
    Refused,
    ResultIs,
    Revoke,
    Shutdown,
    Upload,
    Withdraw,
)
from execution_engine.code_tag import code_tag
from mexico_city.code_exchange import CodeExchange
from mexico_city.computation import Computation
from mexico_city.content import content_of
from mexico_city.dialogue import Dialogue
from mexico_city.errors import DeniedError
from mexico_city.receipts import ReceiptBook
from mexico_city.runtime import Runtime
from platform_services.descriptors import send_descriptors
from psa_attestation.receipts.receipt import RunEnd
from psa_attestation.receipts.signing import sign_receipt
from psa_attestation.receipts.verification import verify_receipt
from support.computations import PROGRAM, consent_to, policy
from support.dialogues import taken_apart
from support.guests import CountingRandom
from support.local_front import LocalGuest, close_all
from support.processes import no_more_files, open_files, state
from support.psa_tokens import DEVICE
from support.receipts import CERTIFICATE, DIGEST, SALT
from veracruz_utils.digest import Digest
from veracruz_utils.secret import Secret

AUTHOR, OWNER, READER, OTHER = range(4)
ROLES = [["PiProvider"], ["DataProvider"], ["ResultReader"], ["ResultReader"]]
PRIVATE = {
    "type": "i64",
    "privacy": {"mechanism": "laplace", "epsilon": "1", "total_epsilon": "9", "sensitivity": "1"},
}
PROGRAM_DIGEST = Digest.of(PROGRAM).value
_AT_ONCE_S = 2
"""What a guest is told is there when it looks."""
FINISHED = isolate.Finished(0, wrote_output=True, output_size=3, run_ms=5, fuel=7)


class Member:
    """A principal in a session."""

    def __init__(self, world: "World", who: int) -> None:
        self._world = world
        self._said = bytearray()
        identity = world.runtime.computation.policy.identities[who]
        self.dialogue = Dialogue(identity, world.runtime, self._said.extend)

    def ask(self, request, content: bytes = b"") -> list:
        """What is said to it by the time that nothing more follows."""
        frame = REQUEST.encode(request)
        self.dialogue.receive(len(frame).to_bytes(4, "little") + frame + content)
        self._world.settle()
        return self.said()

    def said(self) -> list:
        """What was said to it since it was asked last."""
        while self.dialogue.pump():
            pass
        answers = list(taken_apart(bytes(self._said)))
        self._said.clear()
        return answers

    def upload(self, content: bytes, kind=ContentKind.DATA, *, announced=b"", replace=False):
        digest = announced or Digest.of(content).value
        upload = Upload(kind, 0, len(content), digest, replace=replace)
        return self.ask(upload, content)

    def program(self) -> list:
        return self.upload(PROGRAM, ContentKind.PROGRAM)

    def standing(self):
        (found,) = self.ask(GetState())
        return found


class World:
    """A runtime, its guest, and what Sonora is sent."""

    def __init__(self, *, roles=ROLES, data=(OWNER,), offered=b"", **terms) -> None:
        agreed = policy(roles, data=data, **({"rounds": 9, "attempts": 3} | terms))
        self._others = _anonymous_files()
        self.guest = LocalGuest(agreed)
        self.guest.channel.settimeout(_AT_ONCE_S)
        self.sonora, inside = socket.socketpair()
        self.code = CodeExchange(agreed, inside)
        self._offer(offered)
        self.code.receive_offer()
        self._inside = inside
        computation = Computation(agreed, CountingRandom())
        receipts = ReceiptBook(agreed, _signed, measurement=bytes(32), layers=())
        self.runtime = Runtime(computation, self.guest.link, self.code, receipts)
        self.author, self.owner, self.reader, self.other = (
            Member(self, who) for who in (AUTHOR, OWNER, READER, OTHER)
        )

    def settle(self) -> None:
        """What the front does until there is nothing left to do."""
        self.runtime.deliver()
        while self.runtime.busy:
            self.runtime.work.go_on()
            self.runtime.deliver()

    def renewed(self) -> None:
        """From now on the guest is the next that was asked for."""
        self.guest.renewed()
        self.guest.channel.settimeout(_AT_ONCE_S)

    def guest_says(self, answer: isolate.FromGuest) -> None:
        self.guest.say(answer)
        self.runtime.work.guest_readable()
        self.settle()

    def loaded(self, *, sent: bool = True) -> "World":
        """With its program, and the input of its owner."""
        assert self.author.program() == [Proceed()]
        self.guest.load()
        self.runtime.work.guest_readable()
        self.settle()
        assert self.author.said() == [Done()]
        if sent:
            self.owner.upload(b"data")
        return self

    def running(self) -> "World":
        """With a run for both readers."""
        assert self.reader.ask(GetResult()) == []
        assert self.other.ask(GetResult()) == []
        return self

    def returns(self, output: bytes | None = b"out", code: int = 0, message: str = "") -> None:
        """The guest takes a run and ends it so."""
        self.fills(output or b"")
        size = len(output or b"")
        wrote = output is not None
        self.guest_says(
            isolate.Finished(
                code, wrote_output=wrote, output_size=size, run_ms=5, fuel=7, message=message
            )
        )

    def fills(self, output: bytes) -> None:
        """The guest takes a run, and writes that much."""
        message, descriptors = self.guest.hear()
        assert isinstance(message, isolate.Run)
        os.write(descriptors[-1], output)
        close_all(descriptors)

    def receipt(self, number: int = 1):
        (answer,) = self.reader.ask(GetReceipt(number))
        assert isinstance(answer, ReceiptIs)
        return verify_receipt(answer.receipt, certificate_digest=DIGEST)

    @property
    def contents(self) -> int:
        """How many files it has of programs, code, inputs and results."""
        return _anonymous_files() - self._others

    @property
    def stage(self):
        return self.runtime.computation.stage

    def end(self) -> None:
        with ExitStack() as last:
            for each in (self.sonora, self._inside, self.guest):
                last.callback(each.close)
            for each in (self.author, self.owner, self.reader, self.other):
                last.callback(each.dialogue.close)
            self.runtime.wipe()

    def _offer(self, code: bytes) -> None:
        """Be Sonora, who has this code of the program, or none."""
        content = content_of(code)
        tag = code_tag(Secret(bytes(32)), self.code._context, content.digest)
        offer = isolate.CodeOffer(bytes(32), tag if code else b"", len(code))
        self.sonora.sendall(_frame(isolate.TO_RUNTIME.encode(offer)))
        if code:
            send_descriptors(self.sonora, [content.descriptor])
        content.close()


def _frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "little") + payload


def _anonymous_files() -> int:
    return sum("/memfd:" in each for each in open_files(os.getpid()))


def _signed(receipt):
    return sign_receipt(receipt, DEVICE, CERTIFICATE, salt=SALT)


@pytest.fixture
def world():
    """Makes worlds; whatever happens in them, nothing is left open at their end."""
    made = []
    before = len(open_files(os.getpid()))

    def make(**terms) -> World:
        made.append(World(**terms))
        return made[-1]

    yield make
    for each in made:
        each.end()
    assert len(open_files(os.getpid())) == before


def refused(answers) -> Refused:
    (answer,) = answers
    assert isinstance(answer, Refused)
    return answer


def gone(process: "subprocess.Popen[bytes]") -> bool:
    return state(process.pid) is None


# The program.


def test_the_program_is_there_when_a_guest_has_compiled_it(world):
    here = world()
    assert here.author.program() == [Proceed()]
    assert here.stage.state is ComputationState.INITIAL
    assert refused(here.owner.ask(GetProgramDigest())).reason is RefusalReason.WRONG_STATE
    here.guest.load()
    here.runtime.work.guest_readable()
    assert here.stage.state is ComputationState.DATA_SOURCES_LOADING
    assert here.author.said() == []
    assert here.runtime.busy
    here.settle()
    assert here.author.said() == [Done()]
    assert here.owner.ask(GetProgramDigest()) == [DigestIs(Digest.of(PROGRAM).value)]
    assert not here.runtime.busy


def test_a_program_that_is_compiling_is_waited_for_by_the_session_that_announces_it_last(world):
    here = world()
    here.author.program()
    again = Member(here, AUTHOR)
    assert again.ask(Upload(ContentKind.PROGRAM, 0, len(PROGRAM), PROGRAM_DIGEST)) == []
    assert refused(here.author.said()).found == "another session of yours goes on with this upload"
    assert here.author.dialogue.over
    here.guest.load()
    here.runtime.work.guest_readable()
    here.settle()
    assert again.said() == [Done()]
    assert here.author.said() == []
    again.dialogue.close()


@pytest.mark.parametrize("who", [OWNER, READER])
def test_what_another_principal_announces_does_not_wait_for_the_program(world, who):
    here = world()
    here.author.program()
    answer = refused(Member(here, who).ask(Upload(ContentKind.PROGRAM, 0, 1, PROGRAM_DIGEST)))
    assert answer.reason is RefusalReason.WRONG_ROLE
    assert not here.author.dialogue.over


@pytest.mark.parametrize("digest", [b"", bytes(32)])
def test_another_program_does_not_wait_for_the_one_that_is_compiling(world, digest):
    here = world()
    here.author.program()
    again = Member(here, AUTHOR)
    answer = refused(again.ask(Upload(ContentKind.PROGRAM, 0, len(PROGRAM), digest)))
    assert answer.reason is (RefusalReason.WRONG_PROGRAM if digest else RefusalReason.BUSY)
    assert not here.author.dialogue.over


def test_an_input_of_who_may_send_the_program_too_is_no_program(world):
    here = world(roles=[["PiProvider", "DataProvider"], *ROLES[1:]], data=(AUTHOR,))
    here.author.program()
    again = Member(here, AUTHOR)
    answer = refused(again.ask(Upload(ContentKind.DATA, 0, len(PROGRAM), PROGRAM_DIGEST)))
    assert answer.reason is RefusalReason.WRONG_STATE
    assert not here.author.dialogue.over


def test_a_program_that_is_in_is_not_sent_again_by_who_missed_the_answer(world):
    here = world().loaded()
    upload = Upload(ContentKind.PROGRAM, 0, len(PROGRAM), PROGRAM_DIGEST)
    assert here.author.ask(upload) == [Done()]
    assert refused(here.owner.ask(upload)).reason is RefusalReason.WRONG_ROLE
    for digest in (b"", bytes(32)):
        other = Upload(ContentKind.PROGRAM, 0, len(PROGRAM), digest)
        assert refused(here.author.ask(other)).reason is RefusalReason.WRONG_STATE


def test_of_a_computation_that_failed_no_program_is_in(world):
    here = world(attempts=1).loaded().running()
    here.fills(b"")
    here.guest_says(isolate.Trapped("unreachable", ()))
    upload = Upload(ContentKind.PROGRAM, 0, len(PROGRAM), PROGRAM_DIGEST)
    assert refused(here.author.ask(upload)).reason is RefusalReason.WRONG_STATE


def test_an_input_that_is_in_is_not_sent_again_by_who_missed_the_answer(world):
    here = world().loaded(sent=False)
    _, accepted = here.owner.upload(b"data")
    assert isinstance(accepted, Accepted)
    upload = Upload(ContentKind.DATA, 0, 4, Digest.of(b"data").value)
    assert here.owner.ask(upload) == [accepted]
    other = Upload(ContentKind.DATA, 0, 4, Digest.of(b"date").value)
    assert refused(here.owner.ask(other)).reason is RefusalReason.DUPLICATE_PACKAGE


@pytest.mark.parametrize("offered", [b"", b"native"])
def test_a_program_that_the_engine_refuses_ends_the_computation(world, offered):
    here = world(offered=offered)
    here.author.program()
    load, (module, code) = here.guest.hear()
    assert load == isolate.Load(len(PROGRAM), len(offered))
    if not offered:
        os.write(code, b"x")
    close_all([module, code])
    here.guest_says(isolate.LoadRefused("start-section"))
    assert here.contents == 0
    answer = refused(here.author.said())
    assert (answer.reason, answer.found) == (RefusalReason.PROGRAM_REFUSED, "start-section")
    assert here.stage.state is ComputationState.ERROR
    assert not here.runtime.work._code.busy


@pytest.mark.parametrize("code", ["compile-memory", "compile-time"])
def test_a_program_that_overruns_a_limit_while_it_compiles_ends_the_computation(world, code):
    here = world()
    here.author.program()
    close_all(here.guest.hear()[1])
    if code == "compile-time":
        here.runtime.work.check_guest(1e12)
        here.settle()
    else:
        here.guest_says(isolate.LimitReached(code))
    answer = refused(here.author.said())
    assert (answer.reason, answer.found) == (RefusalReason.LIMIT_REACHED, code)
    assert here.stage.where(told=True) == f"ERROR (limit reached: {code})"
    assert gone(here.guest.process)


def test_a_guest_that_ends_over_the_program_ends_the_computation(world):
    here = world()
    here.author.program()
    here.guest.channel.close()
    here.runtime.work.guest_readable()
    here.settle()
    answer = refused(here.author.said())
    assert (answer.reason, answer.found) == (RefusalReason.GUEST_LOST, "signal-9")


def test_a_guest_that_answers_what_it_was_not_asked_over_the_program_is_ended(world):
    here = world()
    here.author.program()
    close_all(here.guest.hear()[1])
    here.guest_says(FINISHED)
    answer = refused(here.author.said())
    assert (answer.reason, answer.found) == (RefusalReason.GUEST_LOST, "protocol")
    assert gone(here.guest.process)


def test_a_guest_that_does_not_take_the_program_ends_the_computation(world):
    here = world()
    here.guest.channel.close()
    _, answer = here.author.program()
    assert (answer.reason, answer.found) == (RefusalReason.GUEST_LOST, "protocol")
    assert here.contents == 0


def test_without_a_file_for_its_code_the_program_is_not_compiled(world):
    here = world()
    author = here.author
    # All of it is there but a byte; its file is open by now, and the one for the code is not.
    frame = REQUEST.encode(Upload(ContentKind.PROGRAM, 0, len(PROGRAM), PROGRAM_DIGEST))
    author.dialogue.receive(_frame(frame) + PROGRAM[:-1])
    with no_more_files():
        author.dialogue.receive(PROGRAM[-1:])
    here.settle()
    proceed, answer = author.said()
    assert proceed == Proceed()
    assert (answer.reason, answer.found) == (RefusalReason.GUEST_LOST, "no-room")
    assert gone(here.guest.process)


def test_code_is_taken_of_the_first_guest_and_given_to_the_next(world):
    here = world()
    here.author.program()
    _, (module, code) = here.guest.hear()
    os.write(code, b"native")
    close_all([module, code])
    here.guest_says(isolate.Loaded(6))
    assert here.author.said() == [Done()]
    here.owner.upload(b"data")
    here.running()
    here.fills(b"")
    here.guest_says(isolate.Trapped("unreachable", ()))
    here.reader.said()
    here.reader.ask(GetResult(retry=True))
    here.renewed()
    load, (module, code) = here.guest.hear()
    assert load == isolate.Load(len(PROGRAM), 6)
    assert (os.pread(module, 99, 0), os.pread(code, 99, 0)) == (PROGRAM, b"native")
    close_all([module, code])


def test_no_guest_is_given_a_file_that_one_before_it_could_write_to(world):
    here = world(attempts=5).loaded()
    files = []
    for _ in range(3):
        here.reader.ask(GetResult(retry=True))
        if files:
            here.renewed()
            _, (module, code) = here.guest.hear()
            files.append(os.fstat(code).st_ino)
            close_all([module, code])
            here.guest_says(isolate.Loaded(0))
        else:
            files.append(0)
        here.fills(b"")
        here.guest_says(isolate.Trapped("unreachable", ()))
    assert len(set(files)) == 3


# Runs.


def test_all_who_wait_get_the_result_and_who_asks_later_gets_it_at_once(world):
    here = world().loaded().running()
    assert here.stage.running
    here.returns(b"result", message="told to nobody")
    result, content = here.reader.said()
    assert isinstance(result, ResultIs)
    assert (result.present, result.size, content) == (True, 6, b"result")
    assert here.other.said() == [result, b"result"]
    assert here.reader.ask(GetResult()) == [result, b"result"]
    receipt = here.receipt()
    assert receipt == verify_receipt(result.receipt, certificate_digest=DIGEST)
    assert (receipt.end, receipt.number, receipt.round) == (RunEnd.FINISHED, 1, 1)
    details = receipt.details
    assert (details.return_code, details.output_digest) == (0, Digest.of(b"result").value)
    assert (details.run_ms, details.fuel) == (5, None)
    assert not gone(here.guest.process)


def test_who_left_is_not_waited_for_and_not_answered(world):
    here = world().loaded().running()
    here.other.dialogue.close()
    here.other.dialogue.close()
    here.returns(b"result")
    assert here.other.said() == []
    assert here.reader.said()[1] == b"result"


def test_who_is_gone_when_the_answer_is_due_leaves_nothing_open(world):
    here = world().loaded().running()
    here.fills(b"out")
    here.guest.say(FINISHED)
    here.runtime.work.guest_readable()
    here.runtime.work.go_on()
    assert here.runtime.busy
    here.other.dialogue.over = True
    here.settle()
    assert here.other.said() == []
    assert here.reader.said()[1] == b"out"


def test_at_the_end_answers_that_are_due_leave_nothing_open(world):
    here = world().loaded().running()
    here.fills(b"out")
    here.guest.say(FINISHED)
    here.runtime.work.guest_readable()
    here.runtime.work.go_on()
    assert here.runtime.busy
    here.runtime.wipe()
    here.runtime.deliver()
    assert here.reader.said() == here.other.said() == []


def test_what_is_arriving_is_dropped_with_the_rest(world):
    here = world()
    upload = Upload(ContentKind.PROGRAM, 0, len(PROGRAM), PROGRAM_DIGEST)
    here.author.ask(upload, PROGRAM[:1])
    assert here.contents == 1
    here.runtime.wipe()
    assert here.contents == 0


def test_a_session_that_cannot_be_answered_keeps_nobody_from_an_answer(world):
    here = world().loaded().running()
    here.reader.dialogue._send = None  # nothing that was asked brings this about
    here.returns(b"out")
    assert here.reader.dialogue.over
    assert here.other.said()[1] == b"out"


def test_without_a_free_descriptor_a_reader_is_told_to_ask_again(world):
    here = world().loaded().running()
    here.returns(b"out")
    here.reader.said()
    with no_more_files():
        answer = refused(here.reader.ask(GetResult()))
    assert answer.reason is RefusalReason.BUSY
    assert answer.found == "the isolate has too many open files"
    assert here.reader.ask(GetResult())[1] == b"out"


def test_a_reader_gets_as_many_results_as_the_policy_says_however_often_it_asks(world):
    here = world(results_per_reader=1).loaded().running()
    here.returns(b"out")
    for _ in range(2):
        here.reader.said()
        assert here.reader.ask(GetResult())[1] == b"out"
    for each in (here.reader, here.other):
        each.ask(NextRound())
    assert here.stage.round == 2
    assert refused(here.reader.ask(GetResult())).reason is RefusalReason.RESULTS_USED


def test_who_was_not_given_a_copy_has_had_no_result(world):
    here = world(results_per_reader=1).loaded().running()
    here.other.dialogue.close()
    here.returns(b"out")
    late = Member(here, OTHER)
    with no_more_files():
        assert refused(late.ask(GetResult())).reason is RefusalReason.BUSY
    here.reader.ask(NextRound())
    late.ask(NextRound())
    assert late.ask(GetResult()) == []
    late.dialogue.close()


def test_a_run_without_a_result_is_told_as_one(world):
    here = world().loaded().running()
    here.returns(None)
    (result,) = here.reader.said()[:1]
    assert (result.present, result.size) == (False, 0)
    receipt = here.receipt()
    assert (receipt.end, receipt.details.output_digest) == (RunEnd.FINISHED, None)
    assert here.runtime.computation.outcome.output is None


def test_an_error_code_is_told_to_readers_and_its_guest_is_ended(world):
    here = world().loaded().running()
    here.returns(b"partial", code=-4)
    for each in (here.reader, here.other):
        (failed,) = each.said()
        assert failed.return_code == -4
    receipt = here.receipt()
    assert receipt.end is RunEnd.ERROR_CODE
    assert (receipt.details.return_code, receipt.details.output_digest) == (-4, None)
    assert (receipt.details.run_ms, here.stage.failure) == (5, Failure.ERROR_CODE)
    assert gone(here.guest.process)
    assert not here.runtime.work.guest.alive


@pytest.mark.parametrize(
    ("said", "end", "failure"),
    [
        (isolate.Trapped("unreachable", ()), RunEnd.TRAPPED, Failure.TRAPPED),
        (isolate.LimitReached("memory"), RunEnd.LIMIT_REACHED, Failure.LIMIT_REACHED),
        (isolate.Loaded(0), RunEnd.GUEST_LOST, Failure.GUEST_LOST),
        (isolate.LoadRefused("start-section"), RunEnd.GUEST_LOST, Failure.GUEST_LOST),
    ],
)
def test_a_run_that_fails_is_told_to_all_and_its_guest_is_ended(world, said, end, failure):
    here = world(debug=True).loaded().running()
    here.fills(b"part")
    here.guest_says(said)
    answer = refused(here.reader.said())
    assert refused(here.other.said()) == answer
    assert answer.found == {"Trapped": "unreachable", "LimitReached": "memory"}.get(
        type(said).__name__, "protocol"
    )
    assert gone(here.guest.process)
    assert not here.stage.running
    assert here.stage.failure is failure
    assert here.receipt().end is end
    assert here.stage.state is ComputationState.READY_TO_EXECUTE


def test_where_a_run_trapped_and_what_it_said_is_kept_under_debug(world):
    here = world(debug=True).loaded().running()
    here.fills(b"")
    frames = (isolate.TrapFrame(1, 2, "main"),)
    here.guest_says(isolate.Trapped("unreachable", frames, "a panic"))
    (report,) = here.author.ask(GetFailureReport())
    assert (report.frames, report.message) == (frames, "a panic")


def test_what_a_run_that_returned_said_is_kept_under_debug(world):
    here = world(debug=True).loaded().running()
    here.returns(b"out", message="all is well")
    (report,) = here.author.ask(GetFailureReport())
    assert (report.failure, report.message) == ("", "all is well")


@pytest.mark.parametrize("time_is_up", [True, False])
def test_a_run_has_its_time(world, time_is_up):
    here = world().loaded().running()
    here.fills(b"")
    here.runtime.work.check_guest(1e12 if time_is_up else 0)
    here.settle()
    assert gone(here.guest.process) == time_is_up
    assert here.stage.running != time_is_up
    if time_is_up:
        assert refused(here.reader.said()).found == "time"
        assert here.receipt().end is RunEnd.LIMIT_REACHED


def test_after_a_run_that_failed_a_new_guest_takes_the_program_and_the_inputs(world):
    here = world().loaded().running()
    here.fills(b"")
    here.guest_says(isolate.Trapped("unreachable", ()))
    for each in (here.reader, here.other):
        each.said()
    assert here.reader.ask(GetResult(retry=True)) == []
    here.renewed()
    here.guest.load()
    here.runtime.work.guest_readable()
    here.returns(b"better")
    assert here.reader.said()[1] == b"better"
    assert here.other.said() == []
    assert [here.receipt(number).end for number in (1, 2)] == [RunEnd.TRAPPED, RunEnd.FINISHED]


@pytest.mark.parametrize("how", ["limit", "end", "time", "refused"])
def test_a_new_guest_that_does_not_get_to_the_run_fails_it(world, how):
    here = world().loaded().running()
    here.fills(b"")
    here.guest_says(isolate.Trapped("unreachable", ()))
    here.reader.said()
    here.reader.ask(GetResult(retry=True))
    here.renewed()
    close_all(here.guest.hear()[1])
    here.runtime.work.guest_readable()  # that it is walled in
    if how == "limit":
        here.guest_says(isolate.LimitReached("compile-memory"))
    elif how == "end":
        here.guest.channel.close()
        here.runtime.work.guest_readable()
    elif how == "time":
        here.runtime.work.check_guest(1e12)
    elif how == "refused":
        here.guest_says(isolate.LoadRefused("start-section"))
    here.settle()
    found = {"limit": "compile-memory", "end": "signal-9", "time": "compile-time",
             "refused": "protocol"}[how]  # fmt: skip
    assert refused(here.reader.said()).found == found
    assert not here.stage.running
    assert not here.runtime.work.guest.alive
    ends = RunEnd.LIMIT_REACHED if how in {"limit", "time"} else RunEnd.GUEST_LOST
    assert here.receipt(2).end is ends


@pytest.mark.parametrize("found", ["protocol", "no-room"])
def test_a_guest_that_takes_no_run_or_has_no_file_for_its_output_is_lost(world, found):
    here = world().loaded()
    if found == "protocol":
        here.guest.channel.close()
        answer = refused(here.reader.ask(GetResult()))
    else:
        with no_more_files():
            answer = refused(here.reader.ask(GetResult()))
    assert (answer.reason, answer.found) == (RefusalReason.GUEST_LOST, found)
    assert gone(here.guest.process)
    assert not here.stage.running
    assert here.receipt().end is RunEnd.GUEST_LOST


@pytest.mark.parametrize("size", [2, 4, 2**40])
def test_a_guest_that_lies_about_its_output_is_not_believed(world, size):
    here = world(debug=True).loaded().running()
    here.fills(b"out")
    here.guest_says(isolate.Finished(0, wrote_output=True, output_size=size, run_ms=1, fuel=0))
    answer = refused(here.reader.said())
    assert (answer.reason, answer.found) == (RefusalReason.GUEST_LOST, "protocol")
    assert gone(here.guest.process)
    assert here.receipt().end is RunEnd.GUEST_LOST
    assert here.runtime._receipts.count == 1


def test_an_output_is_bounded_by_the_policy(world):
    here = world(limits={"output_bytes": 3}).loaded().running()
    here.returns(b"out")
    assert here.reader.said()[1] == b"out"
    for each in (here.reader, here.other):
        each.ask(NextRound())
    here.reader.ask(GetResult())
    here.returns(b"more")
    assert refused(here.reader.said()).found == "protocol"


@pytest.mark.parametrize("said", [isolate.Loaded(0), FINISHED])
def test_a_guest_that_speaks_unasked_is_ended_and_costs_nothing_else(world, said):
    here = world().loaded()
    here.guest_says(said)
    assert gone(here.guest.process)
    assert here.stage.state is ComputationState.READY_TO_EXECUTE
    assert here.runtime._receipts.count == 0
    here.reader.ask(GetResult())
    here.renewed()
    here.guest.load()
    here.runtime.work.guest_readable()
    here.returns(b"out")
    assert here.reader.said()[1] == b"out"


@pytest.mark.parametrize("when", ["idle", "in a run", "before the program"])
def test_without_a_keeper_there_is_no_other_guest(world, when):
    here = world()
    if when != "before the program":
        here.loaded()
    if when == "in a run":
        here.running()
    here.guest.keeper.vanish()
    here.runtime.work.guest_readable()
    here.settle()
    assert here.contents == 0
    assert here.stage.where() == "ERROR (guest lost)"
    assert here.stage.where(told=True) == "ERROR (guest lost: keeper)"
    assert not here.stage.running
    if when == "in a run":
        assert refused(here.reader.said()).found == "keeper"
        assert here.receipt().end is RunEnd.GUEST_LOST


@pytest.mark.parametrize("how", ["trap", "end"])
def test_after_the_last_attempt_nothing_of_program_and_inputs_is_kept(world, how):
    here = world(attempts=1).loaded().running()
    here.fills(b"")
    if how == "trap":
        here.guest_says(isolate.Trapped("unreachable", ()))
    else:
        here.guest.channel.close()
        here.runtime.work.guest_readable()
    assert here.stage.state is ComputationState.ERROR
    assert here.contents == 0


@pytest.mark.parametrize("when", ["loading", "in a run", "renewing", "releasing"])
def test_whatever_is_under_way_is_dropped_at_the_end(world, when):
    here = world()
    if when == "loading":
        here.author.program()
    else:
        here.loaded().running()
    if when == "renewing":
        here.fills(b"")
        here.guest_says(isolate.Trapped("unreachable", ()))
        here.reader.ask(GetResult(retry=True))
    elif when == "releasing":
        here.fills(b"out")
        here.guest.say(FINISHED)
        here.runtime.work.guest_readable()
        assert here.runtime.work.busy
    here.runtime.wipe()
    assert not here.runtime.work.busy
    here.runtime.work.go_on()  # which finds nothing left to do
    here.runtime.deliver()
    receipts = {"loading": 0, "in a run": 1, "renewing": 2, "releasing": 1}[when]
    assert here.runtime._receipts.count == receipts


# What is withheld.


def test_a_result_that_is_not_of_its_type_is_given_to_nobody(world):
    here = world(result={"type": "i64"}).loaded().running()
    here.returns(b"out")
    answer = refused(here.reader.said())
    assert refused(here.other.said()) == answer
    assert (answer.reason, answer.found) == (
        RefusalReason.WITHHELD,
        "the result is not of type i64",
    )
    receipt = here.receipt()
    assert receipt.end is RunEnd.WITHHELD
    assert (receipt.details.return_code, receipt.details.output_digest) == (0, None)
    assert receipt.details.run_ms == 5
    assert gone(here.guest.process)
    assert not here.runtime.busy


def test_what_a_program_said_of_a_result_that_is_withheld_is_kept_under_debug(world):
    here = world(result={"type": "i64"}, debug=True).loaded().running()
    here.returns(b"out", message="a word")
    (report,) = here.author.ask(GetFailureReport())
    assert report.message == "a word"


@pytest.mark.parametrize("how", ["code", "trap", "type"])
def test_under_privacy_nothing_tells_how_a_run_failed(world, how):
    here = world(result=PRIVATE).loaded().running()
    if how == "code":
        here.returns(bytes(8), code=3)
    elif how == "type":
        here.returns(bytes(7))
    else:
        here.fills(b"")
        here.guest_says(isolate.Trapped("unreachable", ()))
    answer = refused(here.reader.said())
    assert (answer.reason, answer.found) == (
        RefusalReason.WITHHELD,
        "how a run failed is not told under privacy",
    )
    receipt = here.receipt()
    assert receipt.end is RunEnd.WITHHELD
    details = receipt.details
    assert (details.return_code, details.run_ms, details.fuel) == (None, None, None)
    assert receipt.privacy.epsilon_spent == "1"
    assert gone(here.guest.process)


def test_under_privacy_a_receipt_does_not_tell_what_a_run_took(world):
    here = world(result=PRIVATE, limits={"fuel": 1000}).loaded().running()
    here.returns(bytes(8))
    assert isinstance(here.reader.said()[0], ResultIs)
    details = here.receipt().details
    assert (details.return_code, details.run_ms, details.fuel) == (0, None, None)


# Requests, each with what comes of it.


def test_an_input_is_withdrawn_and_another_one_sent(world):
    here = world().loaded()
    assert here.owner.ask(Withdraw(ContentKind.DATA, 0)) == [Done()]
    assert here.stage.state is ComputationState.DATA_SOURCES_LOADING
    proceed, accepted = here.owner.upload(b"other")
    assert (proceed, type(accepted)) == (Proceed(), Accepted)
    here.running()
    job, descriptors = here.guest.hear()
    assert (job.inputs, os.pread(descriptors[0], 99, 0)) == ((5,), b"other")
    close_all(descriptors)


def test_consents_are_given_and_taken_back(world):
    here = world(consent=[OWNER]).loaded(sent=False)
    agreed = here.runtime.computation.policy
    assert here.owner.standing().consent_awaited == (OWNER,)
    assert here.reader.ask(Consent(consent_to(agreed, OWNER))) == [Done()]
    assert here.owner.standing().consent_awaited == ()
    assert here.owner.ask(Revoke()) == [Done()]
    assert here.owner.standing().consent_awaited == (OWNER,)


def test_what_is_no_request_of_a_principal_is_none(world):
    here = world()
    with pytest.raises(DeniedError) as caught:
        here.runtime.request(here.owner.dialogue, Done())
    assert (caught.value.answer.reason, caught.value.answer.found) == (
        RefusalReason.BAD_REQUEST,
        "Done",
    )


def test_content_that_is_not_what_was_announced_is_refused_and_its_place_free_again(world):
    here = world().loaded(sent=False)
    _, answer = here.owner.upload(b"data", announced=Digest.of(b"date").value)
    assert answer.reason is RefusalReason.WRONG_CONTENT
    assert answer.found == f"content with digest {Digest.of(b'data')}"
    assert answer.expected == f"{Digest.of(b'date')}, as announced"
    _, accepted = here.owner.upload(b"date")
    assert isinstance(accepted, Accepted)
    assert here.contents == 2  # it and the program


def test_without_a_digest_content_is_taken_as_it_comes_but_no_other_program(world):
    here = world()
    other = bytes(len(PROGRAM))
    _, answer = here.author.ask(Upload(ContentKind.PROGRAM, 0, len(other)), other)
    assert answer.reason is RefusalReason.WRONG_PROGRAM
    assert here.runtime.work.guest.deadline is None
    here.loaded(sent=False)
    _, accepted = here.owner.ask(Upload(ContentKind.DATA, 0, 4), b"data")
    assert isinstance(accepted, Accepted)


def test_what_comes_for_the_round_before_is_ended_with_it(world):
    here = world(data=(), streams=(OWNER,)).loaded(sent=False)
    here.owner.upload(b"item", ContentKind.STREAM)
    late = Member(here, OWNER)
    assert late.ask(Upload(ContentKind.STREAM, 0, 5, bytes(32), replace=True)) == [Proceed()]
    here.running()
    here.returns(b"out")
    here.reader.said()
    assert here.reader.ask(NextRound()) == [Done()]
    assert refused(late.said()).reason is RefusalReason.WRONG_STATE
    assert late.dialogue.over


def test_an_upload_that_broke_off_is_forgotten_in_the_end(world):
    here = world().loaded(sent=False)
    owner = Member(here, OWNER)
    frame = REQUEST.encode(Upload(ContentKind.DATA, 0, 4, bytes(32)))
    owner.dialogue.receive(_frame(frame) + b"da")
    owner.dialogue.close()
    assert here.contents == 2  # it and the program
    here.runtime.forget(1e12)
    assert here.contents == 1
    frame = REQUEST.encode(Upload(ContentKind.DATA, 0, 4))
    here.owner.dialogue.receive(_frame(frame) + b"da")
    assert here.contents == 2
    here.owner.dialogue.close()
    assert here.contents == 1


def test_an_upload_that_cannot_be_kept_gives_its_place_back(world):
    here = world().loaded(sent=False)
    arrival = here.runtime.request(here.owner.dialogue, Upload(ContentKind.DATA, 0, 4, bytes(32)))
    here.runtime.abandoned(arrival)
    assert here.contents == 1  # the program
    _, accepted = here.owner.upload(b"data")
    assert isinstance(accepted, Accepted)


# Votes and places, as principals see them.


def test_another_round_and_the_end_are_for_all_readers_to_ask_for(world):
    here = world().loaded().running()
    here.returns(b"out")
    for each in (here.reader, here.other):
        each.said()
    assert here.reader.ask(NextRound()) == [Done()]
    assert here.stage.round == 2
    (awaited,) = here.reader.ask(Shutdown())
    assert isinstance(awaited, Awaited)
    assert not here.runtime.shut_down
    assert here.other.ask(Shutdown()) == [Done()]
    assert here.runtime.shut_down


def test_where_the_program_stands_is_to_be_seen(world):
    roles = [["DataProvider"], ["PiProvider"], *ROLES[2:]]
    here = world(roles=roles, data=(0,))
    here.author, here.owner = here.owner, here.author
    place = here.owner.standing().places[0]
    assert (place.kind, place.index, place.client_id) == (ContentKind.PROGRAM, 0, 1)
    assert (place.filling, place.size, place.since) == (Filling.MISSING, 0, 0)
    here.author.program()
    place = here.owner.standing().places[0]
    assert (place.filling, place.size, place.since) == (Filling.ARRIVING, len(PROGRAM), 0)
    here.guest.load()
    here.runtime.work.guest_readable()
    place = here.owner.standing().places[0]
    assert place.filling is Filling.FILLED
    assert place.since > 0
