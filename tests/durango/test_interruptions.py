"""Connections that break under a principal: what comes back by itself, and what does not."""

import time
from contextlib import contextmanager
from datetime import timedelta

import pytest

from colima import runtime
from colima.runtime import RefusalReason, ResponseStatus
from durango import DurangoError, PolicyExpiredError, Principal, RequestRefusedError, attest
from durango.content import PIECE_BYTES
from jalisco import SessionLostError, WrongIsolateError
from support.cutter import Cutter, cutter
from support.patience import PATIENCE_S
from support.principal_rig import PROGRAM, Isolate, now
from veracruz_utils.digest import Digest
from veracruz_utils.errors import UnreachableError

CONTENT = bytes(range(251)) * (16 * PIECE_BYTES // 251)
HALF = len(CONTENT) // 2


@pytest.fixture
def way(rig):
    with cutter(rig.sinaloa) as one:
        yield one


@pytest.fixture
def notices():
    return []


@pytest.fixture
def connect(rig, way: Cutter, notices):
    """A session over a way that can be cut."""

    @contextmanager
    def connecting(who: str, *, patience_s: float = PATIENCE_S):
        policy = rig.isolate.policy
        with Principal.connect(
            policy,
            getattr(rig, who),
            attest(policy),
            sinaloa=way.address,
            timeout_s=PATIENCE_S,
            patience_s=patience_s,
            notice=notices.append,
        ) as principal:
            yield principal

    return connecting


@pytest.fixture
def loaded(connect):
    with connect("alice") as alice:
        alice.send_program(PROGRAM)


def provide_everything(connect) -> None:
    for who in ("bob", "carol"):
        with connect(who) as provider:
            provider.send_data(0, CONTENT)


def asked(rig, kind: type) -> list:
    return [each for each in rig.isolate.seen if isinstance(each, kind)]


def test_a_request_is_asked_again_when_the_connection_was_cut(way, connect, notices):
    with connect("alice") as alice:
        before = alice.state()
        way.cut()
        assert alice.state() == before
    lost, found = notices
    assert lost.startswith(f"connection lost, trying again for {PATIENCE_S:g} s (sinaloa at 127.")
    assert found == "connected again"


def test_an_upload_goes_on_where_it_was_cut(rig, way, connect, notices, loaded):
    steps: list[int] = []
    way.plan = [(HALF, None), (HALF, None)]
    with connect("bob") as bob:
        opening = bob.send_data(0, CONTENT, on_progress=steps.append)
    assert way.cuts >= 1
    assert rig.isolate.inputs[1, 0] == CONTENT
    assert opening.digest == Digest.of(CONTENT)
    assert sum(steps) == len(CONTENT)
    assert any(each.startswith("connected again, going on at ") for each in notices)
    _, first, *again = asked(rig, runtime.Upload)
    assert again
    assert {*again} == {first}


def test_an_upload_whose_answer_was_lost_is_in(rig, way, connect, notices, loaded):
    accepted: list[runtime.Accepted] = []

    def lose(answer: runtime.Accepted) -> runtime.Accepted:
        accepted.append(answer)
        rig.isolate.answer_with = lambda request: (
            answer if isinstance(request, runtime.Upload) else None
        )
        way.cut()
        return answer

    rig.isolate.spoil_acceptance = lose
    with connect("bob") as bob:
        opening = bob.send_data(0, CONTENT)
    assert opening.commitment == accepted[0].commitment
    assert notices[-1] == "connected again, the isolate has this very data already"


def test_a_result_goes_on_where_it_was_cut(rig, way, connect, notices, loaded):
    provide_everything(connect)
    way.plan = [(None, len(CONTENT))]
    with connect("carol") as carol:
        output, outcome = carol.result()
    assert way.cuts == 1
    assert output == 2 * CONTENT
    assert outcome.output_digest == Digest.of(output)
    first, again = asked(rig, runtime.GetResult)
    assert first.offset == 0
    assert 0 < again.offset < len(output)
    percent = 100 * again.offset // len(output)
    assert notices[-1] == f"connected again, going on at {percent} %"


def test_of_another_result_no_part_is_taken_for_the_rest(rig, way, connect, loaded):
    provide_everything(connect)
    way.plan = [(None, len(CONTENT))]

    def run_again(request: runtime.Request) -> None:
        if isinstance(request, runtime.GetResult) and request.offset:
            rig.isolate.ended = None

    rig.isolate.answer_with = run_again
    with connect("carol") as carol, pytest.raises(DurangoError, match="another run took its place"):
        carol.result()


def test_another_isolate_is_not_spoken_to(rig, way, connect):
    with connect("alice") as alice:
        alice.state()
        rig.isolate = Isolate(rig.isolate.policy)
        way.cut()
        with pytest.raises(WrongIsolateError, match="attest again"):
            alice.state()
    assert rig.isolate.seen == []


def test_patience_ends_with_the_reason(way, connect, notices):
    with connect("alice", patience_s=1) as alice:
        way.leads = None
        way.cut()
        with pytest.raises(UnreachableError, match=f"sinaloa at {way.address}"):
            alice.state()
    assert len(notices) == 1


def test_nobody_waits_for_an_isolate_whose_policy_has_expired(rig, way, connect, notices):
    rig.launch(rig.policy(expires_at=now() + timedelta(seconds=2)))
    with connect("alice") as alice:
        while now() < rig.isolate.policy.expires_at:
            time.sleep(0.1)
        way.leads = None
        way.cut()
        with pytest.raises(PolicyExpiredError):
            alice.state()
    assert notices == []


def test_without_patience_a_break_is_told_at_once(way, connect, notices):
    with connect("alice", patience_s=0) as alice:
        way.cut()
        with pytest.raises(SessionLostError):
            alice.state()
        assert alice.state()  # there is another connection for who asks again
    assert notices == []


def test_a_bridge_that_was_never_there_is_told_at_once(way, connect, notices):
    way.leads = None
    with pytest.raises(UnreachableError), connect("alice"):
        pass
    assert notices == []


def test_a_refusal_is_never_asked_again(rig, connect):
    refused = runtime.Refused(ResponseStatus.INVALID_ROLE, RefusalReason.WRONG_ROLE)
    rig.isolate.answer_with = lambda request: refused
    with connect("alice") as alice, pytest.raises(RequestRefusedError):
        alice.state()
    assert len(rig.isolate.seen) == 1


def test_a_session_that_the_isolate_closed_for_its_silence_is_opened_again(rig, connect, notices):
    with connect("alice") as alice:
        rig.isolate.last_word = runtime.Refused(ResponseStatus.GENERIC, RefusalReason.STALLED)
        alice.state()
        rig.isolate.last_word = None
        assert alice.state()
    assert notices[-1] == "connected again"


def test_another_round_is_asked_for_once_and_what_became_of_it_is_to_be_seen(
    rig, way, connect, loaded
):
    provide_everything(connect)

    def cut(request: runtime.Request) -> None:
        if isinstance(request, runtime.NextRound):
            way.cut()

    with connect("carol") as carol:
        carol.result()
        rig.isolate.answer_with = cut
        with pytest.raises(SessionLostError, match="`durango status` tells what became of it"):
            carol.next_round()
        assert carol.state().round == 2
    assert len(asked(rig, runtime.NextRound)) == 1
