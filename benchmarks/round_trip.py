"""A small request to an isolate, against the same request over gRPC alone.

Ours goes from durango through the bridge into the isolate and back, inside TLS: "where does the
computation stand?". The reference asks the same bytes of another process over an open stream of
gRPC, the shape our sessions have, and gets the same bytes back; nothing else is done with them.
"""

import queue
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from computations import Deployment
from measuring import Figure, at_most, in_pairs, run

from colima import runtime
from veracruz_shells.call_handlers import Stream
from veracruz_shells.channels import open_channel
from veracruz_shells.service import GrpcService
from veracruz_utils.policy import Role

# isort: split
import grpc

_REQUESTS = 300
_ECHO = "--be-the-other-process"
_METHOD = "/veracruz.benchmark.Echo/Session"
_PROGRAM = b"\0asm\1\0\0\0"
_ANSWER = runtime.RESPONSE.encode(
    runtime.StateIs(runtime.ComputationState.INITIAL, 1, running=False)
)


def measure(rounds: int) -> list[Figure]:
    """Ask an isolate for its state, and another process over gRPC."""
    roles = [[Role.PI_PROVIDER, Role.RESULT_READER]]
    with (
        Deployment() as deployment,
        deployment.computation(roles, program=_PROGRAM) as computation,
        computation.connect(0) as principal,
        _grpc_alone() as ask,
    ):
        paired = in_pairs(lambda: _typical(principal.state), lambda: _typical(ask), rounds=rounds)
    return [
        Figure(
            "round trip of a small request", "over gRPC alone", paired.time_ratios, at_most(1.6)
        ),
        Figure("our round trip", "each", [t * 1e6 for t in paired.ours], unit="us"),
    ]


def _typical(ask: Callable[[], object]) -> float:
    """The median of many round trips, in seconds."""
    times = []
    for _ in range(_REQUESTS):
        begun = time.perf_counter()
        ask()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


@contextmanager
def _grpc_alone() -> Iterator[Callable[[], object]]:
    command = [sys.executable, __file__, _ECHO]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - this very file
        assert server.stdout is not None
        channel = open_channel(server.stdout.readline().strip())
        requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        call: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(_METHOD)
        answers = call(iter(requests.get, None))
        request = runtime.REQUEST.encode(runtime.GetState())

        def ask() -> runtime.Response:
            requests.put(request)
            return runtime.RESPONSE.decode(next(answers))

        yield ask
        requests.put(None)
        channel.close()
        server.send_signal(signal.SIGTERM)


def _echo() -> None:
    """Be the other process: answer every request with the same bytes."""

    async def session(stream: Stream) -> None:
        while (request := await stream.read()) is not None:
            runtime.REQUEST.decode(request)
            await stream.write(_ANSWER)

    with GrpcService("127.0.0.1:0", unary={}, streams={_METHOD: session}) as service:
        service.serve_until_signalled(lambda: print(service.address, flush=True))


if __name__ == "__main__":
    if sys.argv[1:] == [_ECHO]:
        _echo()
    else:
        run("round_trip", measure, rounds=15)
