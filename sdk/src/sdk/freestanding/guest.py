"""The guest's process: it compiles and runs the program, and tells more than an isolate's would."""

import mmap
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from colima import frame
from colima.framing import read_frame
from execution_engine.code_cache import CodeCache
from execution_engine.compiled_program import CompiledProgram
from execution_engine.errors import (
    EngineError,
    LimitCode,
    LimitError,
    ModuleRefusedError,
    TrapError,
)
from execution_engine.limits import EngineLimits
from execution_engine.run import RunInputs
from execution_engine.trace import traced
from execution_engine.wasm.examination import check_module
from mexico_city import lockdown
from platform_services import LinuxRandomSource
from platform_services.descriptors import receive_descriptors
from sdk.freestanding import messages
from sdk.freestanding.profiler import ProfiledProgram
from sdk.freestanding.report import RunEnding
from veracruz_utils.policy import Limits, Strategy


@dataclass(frozen=True, slots=True)
class GuestOptions:
    """How the guest's process works.

    Attributes:
        strategy: how the program runs.
        limits: what it may use of the engine; without `run_seconds` the parent ends it.
        allowance: what compiling and running may take of this process.
        trace: tell of every host call.
        profile: tell where each run spent its time; needs `run_seconds`.
        cache: a folder for compiled code.
    """

    strategy: Strategy
    limits: EngineLimits
    allowance: Limits
    trace: bool = False
    profile: bool = False
    cache: Path | None = None


def serve(channel: socket.socket, options: GuestOptions) -> None:
    """Answer the parent until it closes `channel`."""
    guest = _Guest(channel, options)
    while True:
        payload = read_frame(channel.recv, limit=messages.MAX_FRAME_BYTES)
        if payload is None:
            return
        message = messages.decode(payload)
        if isinstance(message, messages.Load):
            guest.say(guest.load(message))
        elif isinstance(message, messages.Run):
            guest.say(guest.run(message))


class _Guest:
    """The one program of this process, and its runs."""

    def __init__(self, channel: socket.socket, options: GuestOptions) -> None:
        self._channel = channel
        self._options = options
        self._program: CompiledProgram | None = None

    def say(self, message: messages.Message) -> None:
        """Tell the parent."""
        self._channel.sendall(frame(messages.encode(message)))

    def load(self, message: messages.Load) -> messages.Message:
        with _mapped(receive_descriptors(self._channel, 1), [message.size]) as (module,):
            code = bytes(module)
        try:
            loaded = self._load(code)
        except ModuleRefusedError as error:
            return messages.Stopped(RunEnding.REFUSED.name, error.code, str(error))
        except LimitError as error:
            return _limit_reached(error)
        except MemoryError:
            most = self._options.allowance.compile_memory_bytes
            return _limit_reached(
                LimitError(LimitCode.COMPILE_MEMORY, f"the limit is {most} bytes")
            )
        except EngineError as error:  # such as a cache that others could write
            return messages.Stopped(RunEnding.FAILED.name, "engine", str(error))
        lockdown.allow_run_memory()
        return loaded

    def _load(self, code: bytes) -> messages.Loaded:
        options = self._options
        cache = CodeCache.in_directory(options.cache) if options.cache else None
        kind = ProfiledProgram if options.profile else CompiledProgram
        started = time.perf_counter()
        check_module(code, limits=options.limits)
        checked = time.perf_counter()
        self._program = kind.load(
            code, strategy=options.strategy, limits=options.limits, cache=cache
        )
        compile_s = time.perf_counter() - checked
        return messages.Loaded(checked - started, compile_s, from_cache=not self._program.compiled)

    def run(self, message: messages.Run) -> messages.Message:
        previous = [] if message.previous is None else [message.previous]
        sizes = [*message.inputs, *message.streams, *previous]
        *descriptors, output = receive_descriptors(self._channel, len(sizes) + 1)
        streams_from = len(message.inputs)
        previous_from = streams_from + len(message.streams)
        with _mapped(descriptors, sizes) as contents, open(output, "wb", buffering=0) as sink:  # noqa: PTH123 - a descriptor
            inputs = RunInputs(
                inputs=contents[:streams_from],
                streams=contents[streams_from:previous_from],
                previous_result=contents[previous_from] if previous else None,
            )
            ending = self._run(inputs, sink.fileno())
        if isinstance(self._program, ProfiledProgram) and self._program.profile is not None:
            self.say(self._program.profile)
        return ending

    def _run(self, inputs: RunInputs, output: int) -> messages.Message:
        assert self._program is not None
        try:
            outcome = self._program.run(
                inputs,
                random=LinuxRandomSource(),
                output_sink=lambda data: _write_all(output, data),
                wrap_call=traced(self.say) if self._options.trace else None,
            )
        except TrapError as error:
            return messages.Stopped(
                RunEnding.TRAPPED.name, error.code, str(error), _frames(error), error.message
            )
        except LimitError as error:
            return _limit_reached(error)
        return messages.Returned(
            return_code=outcome.return_code,
            output_size=outcome.output_size,
            fuel=outcome.fuel,
            seconds=outcome.seconds,
            host_calls=outcome.host_calls,
            memory_peak=outcome.memory_peak,
            said=outcome.message,
        )


def _limit_reached(error: LimitError) -> messages.Stopped:
    return messages.Stopped(RunEnding.LIMIT_REACHED.name, error.code, str(error))


def _frames(error: TrapError) -> list[str]:
    lines = [error.debug] if error.debug else []
    for each in error.frames:
        name = "" if each.name is None else f" {each.name}"
        offset = "" if each.offset is None else f", byte {each.offset:#x} of the module"
        lines.append(f"in function {each.function}{name}{offset}")
    return lines


@contextmanager
def _mapped(descriptors: Sequence[int], sizes: Sequence[int]) -> Iterator[list[memoryview]]:
    """Read-only views of the files, and the descriptors closed."""
    with ExitStack() as stack:
        views = []
        for descriptor, size in zip(descriptors, sizes, strict=True):
            stack.callback(os.close, descriptor)
            if size == 0:  # which cannot be mapped
                views.append(memoryview(b""))
                continue
            mapping = stack.enter_context(mmap.mmap(descriptor, size, prot=mmap.PROT_READ))
            views.append(stack.enter_context(memoryview(mapping)))
        yield views


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
