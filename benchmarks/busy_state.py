"""64 clients asking an isolate for its state while its guest runs, against an idle guest.

Every client asks again as soon as it has its answer. They hold sessions as the bridge gets them, so
that the isolate is measured and not a bridge that competes for the same cores; all of them live in
one thread here. In each round they ask while the guest computes, and for as long with the guest at
rest. A figure is the ratio of the 95th percentiles of how long the answers took.
"""

import asyncio
import select
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from statistics import quantiles
from typing import TypeAlias

from computations import Deployment
from measuring import Figure, at_most, run
from wasmtime import wat2wasm

from baja import EndpointConfig, HandshakeCompleted, PlaintextReceived
from baja.client import ClientEndpoint
from colima import FrameDecoder, frame, runtime
from durango import Identity
from sinaloa import IsolateLink
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy, Role

_CLIENTS = 64
_RUN_S = 1.0
_FIRST_TURNS = 100_000_000
_RECEIVE_BYTES = 64 * 1024
_ALL_ROLES = [[Role.PI_PROVIDER, Role.STREAM_PROVIDER, Role.RESULT_READER]] + 4 * [
    [Role.STREAM_PROVIDER]  # one principal alone has not so many sessions
]
SPIN = """(module
  (import "env" "__veracruz_hcall_read_stream" (func $read (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "main") (result i32) (local $left i64)
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 8)))
    (local.set $left (i64.load (i32.const 0)))
    (loop $again
      (br_if $again (i64.gt_s (local.tee $left (i64.sub (local.get $left) (i64.const 1)))
        (i64.const 0))))
    (i32.const 0)))"""


class _Client:
    """A session with the isolate, one request at a time."""

    def __init__(self, channel: socket.socket, endpoint: ClientEndpoint) -> None:
        self.channel = channel
        self._endpoint = endpoint
        self._frames = FrameDecoder()
        self._asked = 0.0
        channel.settimeout(60)
        endpoint.start()
        channel.sendall(endpoint.data_to_send())
        while not any(isinstance(each, HandshakeCompleted) for each in self._events()):
            pass
        channel.sendall(endpoint.data_to_send())

    def ask(self, request: runtime.Request) -> None:
        """Send a request."""
        self._asked = time.perf_counter()
        self._send(frame(runtime.REQUEST.encode(request)))

    def take(self) -> tuple[runtime.Response, float] | None:
        """The answer and how long it took, once the socket was readable and all of it is there."""
        self._feed()
        payload = self._frames.next_frame()
        if payload is None:
            return None
        return runtime.RESPONSE.decode(payload), time.perf_counter() - self._asked

    def answer_to(self, request: runtime.Request) -> runtime.Response:
        """Ask, and wait."""
        self.ask(request)
        return self.answer()

    def answer(self) -> runtime.Response:
        """Wait for what was asked."""
        while (found := self.take()) is None:
            pass
        return found[0]

    def provide(self, kind: runtime.ContentKind, content: bytes) -> None:
        """Upload, and wait."""
        assert self.answer_to(runtime.Upload(kind, 0, len(content))) == runtime.Proceed()
        self._send(content)
        assert isinstance(self.answer(), runtime.Done | runtime.Accepted)

    def _send(self, plaintext: bytes) -> None:
        self._endpoint.send(plaintext)
        self.channel.sendall(self._endpoint.data_to_send())

    def _feed(self) -> None:
        for event in self._events():
            if isinstance(event, PlaintextReceived):
                self._frames.feed(event.data)

    def _events(self) -> list[object]:
        return list(self._endpoint.receive_data(self.channel.recv(_RECEIVE_BYTES)))


_Connect: TypeAlias = Callable[[], AbstractContextManager[_Client]]


def measure(rounds: int) -> list[Figure]:
    """Ask for the state while a guest runs and while it rests."""
    busy: list[float] = []
    idle: list[float] = []
    with Deployment() as deployment, _isolate(deployment) as connect, ExitStack() as stack:
        runner, *clients = [stack.enter_context(connect()) for _ in range(_CLIENTS + 1)]
        turns = _calibrate(runner)
        for _ in range(rounds):
            begun = time.perf_counter()
            _begin_run(runner, turns)
            times = _ask_all(clients, until=lambda: _has_answered(runner))
            _end_run(runner)
            took = time.perf_counter() - begun
            busy.append(_percentile(times))
            idle.append(_percentile(_ask_all(clients, until=_in(took))))
    ratios = [one / other for one, other in zip(busy, idle, strict=True)]
    return [
        Figure("state of an isolate for 64 clients", "with an idle guest", ratios, at_most(2)),
        Figure("95 % of answers, busy", "within", [1e3 * t for t in busy], unit="ms"),
        Figure("95 % of answers, idle", "within", [1e3 * t for t in idle], unit="ms"),
    ]


def _ask_all(clients: list[_Client], *, until: Callable[[], bool]) -> list[float]:
    """Have all clients ask again and again; how long each answer took, in seconds."""
    times = []
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.channel, selectors.EVENT_READ, client)
            client.ask(runtime.GetState())
        pending, ending = len(clients), False
        while pending:
            ending = ending or until()
            for key, _ in selector.select():
                found = key.data.take()
                if found is None:
                    continue
                assert isinstance(found[0], runtime.StateIs)
                times.append(found[1])
                if ending:
                    pending -= 1
                else:
                    key.data.ask(runtime.GetState())
    return times


def _in(seconds: float) -> Callable[[], bool]:
    """Whether that time has passed from now on."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


def _percentile(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]


def _calibrate(runner: _Client) -> int:
    """How many turns a run of the wanted length has; leaves a finished round behind."""
    runner.provide(runtime.ContentKind.PROGRAM, bytes(wat2wasm(SPIN)))
    runner.provide(runtime.ContentKind.STREAM, struct.pack("<q", _FIRST_TURNS))
    begun = time.perf_counter()
    assert isinstance(runner.answer_to(runtime.GetResult()), runtime.ResultIs)
    return int(_FIRST_TURNS * _RUN_S / (time.perf_counter() - begun))


def _begin_run(runner: _Client, turns: int) -> None:
    assert runner.answer_to(runtime.NextRound()) == runtime.Done()
    runner.provide(runtime.ContentKind.STREAM, struct.pack("<q", turns))
    runner.ask(runtime.GetResult())


def _has_answered(runner: _Client) -> bool:
    """Whether the result is there to be read."""
    readable, _, _ = select.select([runner.channel], [], [], 0)
    return bool(readable)


def _end_run(runner: _Client) -> None:
    assert isinstance(runner.answer(), runtime.ResultIs)


@contextmanager
def _isolate(deployment: Deployment) -> Iterator[_Connect]:
    """An isolate, and a way to connect to it."""
    text, (party,) = deployment.policy(_ALL_ROLES, program=bytes(wat2wasm(SPIN)), streams=[0])
    policy = Policy.parse(text, at=datetime.now(UTC))
    with IsolateLink.launch(deployment.socket, text) as isolate:

        @contextmanager
        def connect() -> Iterator[_Client]:
            with asyncio.run(isolate.open_session()) as channel:
                channel.settimeout(None)
                yield _Client(channel, _endpoint(policy, party, isolate))

        yield connect


def _endpoint(policy: Policy, party: Identity, isolate: IsolateLink) -> ClientEndpoint:
    return ClientEndpoint(
        EndpointConfig(policy.ciphersuite, party.private_key, party.certificate),
        server_certificate_digest=Digest(isolate.launched.certificate_digest),
        server_name="runtime.veracruz",
    )


if __name__ == "__main__":
    run("busy_state", measure, rounds=10)
