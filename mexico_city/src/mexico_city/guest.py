"""The guest process: it compiles and runs the program, and holds no key.

It is forked before any secret exists and talks to the front process alone, over one socket:
`Load` and `Run` in, one answer each out (`colima.isolate`). Inputs and output are anonymous files;
inputs are mapped read-only here and unmapped when the run ends. Time is kept by the front process,
which ends this one: the program runs without checks of it.
"""

import contextlib
import mmap
import os
import socket
from collections.abc import Iterator, Sequence

from colima import framing, isolate
from colima.runtime import MAX_MESSAGE_CHARS, TrapFrame
from execution_engine.compiled_program import CompiledProgram
from execution_engine.errors import LimitCode, LimitError, ModuleRefusedError, TrapError
from execution_engine.run import RunInputs
from execution_engine.strategy import EngineSettings
from mexico_city import lockdown
from mexico_city.limits import engine_limits
from platform_services import RandomSource
from platform_services.descriptors import receive_descriptors
from veracruz_utils.digest import Digest
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
        self._limits = engine_limits(policy)
        self._random = random
        self._program: CompiledProgram | None = None

    def load(self, message: isolate.Load) -> isolate.FromGuest:
        descriptors = receive_descriptors(self._channel, 2)
        with _mapped(descriptors, [message.size, message.code_size]) as (module, given):
            code = _Code(given, descriptors[1])
            try:
                self._program = CompiledProgram.load(
                    bytes(module), strategy=self._strategy, limits=self._limits, cache=code
                )
            except ModuleRefusedError as refused:
                return isolate.LoadRefused(refused.code)
            except LimitError as limit:
                return isolate.LimitReached(limit.code)
            except MemoryError:
                return isolate.LimitReached(LimitCode.COMPILE_MEMORY)
        lockdown.allow_run_memory()
        return isolate.Loaded(code.written)

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
            if not self._debug:
                return isolate.Trapped(trap.code)
            return isolate.Trapped(trap.code, _frames(trap), _message(trap.message))
        except LimitError as limit:
            return isolate.LimitReached(limit.code)
        return isolate.Finished(
            return_code=outcome.return_code,
            wrote_output=outcome.output_size is not None,
            output_size=outcome.output_size or 0,
            run_ms=round(outcome.seconds * 1000),
            fuel=outcome.fuel or 0,
            message=_message(outcome.message) if self._debug else "",
        )


class _Code:
    """`CompiledCode` of one program: what the front process gave, or the file it wants filled.

    What was given is authentic and of this program, engine and settings: the front saw to it.
    `written` says how many bytes of code were left in the file.
    """

    def __init__(self, given: memoryview, descriptor: int) -> None:
        self._given = given
        self._descriptor = descriptor
        self.written = 0

    def find(self, program: Digest, settings: EngineSettings) -> bytes | None:
        del program, settings
        return bytes(self._given) or None

    def keep(self, program: Digest, settings: EngineSettings, code: bytes | bytearray) -> None:
        del program, settings
        if self._given:
            return  # of another processor than this: there is no file to fill
        with contextlib.suppress(OSError):  # without room for it the program runs all the same
            _write_all(self._descriptor, memoryview(code))
            self.written = len(code)


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


def _frames(trap: TrapError) -> tuple[TrapFrame, ...]:
    return tuple(
        TrapFrame(frame.function, frame.offset or 0, frame.name or "") for frame in trap.frames
    )


def _message(text: str) -> str:
    return text[-MAX_MESSAGE_CHARS:]


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
