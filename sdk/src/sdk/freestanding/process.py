"""The parent's side of the guest's process: what nothing inside can interrupt ends with a kill.

The process is forked as in an isolate, and gives up what it does there: descriptors that are not
its own, more memory than the program's limit and a headroom, a life beyond its parent's.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from colima import FrameDecoder, frame, isolate
from execution_engine.errors import LimitCode, LimitError
from execution_engine.trace import HostCallEvent
from mexico_city.computation import Job
from mexico_city.content import Content, Sealing, anonymous_file
from mexico_city.guest import serve
from mexico_city.guest_link import run_request
from mexico_city.sandbox import entry, failures, limits
from platform_services.descriptors import send_descriptors
from sdk.errors import SdkError
from sdk.freestanding import messages
from sdk.freestanding.guest import FreestandingGuest, GuestOptions
from sdk.freestanding.report import RunEnding

_RECEIVE_BYTES: Final = 64 * 1024
_GRACE_S: Final = 5.0
"""What the process gets beyond the limit of a run, which it tells itself."""

CallListener = Callable[[HostCallEvent], None]


class GuestStoppedError(SdkError):
    """The program was refused or did not return; `stopped` says how."""

    def __init__(self, stopped: messages.Stopped) -> None:
        super().__init__(stopped.message)
        self.stopped = stopped


class GuestProcess:
    """The guest's process, killed when this is closed; one call at a time.

    Attributes:
        profile: where the last run spent its time, if it was to tell.
    """

    def __init__(self, options: GuestOptions, *, on_call: CallListener | None = None) -> None:
        self.profile: messages.Profiled | None = None
        self._options = options
        self._on_call = on_call
        self._compiling = False
        self._decoder = FrameDecoder(messages.MAX_FRAME_BYTES)
        self._channel, theirs = socket.socketpair()
        # Asked before the fork: afterwards the parent may be gone, and another be in its place.
        parent = os.getpid()
        self._process_id = os.fork()
        if self._process_id == 0:
            _be_guest(theirs, options, parent)
        # With our copy closed, the end of the process is the end of what can be read.
        theirs.close()

    def load(self, module: Content, *, seconds: float) -> messages.ModuleLoaded:
        """Check and compile the module, within `seconds`.

        Raises:
            GuestStoppedError: it is refused, or takes longer.
        """
        code = anonymous_file("code")  # stays empty: a folder keeps code here, see `GuestOptions`
        try:
            self._send(isolate.Load(module.size, 0), [module.descriptor, code])
        finally:
            os.close(code)
        self._compiling = True
        answer = self._answer(seconds)
        self._compiling = False
        assert isinstance(answer, messages.ModuleLoaded)
        return answer

    def run(self, job: Job, *, seconds: float) -> tuple[messages.Returned, Content | None]:
        """Run a round within `seconds`; how it returned, and what it wrote.

        Raises:
            GuestStoppedError: it did not return, or not in time.
        """
        self.profile = None
        message, descriptors = run_request(job)
        output = anonymous_file()
        try:
            self._send(message, [*descriptors, output])
            answer = self._answer(seconds)
        except BaseException:
            os.close(output)
            raise
        assert isinstance(answer, messages.Returned)
        return answer, self._sealed(output, answer.output_size)

    def close(self) -> None:
        """End the process, at once and whatever it does."""
        if self._process_id:
            # Forgotten first: once it was waited for, the number may be somebody else's.
            process_id, self._process_id = self._process_id, 0
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
            os.waitpid(process_id, 0)
        self._channel.close()

    def _sealed(self, output: int, size: int | None) -> Content | None:
        if size is None:
            os.close(output)
            return None
        sealing = Sealing(output, size=size, limit=self._options.limits.output_bytes)
        while (content := sealing.step()) is None:
            pass
        return content

    def _send(self, message: isolate.ToGuest, descriptors: Sequence[int]) -> None:
        try:
            self._channel.sendall(frame(isolate.TO_GUEST.encode(message)))
            send_descriptors(self._channel, descriptors)
        except OSError:
            self._lost()

    def _answer(self, seconds: float) -> messages.Message:
        """The next message that ends a request; what comes before it is passed on."""
        grace = 0.0 if self._compiling else _GRACE_S
        deadline = time.monotonic() + seconds + grace
        while True:
            message = self._next(deadline)
            if message is None:
                self.close()
                code = LimitCode.COMPILE_TIME if self._compiling else LimitCode.TIME
                raise _limit_reached(code, f"{seconds:g} s")
            if isinstance(message, HostCallEvent):
                if self._on_call is not None:
                    self._on_call(message)
            elif isinstance(message, messages.Profiled):
                self.profile = message
            elif isinstance(message, messages.Stopped):
                raise GuestStoppedError(message)
            else:
                return message

    def _next(self, deadline: float) -> messages.Message | None:
        """The next message, or None when time is up."""
        while (payload := self._decoder.next_frame()) is None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._channel], [], [], left)[0]:
                return None
            try:
                data = self._channel.recv(_RECEIVE_BYTES)
            except OSError:
                data = b""
            if not data:
                self._lost()
            self._decoder.feed(data)
        return messages.decode(payload)

    def _lost(self) -> NoReturn:
        process_id, self._process_id = self._process_id, 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
        _, status = os.waitpid(process_id, 0)
        code = os.waitstatus_to_exitcode(status)
        how = f"by signal {-code}" if code < 0 else f"with status {code}"
        if self._compiling and code == -signal.SIGABRT:  # how the compiler ends without memory
            most = self._options.allowance.compile_memory_bytes
            raise _limit_reached(LimitCode.COMPILE_MEMORY, f"{most} bytes")
        raise GuestStoppedError(
            messages.Stopped(
                RunEnding.LOST.name, "guest-lost", f"the program's process ended {how}"
            )
        )


def _limit_reached(code: LimitCode, limit: str) -> GuestStoppedError:
    text = str(LimitError(code, f"the limit is {limit}"))
    return GuestStoppedError(messages.Stopped(RunEnding.LIMIT_REACHED.name, code, text))


def _be_guest(channel: socket.socket, options: GuestOptions, parent: int) -> NoReturn:
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent sees to it
        entry.settle(keep={channel.fileno()}, parent=parent)
        # Just before the guest: the bound is what the process uses by now, and the allowance.
        limits.bound_memory(options.allowance)
        serve(channel, FreestandingGuest(channel, options), messages.encode)
        status = 0
    except BaseException as error:  # noqa: BLE001 - nothing may return into the parent's code
        sys.stderr.write("".join(traceback.format_exception(error)))
        sys.stderr.flush()
    failures.end(status)
