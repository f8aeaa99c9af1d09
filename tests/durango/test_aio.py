"""Sessions in an event loop, over real gRPC and TLS: side by side, cancelled, and left behind."""

import asyncio
import inspect
import os
import socket
import threading

import pytest

from colima import runtime
from colima.runtime import ComputationState
from durango import AsyncPrincipal, HaltedError, NotAuthorisedError, Principal, aio
from durango._worker import Worker
from durango.content import PIECE_BYTES
from jalisco import SessionError, SessionLostError
from support.cutter import cutter
from support.patience import PATIENCE_S
from support.principal_rig import PROGRAM
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.errors import UnreachableError

CONTENT = bytes(range(251)) * (16 * PIECE_BYTES // 251)


@pytest.fixture(autouse=True)
def threads():
    """No test leaves a thread of a session behind."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith(("principal of", "attest", "sinaloa at")):
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), thread


def connecting(rig, who: str, attestation, **how):
    policy = rig.isolate.policy
    how = {"timeout_s": PATIENCE_S} | how
    return AsyncPrincipal.connect(policy, getattr(rig, who), attestation, **how)


async def holding(event: threading.Event) -> None:
    """Wait for what happens in the bridge's threads."""
    assert await asyncio.to_thread(event.wait, PATIENCE_S)


def hold(rig, kind: type) -> tuple[threading.Event, threading.Event]:
    """Have the isolate wait before it answers requests of a kind: asked, and may answer."""
    asked, answer = threading.Event(), threading.Event()

    def wait(request: runtime.Request) -> None:
        if isinstance(request, kind):
            asked.set()
            answer.wait(PATIENCE_S)

    rig.isolate.answer_with = wait
    return asked, answer


def test_three_principals_compute_in_one_event_loop(rig):
    steps: list[int] = []

    async def compute():
        attestation = await aio.attest(rig.isolate.policy)
        async with (
            connecting(rig, "alice", attestation) as alice,
            connecting(rig, "bob", attestation) as bob,
            connecting(rig, "carol", attestation) as carol,
        ):
            assert await alice.send_program(PROGRAM) == Digest.of(PROGRAM)
            openings = await asyncio.gather(
                bob.send_data(0, CONTENT, on_progress=steps.append), carol.send_data(0, b"carol's")
            )
            ready = await carol.wait_for(ComputationState.READY_TO_EXECUTE, timeout_s=PATIENCE_S)
            assert ready.state is ComputationState.READY_TO_EXECUTE
            output, outcome = await carol.result()
            saved = bytearray()
            again = await carol.save_result(saved.extend)
            assert saved == output
            assert again.signed_receipt == outcome.signed_receipt
            assert {each.commitment for each in outcome.receipt.inputs} == {
                each.commitment for each in openings
            }
            assert [signed for _, signed in await bob.receipts()] == [(await carol.receipt())[1]]
            assert (await bob.status()).state is ComputationState.FINISHED_EXECUTING
            return output

    assert asyncio.run(compute()) == CONTENT + b"carol's"
    assert sum(steps) == len(CONTENT)


def test_every_method_of_a_principal_is_there_with_the_same_parameters():
    def shape(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(method).parameters)
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    blocking = shape(Principal)
    del blocking["close"]  # the end of `async with`
    assert shape(AsyncPrincipal) == blocking
    for name in blocking:
        assert inspect.iscoroutinefunction(getattr(AsyncPrincipal, name)), name
    connect, other = (
        set(inspect.signature(each.connect).parameters) for each in (Principal, AsyncPrincipal)
    )
    assert connect - other == {"halt"}


def test_an_error_of_the_session_is_raised_where_it_is_awaited(rig):
    async def send():
        attestation = await aio.attest(rig.isolate.policy)
        async with connecting(rig, "bob", attestation) as bob:
            with pytest.raises(NotAuthorisedError, match="may not send program"):
                await bob.send_program(PROGRAM)
            return await bob.state()  # the session goes on

    assert asyncio.run(send()).state is ComputationState.INITIAL


def test_an_upload_that_is_cancelled_ends_and_is_gone_on_with_by_another_session(rig):
    sent: list[int] = []

    async def send():
        attestation = await aio.attest(rig.isolate.policy)
        async with connecting(rig, "alice", attestation) as alice:
            await alice.send_program(PROGRAM)
        async with connecting(rig, "bob", attestation) as bob:
            under_way = asyncio.Event()

            def notice(size: int) -> None:
                sent.append(size)
                under_way.set()

            upload = asyncio.create_task(bob.send_data(0, CONTENT, on_progress=notice))
            await under_way.wait()
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload
            with pytest.raises(HaltedError, match="connect again"):
                await bob.state()
        async with connecting(rig, "bob", attestation) as bob:
            return await bob.send_data(0, CONTENT)

    opening = asyncio.run(send())
    assert opening.digest == Digest.of(CONTENT)
    assert rig.isolate.inputs[1, 0] == CONTENT
    assert 0 < sum(sent) < len(CONTENT)


def test_who_waits_for_an_answer_is_cancelled_at_once(rig):
    asked, answer = hold(rig, runtime.GetState)

    async def ask():
        attestation = await aio.attest(rig.isolate.policy)
        async with connecting(rig, "alice", attestation) as alice:
            task = asyncio.create_task(alice.state())
            await holding(asked)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not answer.is_set()  # the isolate is still silent
        answer.set()

    asyncio.run(ask())


def test_a_timeout_of_asyncio_ends_the_session(rig):
    _, answer = hold(rig, runtime.GetState)

    async def ask():
        attestation = await aio.attest(rig.isolate.policy)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), connecting(rig, "alice", attestation) as alice:
                await alice.state()
        answer.set()

    asyncio.run(ask())


def test_two_coroutines_of_one_session_take_turns_and_who_waits_may_be_cancelled(rig):
    asked, answer = hold(rig, runtime.GetPolicyDigest)

    async def ask():
        attestation = await aio.attest(rig.isolate.policy)
        async with connecting(rig, "alice", attestation) as alice:
            first = asyncio.create_task(alice.policy_digest())
            await holding(asked)
            second, third = (asyncio.create_task(alice.state()) for _ in range(2))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            answer.set()
            return await asyncio.gather(first, third)

    digest, state = asyncio.run(ask())
    assert digest == rig.isolate.policy.digest
    assert state.state is ComputationState.INITIAL


def test_who_waits_for_its_turn_behind_a_cancelled_call_is_told(rig):
    asked, answer = hold(rig, runtime.GetPolicyDigest)

    async def ask():
        attestation = await aio.attest(rig.isolate.policy)
        async with connecting(rig, "alice", attestation) as alice:
            first = asyncio.create_task(alice.policy_digest())
            await holding(asked)
            second = asyncio.create_task(alice.state())
            await asyncio.sleep(0)
            first.cancel()
            with pytest.raises(HaltedError):
                await second
        answer.set()

    asyncio.run(ask())


def test_the_end_of_the_block_ends_calls_that_are_under_way(rig):
    asked, answer = hold(rig, runtime.GetState)

    async def leave():
        attestation = await aio.attest(rig.isolate.policy)
        async with connecting(rig, "alice", attestation) as alice:
            task = asyncio.create_task(alice.state())
            await holding(asked)
        with pytest.raises(HaltedError):
            await task
        with pytest.raises(HaltedError):
            await alice.state()
        answer.set()

    asyncio.run(leave())


def test_after_its_block_a_session_is_closed(rig):
    async def leave():
        attestation = await aio.attest(rig.isolate.policy)
        async with connecting(rig, "alice", attestation) as alice:
            pass
        with pytest.raises(SessionError, match="is closed"):
            await alice.state()

    asyncio.run(leave())


def test_to_connect_and_to_attest_can_be_cancelled_while_nobody_answers(rig):
    async def reach(nobody: Address):
        attestation = await aio.attest(rig.isolate.policy)
        for act in (
            _enter(connecting(rig, "alice", attestation, sinaloa=nobody)),
            aio.attest(rig.isolate.policy, sinaloa=nobody, timeout_s=PATIENCE_S),
        ):
            task = asyncio.create_task(act)
            await asyncio.sleep(0.1)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(reach(Address("127.0.0.1", silent.getsockname()[1])))


async def _enter(session) -> None:
    async with session:
        pass


def test_patience_can_be_cancelled(rig):
    lost = threading.Event()

    async def ask():
        attestation = await aio.attest(rig.isolate.policy)
        with cutter(rig.sinaloa) as way:
            told: list[str] = []

            def notice(line: str) -> None:
                told.append(line)
                lost.set()

            how = {"sinaloa": way.address, "patience_s": 3600, "notice": notice}
            async with connecting(rig, "alice", attestation, **how) as alice:
                way.leads = None
                way.cut()
                task = asyncio.create_task(alice.state())
                await holding(lost)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert len(told) == 1

    asyncio.run(ask())


def test_a_bridge_that_is_not_there_is_unreachable(rig):
    async def reach():
        attestation = await aio.attest(rig.isolate.policy)
        async with connecting(rig, "alice", attestation, sinaloa=Address("127.0.0.1", 1)):
            pass

    with pytest.raises(UnreachableError):
        asyncio.run(reach())


def test_a_loop_that_ends_under_a_session_leaves_nothing_hanging(rig):
    asked, answer = hold(rig, runtime.GetState)

    async def leave():
        attestation = await aio.attest(rig.isolate.policy)

        async def forget():
            async with connecting(rig, "alice", attestation) as alice:
                await alice.state()

        forgotten = asyncio.create_task(forget())
        await holding(asked)
        return forgotten

    # `asyncio.run` cancels what is left when its coroutine is done.
    assert asyncio.run(leave()).cancelled()
    answer.set()


@pytest.mark.parametrize("fails", [False, True])
def test_a_call_whose_loop_is_closed_in_the_middle_is_forgotten(fails):
    began, go_on = threading.Event(), threading.Event()

    def act() -> None:
        began.set()
        assert go_on.wait(PATIENCE_S)
        if fails:
            raise ValueError

    worker = Worker("principal of nothing")
    loop = asyncio.new_event_loop()
    task = loop.create_task(worker.run(act))
    loop.run_until_complete(asyncio.sleep(0))
    assert began.wait(PATIENCE_S)
    task.get_coro().close()  # as the collector would
    task._log_destroy_pending = False
    loop.close()
    go_on.set()
    assert asyncio.run(worker.run(lambda: "goes on")) == "goes on"
    worker.end()


def test_a_pipe_that_gives_nothing_is_left_alone(rig, monkeypatch):
    monkeypatch.setattr("durango._worker._LONGEST_S", 0.1)
    read, write = os.pipe()

    async def send():
        attestation = await aio.attest(rig.isolate.policy)
        async with connecting(rig, "bob", attestation) as bob:
            with os.fdopen(read, "rb") as pipe:
                task = asyncio.create_task(bob.send_data(0, pipe))
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                os.close(write)

    asyncio.run(send())


def test_what_would_never_be_awaited_is_refused(rig):
    async def write(piece: bytes) -> None:
        pass

    async def fetch():
        attestation = await aio.attest(rig.isolate.policy)
        with pytest.raises(TypeError, match="coroutine function"):
            async with connecting(rig, "carol", attestation, notice=write):
                pass
        async with connecting(rig, "carol", attestation) as carol:
            with pytest.raises(TypeError, match="coroutine function"):
                await carol.save_result(write)
            with pytest.raises(TypeError, match="coroutine function"):
                await carol.send_data(0, b"", on_progress=write)

    asyncio.run(fetch())


@pytest.mark.parametrize("source", [5, None, ["a"]])
def test_what_is_neither_bytes_nor_a_file_is_a_type_error(rig, source):
    async def send():
        attestation = await aio.attest(rig.isolate.policy)
        async with connecting(rig, "bob", attestation) as bob:
            with pytest.raises(TypeError, match=f"not {type(source).__name__}"):
                await bob.send_data(0, source)

    asyncio.run(send())


def test_a_session_that_is_lost_is_not_said_to_be_halted(rig):
    async def ask():
        attestation = await aio.attest(rig.isolate.policy)
        with cutter(rig.sinaloa) as way:
            how = {"sinaloa": way.address, "patience_s": 0}
            async with connecting(rig, "alice", attestation, **how) as alice:
                way.cut()
                with pytest.raises(SessionLostError):
                    await alice.state()

    asyncio.run(ask())
