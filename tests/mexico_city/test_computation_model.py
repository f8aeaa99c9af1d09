"""A computation against a model of the rules, request by request.

The model is written from the description of the lifecycle; it shares no code with `Computation`.
"""

import hashlib
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule

from colima.runtime import ComputationState, ContentKind, RefusalReason, Upload
from mexico_city.computation import Computation, Job, RunResult
from mexico_city.content import content_of
from mexico_city.errors import DeniedError
from support.computations import PROGRAM, policy
from support.guests import CountingRandom

ROLES = {
    0: {"PiProvider"},
    1: {"DataProvider"},
    2: {"DataProvider", "StreamProvider"},
    3: {"StreamProvider", "ResultReader"},
    4: {"ResultReader"},
}
LIMITS = {"program_bytes": 64, "input_bytes": 8, "total_input_bytes": 20}
WANTED = {
    ContentKind.PROGRAM: (ComputationState.INITIAL, {"PiProvider"}),
    ContentKind.DATA: (ComputationState.DATA_SOURCES_LOADING, {"DataProvider"}),
    ContentKind.STREAM: (
        ComputationState.STREAM_SOURCES_LOADING,
        {"DataProvider", "StreamProvider"},
    ),
}
PARTIES = st.sampled_from(sorted(ROLES))
OUTPUTS = st.none() | st.binary(max_size=4)
OFTEN = st.integers(0, 30).map(lambda drawn: drawn != 17)


class Model:
    """The rules, as plainly as possible."""

    def __init__(self, data: list[int], streams: list[int]) -> None:
        self.orders = {ContentKind.DATA: data, ContentKind.STREAM: streams}
        self.state = ComputationState.INITIAL
        self.round = 1
        self.taken = {ContentKind.DATA: {}, ContentKind.STREAM: {}}
        self.coming: list[tuple[ContentKind, int, int, int]] = []
        self.running = False
        self.guest = True
        self.previous: bytes | None = None
        self.result: bytes | None = None
        self.votes: set[int] = set()

    def refuses_upload(
        self, who: int, kind: ContentKind, number: int, size: int
    ) -> RefusalReason | None:
        state, roles = WANTED[kind]
        if not roles & ROLES[who]:
            return RefusalReason.WRONG_ROLE
        if self.state is not state:
            return RefusalReason.WRONG_STATE
        if kind is ContentKind.PROGRAM:
            return self.refuses_program(size)
        return self.refuses_input(who, kind, number, size)

    def refuses_program(self, size: int) -> RefusalReason | None:
        if size > LIMITS["program_bytes"]:
            return RefusalReason.TOO_LARGE
        coming = any(each[0] is ContentKind.PROGRAM for each in self.coming)
        return RefusalReason.BUSY if coming else None

    def refuses_input(
        self, who: int, kind: ContentKind, number: int, size: int
    ) -> RefusalReason | None:
        inputs = [size for sizes in self.taken.values() for size in sizes.values()]
        inputs += [each[3] for each in self.coming if each[0] is not ContentKind.PROGRAM]
        if size > LIMITS["input_bytes"] or sum(inputs) + size > LIMITS["total_input_bytes"]:
            return RefusalReason.TOO_LARGE
        theirs = [key for key in self.taken[kind] if key[0] == who]
        theirs += [(owner, n) for of, owner, n, _ in self.coming if of is kind and owner == who]
        if (who, number) in theirs:
            return RefusalReason.DUPLICATE_PACKAGE
        return RefusalReason.NOT_EXPECTED if len(theirs) >= self.orders[kind].count(who) else None

    def advance(self) -> None:
        for kind, state, after in (
            (
                ContentKind.DATA,
                ComputationState.DATA_SOURCES_LOADING,
                ComputationState.STREAM_SOURCES_LOADING,
            ),
            (
                ContentKind.STREAM,
                ComputationState.STREAM_SOURCES_LOADING,
                ComputationState.READY_TO_EXECUTE,
            ),
        ):
            owners = Counter(owner for owner, _ in self.taken[kind])
            if self.state is state and owners == Counter(self.orders[kind]):
                self.state = after

    def fail(self) -> None:
        self.state = ComputationState.ERROR
        self.running = False
        self.taken = {ContentKind.DATA: {}, ContentKind.STREAM: {}}

    def lose_guest(self) -> None:
        self.guest = False
        if self.state is not ComputationState.FINISHED_EXECUTING:
            self.fail()


class Requests(RuleBasedStateMachine):
    """Whatever principals ask in whatever order, the computation answers as the model does."""

    uploads = Bundle("uploads")

    @initialize(
        data=st.lists(st.sampled_from([1, 2]), max_size=3),
        streams=st.lists(st.sampled_from([1, 2, 3]), max_size=3),
        loaded=st.booleans(),
    )
    def begin(self, data, streams, loaded):
        self.policy = policy(
            [sorted(ROLES[number]) for number in sorted(ROLES)],
            data=data,
            streams=streams,
            limits=LIMITS,
        )
        self.computation = Computation(self.policy, CountingRandom())
        self.model = Model(data, streams)
        if loaded:
            self.complete(self.begin_upload(0, ContentKind.PROGRAM, 0, 60), right=True)

    def snapshot(self):
        computation = self.computation
        kept = computation._previous
        return (
            computation.state,
            computation.round,
            computation.running,
            computation.failure,
            computation._frames,
            computation.outcome,
            computation.program_digest,
            computation._guest_lost,
            kept and (kept.descriptor, kept.size),
            computation._program_reserved,
            dict(computation._data._packages),
            dict(computation._data._reserved),
            dict(computation._streams._packages),
            dict(computation._streams._reserved),
            set(computation._asked_for_shutdown),
        )

    def refused(self, reason, call, *args):
        """`call` is refused for this reason and has changed nothing."""
        before = self.snapshot()
        with pytest.raises(DeniedError) as refusal:
            call(*args)
        assert refusal.value.answer.reason is reason
        assert self.snapshot() == before

    @rule(
        target=uploads,
        who=PARTIES,
        kind=st.sampled_from(ContentKind),
        number=st.integers(0, 3),
        size=st.integers(0, 10) | st.integers(60, 70),
    )
    def begin_upload(self, who, kind, number, size):
        identity = self.policy.identities[who]
        reason = self.model.refuses_upload(who, kind, number, size)
        upload = Upload(kind, number, size)
        if reason is not None:
            self.refused(reason, self.computation.reserve, identity, upload)
            return None
        slot = self.computation.reserve(identity, upload)
        entry = (kind, who, number, size)
        self.model.coming.append(entry)
        return slot, entry

    def take(self, upload):
        """The slot of an upload that is still under way."""
        if upload is None or upload[1] not in self.model.coming:
            return None
        self.model.coming.remove(upload[1])
        return upload

    @rule(upload=uploads)
    def abandon(self, upload):
        if taken := self.take(upload):
            self.computation.release(taken[0])

    @rule(data=st.data())
    def go_on(self, data):
        """What a computation does when all goes well, so that runs get far."""
        model = self.model
        kind = next((kind for kind, (state, _) in WANTED.items() if state is model.state), None)
        if kind is ContentKind.PROGRAM:
            self.complete(self.begin_upload(0, kind, 0, 60), right=True)
        elif kind is not None:
            who = data.draw(st.sampled_from(model.orders[kind]))
            self.complete(self.begin_upload(who, kind, data.draw(st.integers(0, 3)), 1))
        elif model.running:
            self.run_ends(data.draw(OUTPUTS), 0)
        elif model.state is ComputationState.READY_TO_EXECUTE:
            self.ask_for_the_result(3)
        else:
            self.ask_for_another_round(4)

    @rule(upload=uploads, right=OFTEN, compiles=OFTEN)
    def finish_upload(self, upload, right, compiles):
        self.complete(upload, right=right, compiles=compiles)

    def complete(self, upload, *, right=False, compiles=True):
        if not (taken := self.take(upload)):
            return
        slot, (kind, who, number, size) = taken
        if kind is ContentKind.PROGRAM:
            self.finish_program(slot, right=right, compiles=compiles)
            return
        content = content_of(bytes(size))
        if self.model.state is not WANTED[kind][0]:
            with pytest.raises(DeniedError):
                self.computation.provide(slot, content)
            return
        package = self.computation.provide(slot, content)
        assert (package.slot.client_id, package.slot.package_id) == (who, number)
        self.model.taken[kind][who, number] = size
        self.model.advance()

    def finish_program(self, slot, *, right, compiles):
        content = content_of(PROGRAM if right else b"another")
        if not right or self.model.state is not ComputationState.INITIAL:
            with pytest.raises(DeniedError) as refusal:
                self.computation.check_program(slot, content)
            wrong = RefusalReason.WRONG_STATE if right else RefusalReason.WRONG_PROGRAM
            assert refusal.value.answer.reason is wrong
            return
        self.computation.check_program(slot, content)
        if not compiles:
            self.computation.program_refused("malformed")
            self.model.fail()
            return
        self.computation.program_loaded()
        self.model.state = ComputationState.DATA_SOURCES_LOADING
        self.model.advance()

    @rule(who=PARTIES)
    def ask_for_the_result(self, who):
        identity, model = self.policy.identities[who], self.model
        if "ResultReader" not in ROLES[who]:
            self.refused(RefusalReason.WRONG_ROLE, self.computation.request_result, identity)
        elif model.state not in {
            ComputationState.READY_TO_EXECUTE,
            ComputationState.FINISHED_EXECUTING,
        }:
            self.refused(RefusalReason.WRONG_STATE, self.computation.request_result, identity)
        else:
            self.check_answer(self.computation.request_result(identity))

    def check_answer(self, found):
        model = self.model
        if model.state is ComputationState.FINISHED_EXECUTING:
            assert isinstance(found, RunResult)
            kept = None if found.output is None else found.output.read(0, 99)
            assert kept == model.result
        elif model.running:
            assert found is None
        else:
            assert isinstance(found, Job)
            model.running = True
            for packages, kind in (
                (found.inputs, ContentKind.DATA),
                (found.streams, ContentKind.STREAM),
            ):
                assert [each.slot.client_id for each in packages] == model.orders[kind]
            previous = None if found.previous is None else found.previous.read(0, 99)
            assert previous == model.previous

    @precondition(lambda self: self.model.running)
    @rule(output=OUTPUTS, code=st.sampled_from([0, -4]))
    def run_ends(self, output, code):
        content = None if output is None else content_of(output)
        self.computation.run_finished(RunResult(code, content, b""))
        self.model.running = False
        self.model.state = ComputationState.FINISHED_EXECUTING
        self.model.result = output

    @precondition(lambda self: self.model.running)
    @rule(
        reason=st.sampled_from([RefusalReason.TRAPPED, RefusalReason.LIMIT_REACHED]), succeeds=OFTEN
    )
    def run_fails(self, reason, succeeds):
        if succeeds:
            return
        assert self.computation.run_failed(reason, "code").answer.reason is reason
        self.model.fail()

    @precondition(lambda self: self.model.guest)
    @rule(stays=OFTEN)
    def guest_goes(self, stays):
        if not stays:
            self.computation.guest_lost("signal-9")
            self.model.lose_guest()

    @rule(who=PARTIES)
    def ask_for_another_round(self, who):
        identity, model = self.policy.identities[who], self.model
        if "ResultReader" not in ROLES[who]:
            self.refused(RefusalReason.WRONG_ROLE, self.computation.next_round, identity)
        elif model.state is not ComputationState.FINISHED_EXECUTING:
            self.refused(RefusalReason.WRONG_STATE, self.computation.next_round, identity)
        elif not model.guest:
            self.refused(RefusalReason.GUEST_LOST, self.computation.next_round, identity)
        else:
            self.computation.next_round(identity)
            model.round += 1
            model.previous, model.result = model.result or b"", None
            model.votes.clear()
            model.taken[ContentKind.STREAM] = {}
            model.state = ComputationState.STREAM_SOURCES_LOADING
            model.advance()

    @rule(who=PARTIES)
    def ask_why_it_failed(self, who):
        identity = self.policy.identities[who]
        if "PiProvider" not in ROLES[who]:
            self.refused(RefusalReason.WRONG_ROLE, self.computation.failure_report, identity)
        elif self.model.state is not ComputationState.ERROR:
            self.refused(RefusalReason.WRONG_STATE, self.computation.failure_report, identity)
        else:
            assert self.computation.failure_report(identity).failure == self.computation.failure

    @rule(who=PARTIES)
    def ask_for_the_end(self, who):
        identity, model = self.policy.identities[who], self.model
        if "ResultReader" not in ROLES[who]:
            self.refused(RefusalReason.WRONG_ROLE, self.computation.shutdown, identity)
        else:
            model.votes.add(who)
            assert self.computation.shutdown(identity) == (model.votes == {3, 4})

    def teardown(self):
        if hasattr(self, "computation"):
            self.check()
            self.computation.close()

    def check(self):
        computation, model = self.computation, self.model
        assert computation.state is model.state
        assert computation.round == model.round
        assert computation.running == model.running
        loaded = model.state not in {ComputationState.INITIAL, ComputationState.ERROR}
        if loaded:
            assert computation.program_digest.value == hashlib.sha256(PROGRAM).digest()
        coming = [each[3] for each in model.coming if each[0] is not ContentKind.PROGRAM]
        if model.state is not ComputationState.ERROR:
            each = (computation._data._reserved, computation._streams._reserved)
            assert sum(sum(reserved.values()) for reserved in each) == sum(coming)


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
