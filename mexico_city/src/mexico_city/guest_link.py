"""The front's side of the guest process: one request under way at most, each with a deadline.

A guest that does not answer in time, sends an unsolicited message or ends is killed and reported
lost, once: the program it runs may have taken it over, so nothing more of it is believed.
That is how the policy's time limits are kept: nothing inside the guest stops a run or a compile.
Time is given in by the caller, in seconds of a monotonic clock.
"""

import os
import signal
import socket
import time
from typing import Final, Protocol

from colima import FrameDecoder, WireError, frame, isolate
from colima.runtime import RefusalReason
from execution_engine.errors import LimitCode, RefusalCode, TrapCode
from execution_engine.message import is_plain
from mexico_city.computation import Job
from mexico_city.content import Content, anonymous_file
from mexico_city.keeper import WALLED_IN, Keeper, KeeperLostError
from platform_services.descriptors import send_descriptors
from veracruz_utils.policy import Limits

_SEND_TIMEOUT_S: Final = 5.0
"""For a request and its descriptors, which a guest takes at once unless it stopped reading."""
_LAST_WORD_S: Final = 2.0
"""What a guest gets under `debug` to say that a run took too long, and what the program said."""
_OUT_OF_MEMORY: Final = f"signal-{signal.SIGABRT.value}"
"""How the compiler ends a process that gets no more memory."""
_NO_KEEPER: Final = "keeper"
"""Nobody knows how the guest ended, and there is no other."""
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


class ChannelWatcher(Protocol):
    """Who says when there is something to `GuestLink.receive`."""

    def watch(self, channel: socket.socket) -> None:
        """Say so of this channel."""

    def forget(self, channel: socket.socket) -> None:
        """No more of this one, which is about to be closed."""


class GuestLink:
    """The guest process, as the front sees it: there is one, or none until `renew`.

    Args:
        keeper: which makes guests and ends them.
        channel: to the first guest, which is walled in.
        limits: of the policy.
        debug: a guest whose run takes too long is heard: it says so itself, or is killed soon.

    Attributes:
        alive: whether the process runs, as far as is known here.
        loaded: whether it has the program.
        deadline: when the answer is due; None when none is.
    """

    def __init__(
        self, keeper: Keeper, channel: socket.socket, limits: Limits, *, debug: bool = False
    ) -> None:
        self.alive = True
        self.loaded = False
        self.deadline: float | None = None
        self._keeper = keeper
        self._channel = channel
        self._limits = limits
        self._last_word_s = _LAST_WORD_S if debug else 0.0
        self._decoder = FrameDecoder(isolate.MAX_FRAME_BYTES)
        self._time_limit = LimitCode.TIME
        self._walled_in = True
        self._watcher: ChannelWatcher | None = None
        channel.settimeout(_SEND_TIMEOUT_S)

    @property
    def renewable(self) -> bool:
        """Whether there may be another guest after this one."""
        return self._keeper.alive

    def watched_by(self, watcher: ChannelWatcher) -> None:
        """Have the guest's channel watched from now on, and those of later guests."""
        self._watcher = watcher
        if self.alive:
            watcher.watch(self._channel)

    def renew(self) -> None:
        """Get a new guest in place of the one that is gone; it has no program yet.

        Raises:
            GuestLostError: there is none to be had.
        """
        assert not self.alive
        try:
            self._keeper.ask_for_guest()
            self._channel = self._keeper.guest_channel()
        except KeeperLostError as error:
            raise GuestLostError(_NO_KEEPER) from error
        self.alive = True
        self._walled_in = False
        self._decoder = FrameDecoder(isolate.MAX_FRAME_BYTES)
        self._channel.settimeout(_SEND_TIMEOUT_S)
        if self._watcher is not None:
            self._watcher.watch(self._channel)

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
        self.deadline = now + self._limits.run_seconds + self._last_word_s
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
            # Never waiting: what was to be read may have been of the guest before this one. `recv`
            # would wait for as long as sending may take; what has a timeout does not block here.
            data = os.read(self._channel.fileno(), isolate.MAX_FRAME_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            raise self._ended()
        try:
            answer = self._read(self._within_walls(data))
        except WireError as error:
            self.kill()
            raise GuestLostError("protocol") from error
        if answer is not None:
            self.deadline = None
            self.loaded |= isinstance(answer, isolate.Loaded)
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
            self._channel.sendall(frame(isolate.TO_GUEST.encode(message)))
            left = _SEND_TIMEOUT_S - (time.monotonic() - began)
            send_descriptors(self._channel, descriptors, timeout_s=left)
        except OSError as error:
            self.kill()
            raise GuestLostError("protocol") from error

    def _within_walls(self, data: bytes) -> bytes:
        """What a guest said after it was walled in, which a new one says first."""
        if self._walled_in:
            return data
        if data[:1] != WALLED_IN:
            raise WireError("the guest spoke before it was walled in")
        self._walled_in = True
        return data[1:]

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
        """Have the guest killed if it still runs; how it ended."""
        self.alive = False
        self.loaded = False
        self.deadline = None
        if self._watcher is not None:
            self._watcher.forget(self._channel)
        self._channel.close()
        try:
            code = self._keeper.end_guest()
        except KeeperLostError:
            return _NO_KEEPER
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
        case isolate.LimitReached(code, message):
            return code in _LIMITS and is_plain(message)
        case _:
            return True
