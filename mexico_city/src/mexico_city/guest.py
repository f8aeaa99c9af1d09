"""The guest process: it compiles and runs the program, and holds no key.

It is forked before any secret exists and talks to the front process alone, over one socket:
`Load` and `Run` in, one answer each out (`colima.isolate`). Inputs and output are anonymous files;
inputs are mapped read-only here and unmapped when the run ends. Time is kept by the front process,
which ends this one: the program runs without checks of it.
"""

import contextlib
import dataclasses
import mmap
import os
import socket
from collections.abc import Iterator, Sequence

from colima import framing, isolate
from execution_engine import (
    EngineLimits,
    LimitCode,
    LimitError,
    ModuleRefusedError,
    Program,
    RunInputs,
    TrapError,
)
from mexico_city import lockdown
from mexico_city.descriptors import receive_descriptors
from platform_services import RandomSource
from veracruz_utils.policy import Policy


def serve_guest(channel: socket.socket, policy: Policy, random: RandomSource) -> None:
    """Answer the front process until it closes `channel`."""
    guest = _Guest(channel, policy, random)
    while True:
        payload = framing.read_frame(channel.recv, limit=isolate.MAX_FRAME_BYTES)
        if payload is None:
            return
        message = isolate.TO_GUEST.decode(payload)
        answer = guest.load(message) if isinstance(message, isolate.Load) else guest.run(message)
        channel.sendall(framing.frame(isolate.FROM_GUEST.encode(answer)))


class _Guest:
    """The one program of this process, and its runs."""

    def __init__(self, channel: socket.socket, policy: Policy, random: RandomSource) -> None:
        self._channel = channel
        self._strategy = policy.strategy
        self._debug = policy.debug
        self._limits = dataclasses.replace(
            EngineLimits.from_policy(policy.limits), run_seconds=None
        )
        self._random = random
        self._program: Program | None = None

    def load(self, message: isolate.Load) -> isolate.FromGuest:
        with _mapped(receive_descriptors(self._channel, 1), [message.size]) as (module,):
            try:
                self._program = Program.load(
                    bytes(module), strategy=self._strategy, limits=self._limits
                )
            except ModuleRefusedError as refused:
                return isolate.LoadRefused(refused.code)
            except LimitError as limit:
                return isolate.LimitReached(limit.code)
            except MemoryError:
                return isolate.LimitReached(LimitCode.COMPILE_MEMORY)
        lockdown.allow_run_memory()
        return isolate.Loaded()

    def run(self, message: isolate.Run) -> isolate.FromGuest:
        sizes = [*message.inputs, *message.streams, *[message.previous] * message.has_previous]
        *descriptors, output = receive_descriptors(self._channel, len(sizes) + 1)
        streams_from = len(message.inputs)
        previous_from = streams_from + len(message.streams)
        with _mapped(descriptors, sizes) as contents, open(output, "wb", buffering=0) as sink:  # noqa: PTH123
            inputs = RunInputs(
                inputs=contents[:streams_from],
                streams=contents[streams_from:previous_from],
                previous_result=contents[previous_from] if message.has_previous else None,
            )
            return self._run(inputs, sink.fileno())

    def _run(self, inputs: RunInputs, output: int) -> isolate.FromGuest:
        assert self._program is not None
        try:
            outcome = self._program.run(
                inputs, random=self._random, output_sink=lambda data: _write_all(output, data)
            )
        except TrapError as trap:
            return isolate.Trapped(trap.code, _frames(trap) if self._debug else ())
        except LimitError as limit:
            return isolate.LimitReached(limit.code)
        return isolate.Finished(
            return_code=outcome.return_code,
            wrote_output=outcome.output_size is not None,
            output_size=outcome.output_size or 0,
            run_ms=round(outcome.seconds * 1000),
            fuel=outcome.fuel or 0,
        )


@contextlib.contextmanager
def _mapped(descriptors: Sequence[int], sizes: Sequence[int]) -> Iterator[list[memoryview]]:
    """Read-only views of the files, and the descriptors closed."""
    with contextlib.ExitStack() as stack:
        views = []
        for descriptor, size in zip(descriptors, sizes, strict=True):
            stack.callback(os.close, descriptor)
            if size == 0:
                views.append(memoryview(b""))
                continue
            mapping = stack.enter_context(mmap.mmap(descriptor, size, prot=mmap.PROT_READ))
            views.append(stack.enter_context(memoryview(mapping)))
        yield views


def _frames(trap: TrapError) -> tuple[isolate.Frame, ...]:
    return tuple(
        isolate.Frame(frame.function, frame.offset or 0, frame.name or "") for frame in trap.frames
    )


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
