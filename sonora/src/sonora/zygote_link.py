"""Sonora's end of the zygote: its start, the forks that are asked of it, and what it tells.

Theory of operation. Whoever wants a fork asks, and waits in their own thread. One thread listens:
it hands answers over, and reports the ends of what was forked. What is given up meanwhile is
ended when it comes. When the zygote is gone, so are all that it forked: that is reported once.
"""

import contextlib
import errno
import select
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from colima import WireError, encode, frame, isolate, read_frame
from platform_services import PlatformError
from platform_services.descriptors import receive_descriptors, send_descriptors
from sonora import standard_error
from sonora.errors import LaunchError, SonoraError
from sonora.image.launch import START_S, ZygoteProcess, start_image, start_overdue
from sonora.image.source import RuntimeImage
from sonora.process import ProcessHandle, how_it_ended

_END_S: Final = 5.0


class ZygoteLink:
    """A zygote that runs. Safe to share between threads.

    Attributes:
        process: its process.
        own_root: whether the image is the root of all that it sees.
        lost: whether it is gone without our doing.

    Raises:
        SonoraError: it does not start.
        ImageError: there is no such image.
    """

    def __init__(self, image: RuntimeImage, *, start_s: float = START_S) -> None:
        """Start it, which may take `start_s` for the copy and as long again to load the runtime."""
        self._channel, theirs = socket.socketpair()
        errors, log = standard_error.follow("zygote", standard_error.ZYGOTE)
        try:
            with theirs, errors:
                started = start_image(image, theirs.fileno(), errors, start_s=start_s)
            self.process: Final[ZygoteProcess] = started.zygote
            try:
                self._await_start(start_s)
            except BaseException:  # an interrupt, too, must leave no process behind
                self.process.kill()
                self.process.wait()
                raise
            finally:
                started.remove_copy()
        except BaseException:
            self._channel.close()
            log.join(_END_S)  # what it said belongs before our own error
            raise
        self.own_root: Final = started.own_root
        self.lost = False
        self._closing = False
        self._sending = threading.Lock()
        self._asked: set[int] = set()
        self._answers: dict[int, ProcessHandle | isolate.SpawnFailed] = {}
        self._news = threading.Condition()
        self._listener: threading.Thread | None = None

    @property
    def root(self) -> Path:
        """The zygote's root folder, which is that of all that it forks."""
        return Path(f"/proc/{self.process.pid}/root")

    def listen(self, on_exit: Callable[[int, int], None], on_gone: Callable[[], None]) -> None:
        """Hear the zygote from now on; both are called in the thread that does.

        Args:
            on_exit: told which of the forked ended, and its exit code.
            on_gone: told that the zygote is gone, and all that it forked.
        """

        def listen() -> None:
            while (message := self._receive()) is not None:
                if isinstance(message, isolate.Exited):
                    on_exit(message.isolate_id, message.exit_code)
                elif isinstance(message, isolate.SpawnFailed):
                    self._answered(message.isolate_id, message)
                elif isinstance(message, isolate.Spawned):
                    self._answered(message.isolate_id, self._receive_process(message))
            self._see_to_its_end()
            on_gone()

        self._listener = threading.Thread(target=listen, name="zygote", daemon=True)
        self._listener.start()

    def ask(
        self, isolate_id: int, policy: bytes, descriptors: Sequence[int], *, core_size: int = 0
    ) -> None:
        """Ask for a fork, which `forked` gives.

        Args:
            isolate_id: never used before.
            policy: for it.
            descriptors: for it; they are sent when this returns.
            core_size: of the core it is to compile, when it is to be no isolate.

        Raises:
            LaunchError: it cannot be asked for.
        """
        with self._news:
            self._asked.add(isolate_id)
        try:
            with self._sending:
                self._channel.sendall(frame(encode(isolate.Spawn(isolate_id, policy, core_size))))
                send_descriptors(self._channel, list(descriptors))
        except OSError as error:
            with self._news:
                self._asked.discard(isolate_id)
            if error.errno == errno.ETOOMANYREFS:
                raise LaunchError(
                    "too many open files of Sonora's user are on their way between processes; "
                    "try again"
                ) from error
            raise LaunchError("the zygote is gone; start Sonora again") from error

    def forked(self, isolate_id: int, timeout_s: float) -> ProcessHandle | None:
        """The process that was asked for, once it is there; None when it is not, in time.

        Raises:
            LaunchError: the zygote could not fork it, or is gone.
        """
        with self._news:
            self._news.wait_for(lambda: isolate_id in self._answers or self._closing, timeout_s)
            # From here on nobody waits for it: what comes late is ended.
            self._asked.discard(isolate_id)
            answer = self._answers.pop(isolate_id, None)
        if isinstance(answer, isolate.SpawnFailed):
            raise LaunchError(answer.reason)
        if answer is None and self._closing:
            raise LaunchError("the zygote is gone; start Sonora again")
        return answer

    def close(self) -> None:
        """End the zygote, and with it all that it forked; idempotent."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        if not self.process.wait(_END_S):
            self.process.kill()
            self.process.wait()
        if self._listener is not None:
            self._listener.join()
        self._channel.close()

    def _await_start(self, start_s: float) -> None:
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        if not poll.poll(start_s * 1000):
            raise start_overdue(start_s)
        self._channel.settimeout(start_s)
        ready = self._receive()
        if not isinstance(ready, isolate.ZygoteReady):
            raise SonoraError(f"the zygote did not start ({self._how()}); what it said is above")
        self._channel.settimeout(None)

    def _how(self) -> str:
        """How a zygote ended that was to start."""
        self.process.wait(_END_S)
        code = self.process.exit_code
        return "it let go of its channel, and runs" if code is None else how_it_ended(code)

    def _receive(self) -> isolate.FromZygote | None:
        try:
            payload = read_frame(self._channel.recv, limit=isolate.MAX_FRAME_BYTES)
            return None if payload is None else isolate.FROM_ZYGOTE.decode(payload)
        except (OSError, WireError):
            return None

    def _receive_process(self, spawned: isolate.Spawned) -> ProcessHandle | isolate.SpawnFailed:
        try:
            (pidfd,) = receive_descriptors(self._channel, 1)
        except (OSError, PlatformError) as error:
            # If it is the channel that failed, there is no next message.
            return isolate.SpawnFailed(spawned.isolate_id, f"not launched: {error}")
        return ProcessHandle(pidfd)

    def _answered(self, isolate_id: int, answer: ProcessHandle | isolate.SpawnFailed) -> None:
        with self._news:
            if isolate_id in self._asked:
                self._answers[isolate_id] = answer
            elif isinstance(answer, ProcessHandle):  # it was given up meanwhile
                answer.kill()
                answer.close()
            self._news.notify_all()

    def _see_to_its_end(self) -> None:
        with self._news:
            self.lost, self._closing = not self._closing, True
            self._news.notify_all()
        if self.lost:  # what may be left of it is of no use, and its isolates end with it
            self.process.kill()
            self.process.wait()
