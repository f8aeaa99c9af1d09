"""The guest process: it compiles and runs the program, and holds no key.

It is forked before any secret exists and talks to the front process alone, over one socket:
`Load` and `Run` in, one answer each out (`colima.isolate`). Inputs and output are anonymous files;
inputs are mapped read-only here and unmapped when the run ends. Time is kept by the front process,
which ends this one: the program runs without checks of it.

`serve` is all of that but the engine. The freestanding engine of the SDK is served by it as well,
with a guest that answers more than an isolate's may.
"""

import contextlib
import mmap
import os
import socket
import threading
from collections.abc import Callable
from typing import NoReturn, Protocol, TypeVar

from colima import frame, isolate, read_frame
from colima.runtime import MAX_MESSAGE_CHARS, MAX_NAME_CHARS, TrapFrame
from execution_engine.compiled_program import CompiledProgram, KnownCode
from execution_engine.errors import LimitCode, LimitError, ModuleRefusedError, TrapError
from execution_engine.run import Overdue, RunInputs
from execution_engine.strategy import EngineSettings
from mexico_city.limits import engine_limits
from platform_services import RandomSource
from platform_services.descriptors import receive_descriptors
from platform_services.seeded import SeededRandomSource
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy

_AnswerT_co = TypeVar("_AnswerT_co", covariant=True)


class Guest(Protocol[_AnswerT_co]):
    """The one program of this process, and its runs."""

    def load(self, module: memoryview, code: memoryview, code_file: int) -> _AnswerT_co:
        """Check `module`, and use its compiled `code`; without any, compile into `code_file`.

        Nothing refers to the views afterwards.
        """

    def run(self, inputs: RunInputs, output_file: int, seed: bytes) -> _AnswerT_co:
        """Run the program once; its output goes to a file.

        Its random numbers come from `seed`, unless that is empty.
        """


def serve(
    channel: socket.socket, guest: Guest[_AnswerT_co], encode: Callable[[_AnswerT_co], bytes]
) -> None:
    """Have `guest` answer what comes over `channel` until the other side closes it."""
    while (payload := read_frame(channel.recv, limit=isolate.MAX_FRAME_BYTES)) is not None:
        message = isolate.TO_GUEST.decode(payload)
        with contextlib.ExitStack() as files:
            answer = _answer(channel, guest, message, files)
        channel.sendall(frame(encode(answer)))


def _answer(
    channel: socket.socket,
    guest: Guest[_AnswerT_co],
    message: isolate.ToGuest,
    files: contextlib.ExitStack,
) -> _AnswerT_co:
    if isinstance(message, isolate.Load):
        sizes = [message.size]
    else:
        sizes = [*message.inputs, *message.streams, *[message.previous] * message.has_previous]
    descriptors = receive_descriptors(channel, len(sizes) + 1)
    for descriptor in descriptors:
        files.callback(os.close, descriptor)
    last = descriptors.pop()
    contents = [_view(*each, files) for each in zip(descriptors, sizes, strict=True)]
    if isinstance(message, isolate.Load):
        return guest.load(contents[0], _view(last, message.code_size, files), last)
    previous = contents.pop() if message.has_previous else None
    streams_from = len(message.inputs)
    inputs = RunInputs(contents[:streams_from], contents[streams_from:], previous, _let_go)
    return guest.run(inputs, last, message.seed)


def _view(descriptor: int, size: int, files: contextlib.ExitStack) -> memoryview:
    """A read-only view of a file for as long as `files` are open."""
    if size == 0:  # which cannot be mapped
        return memoryview(b"")
    mapping = files.enter_context(mmap.mmap(descriptor, size, prot=mmap.PROT_READ))
    return files.enter_context(memoryview(mapping))


def _let_go(content: memoryview, start: int, stop: int) -> None:
    """Give up the pages of a mapping that the program has a copy of; the file keeps them."""
    mapping = content.obj
    if isinstance(mapping, mmap.mmap):
        mapping.madvise(mmap.MADV_DONTNEED, start, stop - start)


def say_and_wait(channel: socket.socket, answer: bytes) -> NoReturn:
    """Give an answer over `channel`, and wait for the end of this process."""
    channel.sendall(frame(answer))
    while True:
        threading.Event().wait()


class IsolateGuest:
    """The guest of an isolate: its answers say no more than a principal may know.

    Args:
        policy: which strategy, which limits, and whether the program's author is told more.
        random: what the program's random bytes come from, in runs without a seed.
        compiled: called once the program is, before anything of it runs.
        last_word: under `debug` gives the answer for a run that takes too long, in place of `run`,
            and waits for the end of this process.
    """

    def __init__(
        self,
        policy: Policy,
        random: RandomSource,
        *,
        compiled: Callable[[], None],
        last_word: Callable[[isolate.FromGuest], NoReturn] | None = None,
    ) -> None:
        self._digest = policy.program_digest  # the front gives a guest no other program
        self._strategy = policy.strategy
        self._canonical_nans = policy.conduct.canonical_nans
        self._debug = policy.debug
        self._limits = engine_limits(policy.limits)
        self._random = random
        self._compiled = compiled
        self._last_word = last_word
        self._run_seconds = policy.limits.run_seconds
        self._program: CompiledProgram | None = None

    def load(self, module: memoryview, code: memoryview, code_file: int) -> isolate.FromGuest:
        """Check and compile `module`, see `Guest`."""
        made = _Made(None if code else code_file)
        try:
            self._program = CompiledProgram.load(
                module,
                strategy=self._strategy,
                limits=self._limits,
                canonical_nans=self._canonical_nans,
                cache=made,
                given=KnownCode(self._digest, code),
                threads=True,
            )
        except ModuleRefusedError as refused:
            return isolate.LoadRefused(refused.code)
        except LimitError as limit:
            return isolate.LimitReached(limit.code)
        except MemoryError:
            return isolate.LimitReached(LimitCode.COMPILE_MEMORY)
        # Not before: a module that makes the compiler greedy must not get a run's memory as well.
        self._compiled()
        return isolate.Loaded(made.written)

    def run(self, inputs: RunInputs, output_file: int, seed: bytes) -> isolate.FromGuest:
        """Run the program once, see `Guest`."""
        assert self._program is not None
        random = SeededRandomSource(seed) if seed else self._random
        try:
            outcome = self._program.run(
                inputs,
                random=random,
                output_sink=lambda data: write_all(output_file, data),
                overdue=self._overdue(),
            )
        except TrapError as trap:
            if not self._debug:
                return isolate.Trapped(trap.code)
            return isolate.Trapped(trap.code, _frames(trap), _message(trap.message))
        except LimitError as limit:
            return isolate.LimitReached(limit.code, self._told(limit.message))
        return isolate.Finished(
            return_code=outcome.return_code,
            wrote_output=outcome.output_size is not None,
            output_size=outcome.output_size or 0,
            run_ms=round(outcome.seconds * 1000),
            fuel=outcome.fuel or 0,
            message=self._told(outcome.message),
        )

    def _overdue(self) -> Overdue | None:
        """What the front kills a run for without a word, but under `debug` a little later."""
        last_word = self._last_word
        if not self._debug or last_word is None:
            return None

        def tell(said: str) -> NoReturn:
            last_word(isolate.LimitReached(LimitCode.TIME, self._told(said)))

        return Overdue(self._run_seconds, tell)

    def _told(self, message: str) -> str:
        return _message(message) if self._debug else ""


class _Made:
    """Takes the compiled code of one program, as an engine's `CompiledCode`, into a file.

    There is none to fill where code was given; it was of another processor than this. `written`
    says how many bytes of code were left in the file.
    """

    def __init__(self, file: int | None) -> None:
        self._file = file
        self.written = 0

    def find(self, program: Digest, settings: EngineSettings) -> bytes | None:
        del program, settings
        return None

    def keep(self, program: Digest, settings: EngineSettings, code: bytes | bytearray) -> None:
        del program, settings
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # without room for it the program runs all the same
            write_all(self._file, memoryview(code))
            self.written = len(code)


def write_all(file: int, data: memoryview) -> None:
    """Write all of `data`, however little the kernel takes at once."""
    while data:
        data = data[os.write(file, data) :]


def _frames(trap: TrapError) -> tuple[TrapFrame, ...]:
    return tuple(
        TrapFrame(frame.function, frame.offset or 0, (frame.name or "")[:MAX_NAME_CHARS])
        for frame in trap.frames
    )


def _message(text: str) -> str:
    return text[-MAX_MESSAGE_CHARS:]
