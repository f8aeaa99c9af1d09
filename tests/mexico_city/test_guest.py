"""The guest's side of its channel, in this process: what it does for each request."""

import os
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import wasmtime

from colima import isolate
from mexico_city.computation import Job
from mexico_city.content import anonymous_file, content_of
from mexico_city.guest import IsolateGuest, serve
from mexico_city.guest_link import GuestLink
from support.guests import CountingRandom
from support.isolate_rig import new_party
from support.patience import PATIENCE_S
from support.played_keeper import PlayedKeeper
from support.runtime_guests import HELLO, TRAPPING
from veracruz_utils.policy import Policy, Role, Strategy

PI, READER = Role.PI_PROVIDER, Role.RESULT_READER


class Link:
    """A front that waits for each answer, and a guest in a thread."""

    def __init__(self, policy: Policy) -> None:
        front, inside = socket.socketpair()
        self.keeper = PlayedKeeper()
        self.front = front
        self.link = GuestLink(self.keeper.link, front, policy.limits)
        guest = IsolateGuest(policy, CountingRandom(), compiled=lambda: None)
        self.thread = threading.Thread(
            target=serve, args=(inside, guest, isolate.FROM_GUEST.encode)
        )
        self.thread.start()
        self.inside = inside
        self.code = (anonymous_file(), 0)

    def load(self, module: bytes) -> isolate.FromGuest:
        self.link.load(content_of(module), code=self.code, now=0)
        return self._answer()

    def run(self) -> tuple[isolate.FromGuest, bytes]:
        output = self.link.run(Job([], [], None), now=0)
        answer = self._answer()
        content = os.pread(output, 99, 0)
        os.close(output)
        return answer, content

    def _answer(self) -> isolate.FromGuest:
        while (answer := self.link.receive()) is None:
            pass
        return answer

    def close(self) -> None:
        self.front.close()
        self.thread.join(PATIENCE_S)
        self.inside.close()
        self.keeper.close()


@contextmanager
def guest(isolates, program, **terms):
    party = new_party("party")
    raw = isolates.policy([(party, [PI, READER])], program=program, **terms)
    link = Link(Policy.parse(raw, at=datetime.now(UTC)))
    try:
        yield link
    finally:
        link.close()


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_program_is_compiled_once_for_all_rounds(isolates, monkeypatch, strategy):
    compiles, make = [], wasmtime.Module.__init__

    def counted(module, engine, code):
        compiles.append(len(code))
        make(module, engine, code)

    monkeypatch.setattr(wasmtime.Module, "__init__", counted)
    with guest(isolates, HELLO, strategy=strategy) as link:
        assert isinstance(link.load(HELLO), isolate.Loaded)
        for _ in range(5):
            answer, content = link.run()
            assert isinstance(answer, isolate.Finished)
            assert content == b"hello"
    assert compiles == [len(HELLO)]


@pytest.mark.parametrize("debug", [True, False])
def test_frames_are_told_under_debug_alone(isolates, debug):
    with guest(isolates, TRAPPING, debug=debug) as link:
        link.load(TRAPPING)
        answer, _ = link.run()
        assert answer.code == "unreachable"
        assert [frame.name for frame in answer.frames] == (["main"] if debug else [])


def test_memory_that_runs_out_while_compiling_is_a_limit(isolates, monkeypatch):
    def exhausted(module, engine, code):
        raise MemoryError

    monkeypatch.setattr(wasmtime.Module, "__init__", exhausted)
    with guest(isolates, HELLO) as link:
        assert link.load(HELLO) == isolate.LimitReached("compile-memory")
