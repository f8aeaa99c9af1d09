"""The front's side of the guest process: one request under way at most, each with a deadline.

A guest that does not answer in time, answers out of turn or ends is killed and reported lost. Time
is given in by the caller, in seconds of a monotonic clock.
"""

import contextlib
import os
import signal
import socket
from typing import Final

from colima import FrameDecoder, WireError, frame, isolate
from mexico_city.computation import Job
from mexico_city.content import Content, anonymous_file
from mexico_city.descriptors import send_descriptors
from veracruz_utils.policy import Limits

_GRACE_S: Final = 5.0
"""What the guest process gets beyond a run's own limit to stop the program itself."""
_SEND_TIMEOUT_S: Final = 5.0


class GuestLostError(Exception):
    """The guest process is gone; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class GuestLink:
    """The guest process, as the front sees it."""

    def __init__(self, channel: socket.socket, process_id: int, limits: Limits) -> None:
        self.channel = channel
        self.deadline: float | None = None
        self._process_id = process_id
        self._limits = limits
        self._decoder = FrameDecoder(isolate.MAX_FRAME_BYTES)
        self._overdue_code = ""
        self._alive = True
        channel.settimeout(_SEND_TIMEOUT_S)

    def load(self, module: Content, *, now: float) -> None:
        """Have the guest check and compile `module`."""
        self.deadline = now + self._limits.compile_seconds
        self._overdue_code = "compile-time"
        self._send(isolate.Load(module.size), [module.descriptor])

    def run(self, job: Job, *, now: float) -> int:
        """Have the guest run the program; the descriptor of the file that takes its output."""
        self.deadline = now + self._limits.run_seconds + _GRACE_S
        self._overdue_code = "run-time"
        inputs = [package.content for package in job.inputs]
        streams = [package.content for package in job.streams]
        previous = [job.previous] if job.previous is not None else []
        output = anonymous_file()
        message = isolate.Run(
            inputs=tuple(content.size for content in inputs),
            streams=tuple(content.size for content in streams),
            has_previous=job.previous is not None,
            previous=job.previous.size if job.previous is not None else 0,
        )
        contents = [content.descriptor for content in (*inputs, *streams, *previous)]
        self._send(message, [*contents, output])
        return output

    def receive(self) -> isolate.FromGuest | None:
        """The guest's answer, once all of it has arrived; call when the channel is readable.

        Raises:
            GuestLostError: the guest ended or misbehaved.
        """
        try:
            data = self.channel.recv(isolate.MAX_FRAME_BYTES)
        except OSError:
            data = b""
        if not data:
            raise GuestLostError(self._ended())
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
            raise GuestLostError(self._overdue_code)

    def kill(self) -> None:
        """End the guest process, at once and whatever it does."""
        self.deadline = None
        if self._alive:
            self._alive = False
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process_id, signal.SIGKILL)
            os.waitpid(self._process_id, 0)
            self.channel.close()

    def _send(self, message: isolate.ToGuest, descriptors: list[int]) -> None:
        try:
            self.channel.sendall(frame(isolate.TO_GUEST.encode(message)))
            send_descriptors(self.channel, descriptors)
        except OSError as error:
            self.kill()
            raise GuestLostError("protocol") from error

    def _read(self, data: bytes) -> isolate.FromGuest | None:
        self._decoder.feed(data)
        payload = self._decoder.next_frame()
        if payload is None:
            return None
        if self.deadline is None or len(self._decoder):
            raise WireError("the guest spoke out of turn")
        return isolate.FROM_GUEST.decode(payload)

    def _ended(self) -> str:
        """Reap the guest that closed its channel; how it ended."""
        self.deadline = None
        self._alive = False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process_id, signal.SIGKILL)
        _, status = os.waitpid(self._process_id, 0)
        self.channel.close()
        code = os.waitstatus_to_exitcode(status)
        return f"signal-{-code}" if code < 0 else f"exit-{code}"
