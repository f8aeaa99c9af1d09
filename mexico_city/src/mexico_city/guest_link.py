"""The front's side of the guest process: one request under way at most, each with a deadline.

A guest that does not answer in time, sends an unsolicited message or ends is killed and reported
lost, once: the program it runs may have taken it over, so nothing more of it is believed.
That is how the policy's time limits are kept: nothing inside the guest stops a run or a compile.
Time is given in by the caller, in seconds of a monotonic clock.
"""

import contextlib
import os
import signal
import socket
import time
from typing import Final

from colima import FrameDecoder, WireError, frame, isolate
from colima.runtime import RefusalReason
from execution_engine.errors import LimitCode, RefusalCode, TrapCode
from execution_engine.message import is_plain
from mexico_city.computation import Job
from mexico_city.content import Content, anonymous_file
from platform_services.descriptors import send_descriptors
from veracruz_utils.policy import Limits

_SEND_TIMEOUT_S: Final = 5.0
"""For a request and its descriptors, which a guest takes at once unless it stopped reading."""
_OUT_OF_MEMORY: Final = f"signal-{signal.SIGABRT.value}"
"""How the compiler ends a process that gets no more memory."""
_REFUSALS: Final = frozenset(RefusalCode)
_TRAPS: Final = frozenset(TrapCode)
_LIMITS: Final = frozenset(LimitCode)


class GuestLostError(Exception):
    """The guest process is gone: by a limit that its end enforces, or for another `reason`.

    `code` says which limit, or how it ended.
    """

    def __init__(self, code: str, *, reason: RefusalReason = RefusalReason.GUEST_LOST) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


class GuestLink:
    """The guest process, as the front sees it.

    Attributes:
        channel: to the guest; it stays open when the guest is lost, so that its descriptor names
            nothing else while somebody still watches it. The watcher closes it.
        alive: whether the process runs, as far as is known here.
        deadline: when the answer is due; None when none is.
    """

    def __init__(self, channel: socket.socket, process_id: int, limits: Limits) -> None:
        self.channel = channel
        self.alive = True
        self.deadline: float | None = None
        self._process_id = process_id
        self._limits = limits
        self._decoder = FrameDecoder(isolate.MAX_FRAME_BYTES)
        self._time_limit = LimitCode.TIME
        channel.settimeout(_SEND_TIMEOUT_S)

    def load(self, module: Content, *, code: tuple[int, int], now: float) -> None:
        """Have the guest check and compile `module`.

        Args:
            module: what to compile.
            code: descriptor and size of its compiled code; of an empty file for it and 0.
            now: in seconds of the monotonic clock.

        Raises:
            GuestLostError: it does not listen.
        """
        self.deadline = now + self._limits.compile_seconds
        self._time_limit = LimitCode.COMPILE_TIME
        descriptor, size = code
        self._send(isolate.Load(module.size, size), [module.descriptor, descriptor])

    def run(self, job: Job, *, now: float) -> int:
        """Have the guest run the program; the descriptor of the file that takes its output.

        Raises:
            GuestLostError: it does not listen, or there is no room for an output.
        """
        self.deadline = now + self._limits.run_seconds
        self._time_limit = LimitCode.TIME
        message, contents = run_request(job)
        output = self._output_file()
        try:
            self._send(message, [*contents, output])
        except GuestLostError:
            os.close(output)
            raise
        return output

    def receive(self) -> isolate.FromGuest | None:
        """The guest's answer, once all of it has arrived; call when the channel is readable.

        Raises:
            GuestLostError: the guest ended or misbehaved.
        """
        if not self.alive:
            return None  # it was reported lost before this was noticed
        try:
            data = self.channel.recv(isolate.MAX_FRAME_BYTES)
        except OSError:
            data = b""
        if not data:
            raise self._ended()
        try:
            answer = self._read(data)
        except WireError as error:
            self.kill()
            raise GuestLostError("protocol") from error
        if answer is not None:
            self.deadline = None
        return answer

    def check_deadline(self, now: float) -> None:
        """Kill the guest when its time is up.

        Raises:
            GuestLostError: it was.
        """
        if self.deadline is not None and now >= self.deadline:
            self.kill()
            raise GuestLostError(self._time_limit, reason=RefusalReason.LIMIT_REACHED)

    def kill(self) -> None:
        """End the guest process, at once and whatever it does."""
        if self.alive:
            self._reap()

    def _output_file(self) -> int:
        try:
            return anonymous_file()
        except OSError as error:
            self.kill()
            raise GuestLostError("no-room") from error

    def _send(self, message: isolate.ToGuest, descriptors: list[int]) -> None:
        began = time.monotonic()
        try:
            self.channel.sendall(frame(isolate.TO_GUEST.encode(message)))
            left = _SEND_TIMEOUT_S - (time.monotonic() - began)
            send_descriptors(self.channel, descriptors, timeout_s=left)
        except OSError as error:
            self.kill()
            raise GuestLostError("protocol") from error

    def _read(self, data: bytes) -> isolate.FromGuest | None:
        self._decoder.feed(data)
        payload = self._decoder.next_frame()
        if payload is None:
            return None
        # Out of turn, or with more behind it, which would pass for the answer to the next request.
        if self.deadline is None or len(self._decoder):
            raise WireError("unsolicited message from the guest")
        answer = isolate.FROM_GUEST.decode(payload)
        if not _is_of_the_engine(answer):
            raise WireError("the guest gave a code that the engine does not have")
        return answer

    def _ended(self) -> GuestLostError:
        """The guest closed its end: it is reaped, and this is why."""
        compiling = self.deadline is not None and self._time_limit is LimitCode.COMPILE_TIME
        code = self._reap()
        if compiling and code == _OUT_OF_MEMORY:
            return GuestLostError(LimitCode.COMPILE_MEMORY, reason=RefusalReason.LIMIT_REACHED)
        return GuestLostError(code)

    def _reap(self) -> str:
        """Kill the guest if it still runs, and wait for its end; how it ended."""
        self.alive = False
        self.deadline = None
        # Nobody but us reaps it, so the id cannot be another process's by now.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process_id, signal.SIGKILL)
        _, status = os.waitpid(self._process_id, 0)
        code = os.waitstatus_to_exitcode(status)
        return f"signal-{-code}" if code < 0 else f"exit-{code}"


def run_request(job: Job) -> tuple[isolate.Run, list[int]]:
    """What a guest is asked to run, and the descriptors that follow but for the output's."""
    inputs = [package.content for package in job.inputs]
    streams = [package.content for package in job.streams]
    previous = [] if job.previous is None else [job.previous]
    message = isolate.Run(
        inputs=tuple(content.size for content in inputs),
        streams=tuple(content.size for content in streams),
        has_previous=job.previous is not None,
        previous=sum(content.size for content in previous),
        seed=job.seed,
    )
    return message, [content.descriptor for content in (*inputs, *streams, *previous)]


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isprintable()


def _is_of_the_engine(answer: isolate.FromGuest) -> bool:
    """Whether a code is one of the closed set: principals are told it, so it must carry no more."""
    match answer:
        case isolate.LoadRefused(code):
            return code in _REFUSALS
        case isolate.Trapped(code, frames, message):
            plain = is_plain(message) and all(_is_plain(frame.name) for frame in frames)
            return code in _TRAPS and plain
        case isolate.Finished():
            return is_plain(answer.message)
        case isolate.LimitReached(code):
            return code in _LIMITS
        case _:
            return True
