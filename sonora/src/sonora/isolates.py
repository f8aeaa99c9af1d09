"""Isolates as Sonora's service sees them: launched by policy, watched, ended.

`Launcher` is the seam for kinds of isolates. There is one, `linux_launcher.LinuxLauncher`.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from sonora.errors import LaunchError
from sonora.process import ProcessHandle
from veracruz_utils.policy import IsolationLayer

MAX_ISOLATES: Final = 16
"""That run at a time."""

_END_S: Final = 5.0


@dataclass(slots=True)
class Isolate:
    """A running isolate.

    Attributes:
        isolate_id: tells it apart from the others of this launcher.
        certificate_digest: SHA-256 of the certificate it made for itself.
        policy_digest: SHA-256 of the policy it holds.
        control: the socket over which its first bridge hands it sessions.
        private: the channel it ends with.
        layers: those of its sandbox that are in force.
        process: its front process.
        attested: whether it has answered Sonora's challenge, and rightly.
        exit_code: how that ended; negative codes are signals.
        ended: set when it has.
        on_end: called then, in the launcher's thread: it must neither wait nor raise.
        held: whether it has no bridge now, and waits for one.
        engine_name: of the engine and the settings that it runs programs by; from when it may be
            told of code.
        serves: whether it is one, and no process that compiles a core.
        begun: when, in seconds of the monotonic clock.
    """

    isolate_id: int
    certificate_digest: bytes
    policy_digest: bytes
    control: socket.socket
    private: socket.socket
    layers: frozenset[IsolationLayer] = frozenset()
    process: ProcessHandle | None = None
    attested: bool = False
    exit_code: int | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    on_end: Callable[[], None] = lambda: None
    held: bool = False
    engine_name: bytes = b""
    serves: bool = True
    begun: float = field(default_factory=time.monotonic)

    @property
    def process_id(self) -> int:
        """Of its front process, for people; 0 when there is none."""
        return self.process.process_id if self.process else 0

    def take_bridge(self) -> socket.socket:
        """A control socket more, over which another bridge hands it sessions.

        Raises:
            LaunchError: it takes none, because it is ending or too many descriptors are under way.
        """
        control, inside = socket.socketpair()
        with inside:
            try:
                # In one step, or not at all: a byte without a descriptor would be its end.
                socket.send_fds(self.private, [b"\0"], [inside.fileno()])
            except OSError as error:
                control.close()
                raise LaunchError("the isolate takes no other bridge") from error
        return control

    def end(self, exit_code: int) -> None:
        """Note that its front process has ended, and tell who waits for that."""
        self.exit_code = exit_code
        self.ended.set()
        self.on_end()

    def close(self) -> None:
        """End the isolate if it still runs."""
        with contextlib.suppress(OSError):
            self.private.shutdown(socket.SHUT_RDWR)  # a thread may listen to it
        self.private.close()
        self.control.close()
        if self.process is not None:
            if not self.ended.wait(_END_S):
                self.process.kill()
            self.process.close()


class Launcher(Protocol):
    """A kind of isolate: how it is launched, and what it is measured as."""

    platform: str
    measurement: bytes

    def launch(self, policy: bytes) -> Isolate:
        """A new isolate that holds exactly this policy. Raises LaunchError."""

    def close(self) -> None:
        """End all isolates."""
