"""What strangers and members do to others by sheer load: real processes, addresses of loopback."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

import colima
from colima import sinaloa as wire
from colima.isolate import places_for, sessions_each
from durango import attest
from jalisco import SinaloaTransport
from support.patience import PATIENCE_S
from support.relay import relay
from support.runtime_guests import COLLECTOR, HELLO
from support.stack import DATA, PI, RESULT, Computation
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.channels import open_channel, unary
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError

ATTEST = f"/{wire.SERVICE}/Attest"
SESSION = f"/{wire.SERVICE}/Session"


def attestations(address: Address, most: int) -> int:
    """How many of `most` calls a stranger gets answered."""
    answered = 0
    request = colima.encode(wire.AttestRequest(bytes(32)))
    with open_channel(str(address)) as channel:
        for _ in range(most):
            try:
                unary(channel, ATTEST, request, timeout_s=PATIENCE_S, peer="sinaloa at loopback")
                answered += 1
            except CallError as error:
                assert error.status is CallStatus.RESOURCE_EXHAUSTED  # noqa: PT017 - some succeed
    return answered


def test_a_stranger_that_asks_for_600_attestations_stops_nobody_elses(stack):
    with (
        stack.computation([PI, RESULT], program=HELLO) as computation,
        relay("127.0.0.2", computation.address) as loud,
    ):
        assert 0 < attestations(loud, 600) < 600
        computation.send_program()
        assert computation.result(0) == b"hello"
        with pytest.raises(CallError, match="from one address"):
            computation.attest(via=loud)


def test_strangers_of_many_addresses_leave_attestations_for_who_was_let_in(stack):
    with stack.computation([PI, RESULT], program=HELLO) as computation, ExitStack() as ways:
        member = ways.enter_context(relay("127.0.1.1", computation.address))
        attestation = computation.attest(via=member)
        with computation.connect(0, attestation, via=member) as author:
            author.send_program(HELLO)
        strangers = [
            ways.enter_context(relay(f"127.0.0.{number}", computation.address))
            for number in range(2, 16)
        ]
        answered = [attestations(way, 200) for way in strangers]
        assert answered[-1] == 0
        newcomer = ways.enter_context(relay("127.0.2.1", computation.address))
        with pytest.raises(CallError, match="are given out"):
            computation.attest(via=newcomer)
        assert attest(computation.policy, sinaloa=member)


@contextmanager
def half_open(address: Address, count: int) -> Iterator[None]:
    """So many sessions that say a few bytes of a handshake and no more."""
    with ExitStack() as opened:
        for _ in range(count):
            transport = SinaloaTransport(str(address), close_timeout_s=0.1)
            opened.callback(transport.close)
            transport.send(b"\x16\x03\x01")
        yield


def test_230_half_open_sessions_keep_no_principal_from_its_work(stack):
    roles = [[PI], [DATA], [RESULT]]
    with (
        stack.computation(*roles, program=COLLECTOR, data=[1]) as computation,
        half_open(computation.address, 230),
    ):
        whole_work(computation)


def test_half_open_sessions_end_no_session_that_has_shaken_hands(stack):
    roles = [[PI], [DATA], [RESULT]]
    with (
        stack.computation(*roles, program=COLLECTOR, data=[1]) as computation,
        computation.connect(2) as reader,
    ):
        reader.state()
        with half_open(computation.address, 230):
            whole_work(computation)
            assert reader.result()[0]


def test_a_principal_that_takes_all_the_sessions_it_can_keeps_no_other_from_its_work(stack):
    roles = [[PI], [DATA], [RESULT], [RESULT]]
    with (
        stack.computation(*roles, program=COLLECTOR, data=[1]) as computation,
        ExitStack() as taken,
    ):
        attestation = computation.attest()
        for _ in range(sessions_each(len(roles))):
            greedy = taken.enter_context(computation.connect(3, attestation))
            assert greedy.state()
        for _ in range(2 * places_for(len(roles))):
            with pytest.raises(VeracruzError), computation.connect(3, attestation) as refused:
                refused.state()
        whole_work(computation)
        assert greedy.state()


def whole_work(computation: Computation) -> None:
    """All that three principals do, by the command line."""
    program, data = computation.file(computation.program, "program"), computation.file(b"data")
    computation.durango("program send", program, client=0).done()
    computation.durango("data send", data, client=1).done()
    out = computation.folder / "result"
    computation.durango("result get", "--output", out, client=2).done()
    assert out.read_bytes()
