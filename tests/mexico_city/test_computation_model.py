"""A computation against a model of the rules, request by request.

The model is written from the description of the lifecycle; it shares no code with `Computation`.
"""

import hashlib
from collections import Counter
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule

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
ROUNDS, ATTEMPTS = 3, 3
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
        self.lost: list[tuple[ContentKind, int, int, int]] = []
        self.running = False
        self.keeper = True
        self.attempts = 0
        self.failed: RefusalReason | int | None = None
        self.changed = False
        self.previous: bytes | None = None
        self.result: bytes | None = None
        self.votes: set[int] = set()

    def refuses_another_run(self) -> RefusalReason | None:
        """Why a reader may not have the program run again, whose last run failed."""
        if self.failed is None or self.running:
            return None
        if any((who, number) in self.taken.get(kind, {}) for kind, who, number, _ in self.coming):
            return RefusalReason.BUSY
        repairable = any(self.orders[kind] and self.changeable(kind) for kind in self.orders)
        last = self.attempts == ATTEMPTS - 1
        return RefusalReason.ATTEMPTS_USED if repairable and last and not self.changed else None

    def refuses_upload(
        self, who: int, kind: ContentKind, number: int, size: int, *, replace: bool = False
    ) -> RefusalReason | None:
        state, roles = WANTED[kind]
        if not roles & ROLES[who]:
            return RefusalReason.WRONG_ROLE
        if kind is ContentKind.PROGRAM:
            wrong = self.state is not state
            return RefusalReason.WRONG_STATE if wrong else self.refuses_program(size)
        there = (who, number) in self.taken[kind]
        if self.state is not state and not (there and self.changeable(kind)):
            return RefusalReason.WRONG_STATE
        if there and replace and not self.changeable(kind):
            return RefusalReason.WRONG_STATE
        return self.refuses_input(who, kind, number, size, replace=there and replace)

    def changeable(self, kind: ContentKind) -> bool:
        loading = self.state in {
            ComputationState.DATA_SOURCES_LOADING,
            ComputationState.STREAM_SOURCES_LOADING,
            ComputationState.READY_TO_EXECUTE,
        }
        return loading and not self.running and (kind is ContentKind.STREAM or self.round == 1)

    def refuses_withdrawal(self, who: int, kind: ContentKind, number: int) -> RefusalReason | None:
        if kind is ContentKind.PROGRAM:
            return RefusalReason.NOT_EXPECTED
        if not WANTED[kind][1] & ROLES[who]:
            return RefusalReason.WRONG_ROLE
        if not self.changeable(kind):
            return RefusalReason.WRONG_STATE
        return None if (who, number) in self.taken[kind] else RefusalReason.NOT_EXPECTED

    def withdraw(self, who: int, kind: ContentKind, number: int) -> None:
        del self.taken[kind][who, number]
        self.changed = True
        if kind is ContentKind.DATA:
            self.state = ComputationState.DATA_SOURCES_LOADING
        elif self.state is ComputationState.READY_TO_EXECUTE:
            self.state = ComputationState.STREAM_SOURCES_LOADING

    def refuses_program(self, size: int) -> RefusalReason | None:
        if size > LIMITS["program_bytes"]:
            return RefusalReason.TOO_LARGE
        coming = any(each[0] is ContentKind.PROGRAM for each in self.coming)
        return RefusalReason.BUSY if coming else None

    def refuses_input(
        self, who: int, kind: ContentKind, number: int, size: int, *, replace: bool
    ) -> RefusalReason | None:
        others = self.sizes()
        others.pop((kind, who, number), None)
        total = sum(others.values()) + size
        if size > LIMITS["input_bytes"] or total > LIMITS["total_input_bytes"]:
            return RefusalReason.TOO_LARGE
        theirs = {key for key in self.taken[kind] if key[0] == who}
        coming = {(owner, n) for of, owner, n, _ in self.coming if of is kind and owner == who}
        if replace and (who, number) not in coming:
            theirs.remove((who, number))
        theirs |= coming
        if (who, number) in theirs:
            return RefusalReason.DUPLICATE_PACKAGE
        return RefusalReason.NOT_EXPECTED if len(theirs) >= self.orders[kind].count(who) else None

    def sizes(self) -> dict[tuple[ContentKind, int, int], int]:
        """What each place may have in it in the end."""
        found = {
            (kind, *key): size for kind in self.taken for key, size in self.taken[kind].items()
        }
        for kind, who, number, size in self.coming:
            if kind is not ContentKind.PROGRAM:
                found[kind, who, number] = max(size, found.get((kind, who, number), 0))
        return found

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

    def fail_run(self, how: "RefusalReason | int") -> None:
        self.running = False
        self.failed = how
        self.changed = False
        if self.attempts == ATTEMPTS:
            self.fail()

    def fail(self) -> None:
        self.state = ComputationState.ERROR
        self.running = False
        self.taken = {ContentKind.DATA: {}, ContentKind.STREAM: {}}

    def lose_keeper(self) -> None:
        self.keeper = False
        self.running = False
        if self.state not in {ComputationState.FINISHED_EXECUTING, ComputationState.ERROR}:
            self.failed = RefusalReason.GUEST_LOST
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
            rounds=ROUNDS,
            attempts=ATTEMPTS,
        )
        self.computation = Computation(self.policy, CountingRandom())
        self.model = Model(data, streams)
        if loaded:
            self.complete(self.begin_upload(0, ContentKind.PROGRAM, 0, 60), right=True)

    def snapshot(self):
        computation = self.computation
        kept = computation._previous
        return (
            computation.stage.state,
            computation.stage.round,
            computation.stage.running,
            computation.stage.attempts.begun,
            computation.stage.attempts.failure,
            computation.stage.attempts.stale,
            computation.outcome,
            computation.provision.program_digest,
            computation._keeper_lost,
            kept and (kept.descriptor, kept.size),
            computation.provision._program,
            dict(computation.provision.data._packages),
            dict(computation.provision.data._reserved),
            dict(computation.provision.streams._packages),
            dict(computation.provision.streams._reserved),
            computation.shutdown_votes.awaited,
            computation.round_votes.awaited,
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
        replace=st.booleans(),
    )
    def begin_upload(self, who, kind, number, size, replace=False):  # noqa: FBT002 - a rule
        identity = self.policy.identities[who]
        reason = self.model.refuses_upload(who, kind, number, size, replace=replace)
        upload = Upload(kind, number, size, replace=replace)
        if reason is not None:
            self.refused(reason, self.computation.provision.reserve, identity, upload)
            return None
        slot = self.computation.provision.reserve(identity, upload)
        entry = (kind, who, number, size)
        self.model.coming.append(entry)
        return slot, entry

    def take(self, upload):
        """The slot of an upload that is still under way."""
        if upload is None or not any(each is upload[1] for each in self.model.coming):
            return None
        self.model.coming = [each for each in self.model.coming if each is not upload[1]]
        return upload

    def is_lost(self, upload) -> bool:
        """Whether its round is over, which it has to be told at its end."""
        return upload is not None and any(each is upload[1] for each in self.model.lost)

    @rule(upload=uploads)
    def abandon(self, upload):
        if taken := self.take(upload):
            self.computation.provision.release(taken[0])
        elif self.is_lost(upload):
            before = self.snapshot()
            self.computation.provision.release(upload[0])
            assert self.snapshot() == before

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
        if self.is_lost(upload):
            content = content_of(bytes(upload[1][3]))
            self.refused(
                RefusalReason.WRONG_STATE, self.computation.provision.provide, upload[0], content
            )
            return
        if not (taken := self.take(upload)):
            return
        slot, (kind, who, number, size) = taken
        if kind is ContentKind.PROGRAM:
            self.finish_program(slot, right=right, compiles=compiles)
            return
        content = content_of(bytes(size))
        model = self.model
        in_time = {WANTED[kind][0]}
        if kind is ContentKind.STREAM:
            in_time.add(ComputationState.DATA_SOURCES_LOADING)
        wanted = model.changeable(kind) if slot.replaces else model.state in in_time
        if not wanted:
            with pytest.raises(DeniedError):
                self.computation.provision.provide(slot, content)
            return
        package = self.computation.provision.provide(slot, content)
        assert (package.slot.client_id, package.slot.package_id) == (who, number)
        model.taken[kind][who, number] = size
        model.changed = True
        model.advance()

    @rule(who=PARTIES, kind=st.sampled_from(ContentKind), number=st.integers(0, 3))
    def withdraw(self, who, kind, number):
        identity, request = self.policy.identities[who], Withdraw(kind, number)
        reason = self.model.refuses_withdrawal(who, kind, number)
        if reason is not None:
            self.refused(reason, self.computation.provision.withdraw, identity, request)
        else:
            self.computation.provision.withdraw(identity, request)
            self.model.withdraw(who, kind, number)

    def finish_program(self, slot, *, right, compiles):
        content = content_of(PROGRAM if right else b"another")
        if not right or self.model.state is not ComputationState.INITIAL:
            with pytest.raises(DeniedError) as refusal:
                self.computation.provision.check_program(slot, content)
            wrong = RefusalReason.WRONG_STATE if right else RefusalReason.WRONG_PROGRAM
            assert refusal.value.answer.reason is wrong
            return
        self.computation.provision.check_program(slot, content)
        if not compiles:
            self.computation.program_refused("malformed")
            self.model.failed = RefusalReason.PROGRAM_REFUSED
            self.model.fail()
            return
        self.computation.provision.program_loaded()
        self.model.state = ComputationState.DATA_SOURCES_LOADING
        self.model.advance()

    @rule(who=PARTIES, retry=st.booleans())
    def ask_for_the_result(self, who, retry=False):  # noqa: FBT002 - a rule
        identity, model = self.policy.identities[who], self.model
        if "ResultReader" not in ROLES[who]:
            self.refused(RefusalReason.WRONG_ROLE, self.computation.request_result, identity)
        elif model.state is ComputationState.ERROR and isinstance(model.failed, int):
            assert self.computation.request_result(identity).return_code == model.failed
        elif model.state not in {
            ComputationState.READY_TO_EXECUTE,
            ComputationState.FINISHED_EXECUTING,
        }:
            self.refused(RefusalReason.WRONG_STATE, self.computation.request_result, identity)
        elif isinstance(model.failed, RefusalReason) and not (retry or model.changed):
            self.refused(model.failed, self.computation.request_result, identity)
        elif reason := retry and model.refuses_another_run():
            self.refused(reason, partial(self.computation.request_result, retry=True), identity)
        else:
            self.check_answer(self.computation.request_result(identity, retry=retry), retry)

    def check_answer(self, found, retry):
        model = self.model
        if model.state is ComputationState.FINISHED_EXECUTING:
            assert isinstance(found, RunResult)
            kept = None if found.output is None else found.output.read(0, 99)
            assert kept == model.result
        elif model.running:
            assert found is None
        elif model.failed is not None and not (retry or model.changed):
            assert found.return_code == model.failed
        else:
            assert isinstance(found, Job)
            model.running = True
            model.attempts += 1
            model.failed = None
            model.changed = False
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
        if code:
            self.model.fail_run(code)
            return
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
        self.model.fail_run(reason)

    @precondition(lambda self: self.model.keeper)
    @rule(stays=OFTEN)
    def keeper_goes(self, stays):
        if not stays:
            self.computation.keeper_lost("keeper")
            self.model.lose_keeper()

    @rule(who=PARTIES)
    def ask_for_another_round(self, who):
        identity, model = self.policy.identities[who], self.model
        if "ResultReader" not in ROLES[who]:
            self.refused(RefusalReason.WRONG_ROLE, self.computation.next_round, identity)
        elif model.state is not ComputationState.FINISHED_EXECUTING:
            self.refused(RefusalReason.WRONG_STATE, self.computation.next_round, identity)
        elif model.round == ROUNDS:
            self.refused(RefusalReason.ROUNDS_USED, self.computation.next_round, identity)
        elif not model.keeper:
            self.refused(RefusalReason.GUEST_LOST, self.computation.next_round, identity)
        else:
            assert self.computation.next_round(identity)
            model.round += 1
            model.attempts = 0
            model.failed = None
            model.previous, model.result = model.result or b"", None
            model.votes.clear()
            model.taken[ContentKind.STREAM] = {}
            model.lost += [each for each in model.coming if each[0] is ContentKind.STREAM]
            model.coming = [each for each in model.coming if each[0] is not ContentKind.STREAM]
            model.state = ComputationState.STREAM_SOURCES_LOADING
            model.advance()

    @rule(who=PARTIES)
    def ask_why_it_failed(self, who):
        identity = self.policy.identities[who]
        if "PiProvider" not in ROLES[who]:
            self.refused(RefusalReason.WRONG_ROLE, self.computation.failure_report, identity)
        elif self.model.failed is None:
            self.refused(RefusalReason.WRONG_STATE, self.computation.failure_report, identity)
        else:
            assert self.computation.failure_report(identity).failure

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
        assert computation.stage.state is model.state
        assert computation.stage.round == model.round
        assert computation.stage.running == model.running
        assert computation.stage.attempts.begun == model.attempts
        assert (computation.stage.failure is Failure.NONE) == (model.failed is None)
        places = [each for each in computation.provision.places if each.filling is Filling.FILLED]
        if model.state is not ComputationState.ERROR:
            for kind, taken in model.taken.items():
                filled = {(each.client_id, each.package_id) for each in places if each.kind is kind}
                assert filled == set(taken)
        loaded = model.state not in {ComputationState.INITIAL, ComputationState.ERROR}
        if loaded:
            assert computation.provision.program_digest.value == hashlib.sha256(PROGRAM).digest()
        coming = [each[3] for each in model.coming if each[0] is not ContentKind.PROGRAM]
        if model.state is not ComputationState.ERROR:
            each = (computation.provision.data._reserved, computation.provision.streams._reserved)
            assert sum(slot.size for reserved in each for slot in reserved.values()) == sum(coming)


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
