"""Sessions over bare TCP through all services: found, fallen back from, gone on with elsewhere."""

import asyncio
import random
import re
from pathlib import Path

import pytest

from durango import Principal, TransportKind, aio
from jalisco import NoBulkPortError
from support.cutter import Cutter, cutter
from support.patience import PATIENCE_S
from support.runtime_guests import COLLECTOR, ECHO, Collected
from support.stack import DATA, PI, RESULT, Computation
from veracruz_utils.address import Address

AUTHOR, PROVIDER, READER = range(3)
CONTENT = random.Random(0).randbytes(8 << 20)
HALF = len(CONTENT) // 2
AUTO, GRPC, TCP = TransportKind


@pytest.fixture
def computation(stack):
    roles = [PI], [DATA], [RESULT]
    with stack.computation(*roles, program=COLLECTOR, data=[PROVIDER]) as one:
        one.send_program(AUTHOR)
        yield one


def bulk_port(computation: Computation) -> Address:
    """Starts its bridge anew, with a port for bulk; where that is."""
    computation.kill_bridge()
    computation.start_bridge(str(computation.address), "--bulk-listen", "127.0.0.1:0")
    return Address.parse(computation.sinaloa.last_words.rpartition(", bulk on ")[2].strip())


def session(computation: Computation, client: int, attestation, **how: object) -> Principal:
    return Principal.connect(
        computation.policy,
        computation.party(client),
        attestation,
        sinaloa=computation.address,
        timeout_s=PATIENCE_S,
        **how,
    )


def test_both_ways_are_gone_on_with_on_the_other(computation):
    port, attestation = bulk_port(computation), computation.attest()
    said: list[str] = []

    def cut_once(way: Cutter, passes: tuple[int | None, int | None]) -> dict[str, object]:
        """How to come over a way that is cut at a byte, and then is none."""

        def notice(line: str) -> None:
            way.leads = None
            said.append(line)

        way.plan = [passes]
        return {"bulk": way.address, "notice": notice}

    with cutter(port) as up:
        how = cut_once(up, (HALF, None))
        with session(computation, PROVIDER, attestation, **how) as provider:
            assert provider.transport is TCP
            provider.send_data(0, CONTENT)
            assert provider.transport is GRPC
    with cutter(port) as down:
        how = cut_once(down, (None, HALF))
        with session(computation, READER, attestation, **how) as reader:
            result, _ = reader.result()
            assert reader.transport is GRPC
    assert Collected.parse(result, count=1).items == (CONTENT,)
    assert sum("connection lost" in line for line in said) == 2
    assert sum("going on at 4" in line for line in said) == 2, said


def test_a_bridge_is_found_with_its_port_and_without(computation):
    attestation = computation.attest()
    with session(computation, READER, attestation) as reader:
        assert reader.transport is GRPC
    with pytest.raises(NoBulkPortError, match="--bulk-listen"):
        session(computation, READER, attestation, transport=TCP)
    bulk_port(computation)
    with session(computation, READER, attestation) as reader:
        assert reader.transport is TCP
        assert reader.state().state
    with session(computation, READER, attestation, transport=GRPC) as reader:
        assert reader.transport is GRPC

    async def over_tcp() -> None:
        async with aio.AsyncPrincipal.connect(
            computation.policy,
            computation.party(PROVIDER),
            attestation,
            sinaloa=computation.address,
            transport=TCP,
        ) as provider:
            await provider.send_data(0, b"content")

    asyncio.run(over_tcp())
    computation.durango("status", "--transport", "tcp", client=READER).done()


def test_another_service_at_the_port_is_no_way(stack, computation):
    attestation = computation.attest()
    elsewhere = {"bulk": stack.tabasco_address}
    with session(computation, READER, attestation, **elsewhere) as reader:
        assert reader.transport is GRPC
    with pytest.raises(NoBulkPortError, match=r"another service|opened no session"):
        session(computation, READER, attestation, transport=TCP, **elsewhere)


def peak_of(process: int) -> int:
    """The most bytes that were ever resident, as the kernel counts them."""
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(peak) * 1024


def test_an_echo_of_64_mib_takes_no_more_than_its_input_its_output_and_the_programs_buffer(stack):
    # Input and output are files in memory, which no process counts but while it copies from them.
    roles, large = ([PI], [DATA], [RESULT]), CONTENT * 8
    with stack.computation(*roles, program=ECHO, data=[PROVIDER]) as computation:
        bulk_port(computation)
        computation.send_program(AUTHOR)
        processes = computation.front, computation.guest, computation.sinaloa.process_id
        before = [peak_of(each) for each in processes]
        computation.send_data(PROVIDER, large)
        assert computation.result(READER) == large
        grown = [peak_of(each) - was for each, was in zip(processes, before, strict=True)]
    half = len(large) // 2
    assert grown[0] < half
    assert grown[1] < len(large) + half
    assert grown[2] < half
