"""Sessions of asyncio over real processes: side by side, and cancelled in the middle of things."""

import asyncio
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from colima.runtime import ComputationState
from durango import AsyncPrincipal, HaltedError, aio
from support.patience import PATIENCE_S
from support.processes import eventually
from support.runtime_guests import COLLECTOR, ENDLESS
from support.stack import DATA, PI, RESULT, Limits

LARGE = bytes(range(1, 252)) * ((100 << 20) // 251)  # no piece of it looks like its neighbour
AUTHOR, PROVIDER, READER = range(3)


def session(computation, client: int, attestation):
    return AsyncPrincipal.connect(
        computation.policy,
        computation.party(client),
        attestation,
        sinaloa=computation.address,
        timeout_s=PATIENCE_S,
    )


def threads_of_sessions() -> list[str]:
    return [
        each.name
        for each in threading.enumerate()
        if each.name.startswith(("principal of", "attest", "sinaloa at"))
    ]


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.fixture
def computation(stack):
    with stack.computation([PI], [DATA], [RESULT], program=COLLECTOR, data=[PROVIDER]) as one:
        yield one


@pytest.mark.timeout(300)
def test_a_large_upload_is_cancelled_at_once_and_gone_on_with(computation):
    async def compute():
        attestation = await aio.attest(computation.policy, sinaloa=computation.address)
        async with session(computation, AUTHOR, attestation) as author:
            await author.send_program(computation.program)
        sent: list[int] = []
        async with session(computation, PROVIDER, attestation) as provider:
            half = asyncio.Event()

            def on_progress(size: int) -> None:
                sent.append(size)
                if sum(sent) > len(LARGE) // 3:
                    half.set()

            upload = asyncio.create_task(provider.send_data(0, LARGE, on_progress=on_progress))
            await half.wait()
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload
            with pytest.raises(HaltedError):
                await provider.state()
        first = sum(sent)
        sent.clear()
        async with (
            session(computation, PROVIDER, attestation) as provider,
            session(computation, READER, attestation) as reader,
        ):
            await provider.send_data(0, LARGE, on_progress=sent.append)
            ready = await reader.wait_for(ComputationState.READY_TO_EXECUTE, timeout_s=PATIENCE_S)
            assert ready.state is ComputationState.READY_TO_EXECUTE
        return first

    first = asyncio.run(compute())
    assert len(LARGE) // 3 < first < len(LARGE)
    assert eventually(lambda: threads_of_sessions() == [])


@pytest.mark.timeout(300)
def test_a_run_that_does_not_end_is_not_waited_for(stack):
    limits = Limits(run_seconds=3600)
    with stack.computation([PI, RESULT], program=ENDLESS, limits=limits) as computation:

        async def compute():
            attestation = await aio.attest(computation.policy, sinaloa=computation.address)
            async with session(computation, 0, attestation) as author:
                await author.send_program(computation.program)
                result = asyncio.create_task(author.result())
                async with session(computation, 0, attestation) as other:
                    while not (await other.state()).running:
                        pass
                    result.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await result
                    return await other.state()

        assert asyncio.run(compute()).running


def test_sessions_leave_nothing_behind(computation):
    async def look(attestation):
        async with session(computation, READER, attestation) as reader:
            await reader.state()

    async def cancelled(attestation):
        task = asyncio.create_task(look(attestation))
        await asyncio.sleep(random.Random().random() / 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def many():
        attestation = await aio.attest(computation.policy, sinaloa=computation.address)
        await look(attestation)
        before = descriptors()
        for _ in range(5):
            await asyncio.gather(*(act(attestation) for act in (look, cancelled) * 3))
        return before

    before = asyncio.run(many())
    assert eventually(lambda: threads_of_sessions() == [])
    assert eventually(lambda: descriptors() <= before + 2)


@pytest.mark.timeout(120)
def test_an_interrupted_program_ends_with_its_session(computation, tmp_path):
    script = tmp_path / "waits.py"
    script.write_text(
        f"""
import asyncio
from durango import AsyncPrincipal, ComputationState, Identity, Address, aio, read_policy

async def main():
    policy = read_policy({str(computation.policy_file)!r})
    me = Identity.load("cert.pem", "key.pem")
    bridge = Address.parse({str(computation.address)!r})
    attestation = await aio.attest(policy, sinaloa=bridge)
    async with AsyncPrincipal.connect(policy, me, attestation, sinaloa=bridge) as session:
        print("waits", flush=True)
        await session.wait_for(ComputationState.FINISHED_EXECUTING, timeout_s=3600)

asyncio.run(main())
"""
    )
    (tmp_path / "cert.pem").write_bytes(computation.party(READER).certificate_pem())
    (tmp_path / "key.pem").write_bytes(computation.party(READER).key_pem())
    with subprocess.Popen(
        [sys.executable, script], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout.readline() == b"waits\n"
            time.sleep(0.3)
            process.send_signal(2)
            _, told = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert told.rstrip().endswith(b"KeyboardInterrupt"), told.decode()
