"""Isolates as Sonora's service sees them: launched by policy, watched, ended.

`Launcher` is the seam for other kinds of isolates. `LinuxLauncher` is the one there is: a process
forked from a zygote. It protects against other users of the machine and against the bridge, not
against the machine's root, which is why its platform is named a software root.
"""

import contextlib
import errno
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Protocol

from colima import WireError, encode, frame, isolate, read_frame
from mexico_city.local_attestation import LocalClaims
from platform_services import PlatformError
from platform_services.descriptors import receive_descriptors, send_descriptors
from sonora import standard_error
from sonora.errors import LaunchError, SonoraError
from sonora.image.launch import start_image
from sonora.image.source import RuntimeImage
from sonora.local_attestation import LinuxMeans, attest_locally
from sonora.prepared_code import PreparedCode
from sonora.process import ProcessHandle
from sonora.shared_code import SharedCode
from sonora.users import ROOT
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    MAX_POLICY_BYTES,
    RUNTIME_LAYERS,
    IsolationLayer,
    Policy,
)

MAX_ISOLATES: Final = 16
_ZYGOTE_START_S: Final = 60.0
_LAUNCH_S: Final = 20.0
_END_S: Final = 5.0
_COMPILE_S: Final = 600.0
_NOT_ITS_TO_SAY: Final = frozenset({IsolationLayer.IMAGE_ROOT, IsolationLayer.SEPARATE_USER})
"""Layers that Sonora alone brings about, and knows of."""

_LOG = logging.getLogger(__name__)


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


class LinuxLauncher:
    """Isolates as processes, forked from a zygote that has the runtime loaded.

    Attributes:
        platform: what the machine, and so its isolates, are vouched for as.
        measurement: of the runtime image, whose copy was checked, 32 bytes.
        layers: of every isolate's sandbox, those that the start of the image brings about.

    Raises:
        SonoraError: the zygote does not start.
        ImageError: there is no such image.
    """

    def __init__(
        self,
        image: RuntimeImage,
        platform: str = LINUX_SOFTWARE,
        *,
        given: Collection[IsolationLayer] = RUNTIME_LAYERS,
    ) -> None:
        """Start the zygote.

        Args:
            image: what it is started out of.
            platform: what the machine is vouched for as.
            given: the layers that this host was found to give; no isolate is believed to have more.
        """
        self.platform = platform
        self._channel, theirs = socket.socketpair()
        errors, log = standard_error.follow("zygote", standard_error.ZYGOTE)
        try:
            with theirs, errors:
                started = start_image(image, theirs.fileno(), errors)
            self._process = started.zygote
            try:
                self._await_zygote()
            except BaseException:  # an interrupt, too, must leave no process behind
                self._process.kill()
                self._process.wait()
                raise
            finally:
                started.remove_copy()
        except BaseException:
            self._channel.close()
            log.join(_END_S)  # what it said belongs before our own error
            raise
        self.measurement = image.measurement.value
        self.layers = frozenset({IsolationLayer.IMAGE_ROOT} if started.own_root else ())
        self._believed = frozenset(given) - _NOT_ITS_TO_SAY
        self._on_lost: Callable[[], None] = lambda: None
        self._lost = False
        self._closing = False
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._spawned: dict[int, ProcessHandle | isolate.SpawnFailed] = {}
        self._news = threading.Condition()
        self._isolates: dict[int, Isolate] = {}
        self._code = SharedCode()
        self._prepared = PreparedCode(self._compile_core, self._hand_out)
        self._telling = threading.Lock()
        self._next_id = 1
        self._listener = threading.Thread(target=self._listen, name="zygote", daemon=True)
        self._listener.start()

    def launch(self, policy: bytes) -> Isolate:
        """A new isolate that holds exactly this policy.

        Raises:
            LaunchError: there are too many, the fork failed, or the runtime refused the policy.
        """
        if len(policy) > MAX_POLICY_BYTES:
            raise LaunchError(
                f"the policy has {len(policy)} bytes, at most {MAX_POLICY_BYTES} are read"
            )
        control, control_inside = socket.socketpair()
        private, private_inside = socket.socketpair()
        LinuxMeans.prepare(private)
        with self._lock:
            if sum(each.serves for each in self._isolates.values()) >= MAX_ISOLATES:
                for end in (control, control_inside, private, private_inside):
                    end.close()
                raise LaunchError(_too_many(sum(each.held for each in self._isolates.values())))
            launched = Isolate(self._next_id, b"", b"", control, private)
            self._next_id += 1
            # Before the zygote is asked: `_answered` drops news of isolates not in here.
            self._isolates[launched.isolate_id] = launched
        try:
            # Closed here once they are sent: a second holder would hide the isolate's end from us.
            with (
                control_inside,
                private_inside,
                _followed(f"isolate {launched.isolate_id}") as errors,
            ):
                ends = [control_inside.fileno(), private_inside.fileno(), errors.fileno()]
                self._spawn(launched.isolate_id, policy, ends)
            self._await_spawned(launched)
            ready = self._await_ready(launched)
            self._attest(launched, Digest.of(policy))
            program = Policy.parse(policy, at=None).program_digest
            self._offer_code(launched, policy, program, ready)
        except LaunchError:
            self._abandon(launched)
            raise
        return launched

    def prepare(self, core: bytes) -> None:
        """Compile a core as isolates of most policies do, for all programs that begin with it."""
        if self._prepared.add(core, stays=True) is not None:
            self._prepared.want(b"", b"")

    @property
    def on_lost(self) -> Callable[[], None]:
        """Called when the zygote is gone without our doing, and all isolates with it.

        Called at once by setting it if that has happened; otherwise in a thread of the launcher,
        from which `close` must not be called.
        """
        return self._on_lost

    @on_lost.setter
    def on_lost(self, call: Callable[[], None]) -> None:
        with self._lock:
            self._on_lost = call
            late = self._lost
        if late:
            call()

    def close(self) -> None:
        """End the zygote, and with it all isolates; idempotent."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        if not self._process.wait(_END_S):
            self._process.kill()
            self._process.wait()
        self._listener.join()
        self._channel.close()
        self._code.close()
        self._prepared.close()

    def _await_zygote(self) -> None:
        self._channel.settimeout(_ZYGOTE_START_S)
        ready = self._receive()
        if not isinstance(ready, isolate.ZygoteReady):
            raise SonoraError("the zygote did not start; what it said is above")
        self._channel.settimeout(None)

    def _spawn(
        self, isolate_id: int, policy: bytes, descriptors: list[int], *, core_size: int = 0
    ) -> None:
        try:
            with self._sending:
                self._channel.sendall(frame(encode(isolate.Spawn(isolate_id, policy, core_size))))
                send_descriptors(self._channel, descriptors)
        except OSError as error:
            if error.errno == errno.ETOOMANYREFS:
                raise LaunchError(
                    "too many open files of Sonora's user are on their way between processes; "
                    "try again"
                ) from error
            raise LaunchError("the zygote is gone; start Sonora again") from error

    def _await_spawned(self, launched: Isolate) -> None:
        with self._news:
            self._news.wait_for(
                lambda: launched.isolate_id in self._spawned or self._closing, _LAUNCH_S
            )
            answer = self._spawned.pop(launched.isolate_id, None)
        if isinstance(answer, isolate.SpawnFailed):
            raise LaunchError(answer.reason)
        if answer is None:
            raise LaunchError("the zygote did not fork an isolate in time")
        launched.process = answer

    def _await_ready(self, launched: Isolate) -> isolate.RuntimeReady:
        deadline = time.monotonic() + _LAUNCH_S

        def receive(size: int) -> bytes:
            launched.private.settimeout(max(0.001, deadline - time.monotonic()))
            return launched.private.recv(size)

        try:
            payload = read_frame(receive)
            report = isolate.FROM_RUNTIME.decode(payload or b"")
        except (OSError, WireError) as error:
            raise LaunchError("the isolate ended before it was ready") from error
        if isinstance(report, isolate.RuntimeRefused):
            raise LaunchError(report.reason)
        if not isinstance(report, isolate.RuntimeReady):
            raise LaunchError("the isolate did not say that it is ready")
        launched.certificate_digest = report.certificate_digest
        launched.policy_digest = report.policy_digest
        try:
            named = frozenset(map(IsolationLayer, report.layers))
            launched.layers = named & self._believed | self.layers
            # Root opens everything, so as root there is only the isolate's word for it.
            if os.geteuid() != ROOT and launched.process and launched.process.is_open_to_us():
                launched.layers -= {IsolationLayer.NOT_DUMPABLE}
        except ValueError as error:
            raise LaunchError("the isolate named a layer that is none of ours") from error
        return report

    def _attest(self, launched: Isolate, policy: Digest) -> None:
        assert launched.process is not None
        if launched.policy_digest != policy.value:
            raise LaunchError("the isolate holds another policy than it was given")
        claims = LocalClaims(launched.certificate_digest, policy.value, self.measurement)
        means = LinuxMeans(launched.process, Path(f"/proc/{self._process.pid}/root"))
        attest_locally(launched.private, claims, means)
        # What follows comes with descriptors, for which the sender's name would leave no room.
        launched.private.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        launched.attested = True

    def _offer_code(
        self, launched: Isolate, policy: bytes, program: Digest, ready: isolate.RuntimeReady
    ) -> None:
        """Tell the isolate what there is of its program, and wait for more in a thread."""
        name = ready.code_name
        offer, descriptors = self._code.offer(program, name)
        try:
            launched.private.sendall(frame(isolate.TO_RUNTIME.encode(offer)))
            send_descriptors(launched.private, descriptors)
        except OSError as error:
            raise LaunchError("the isolate ended before it was ready") from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        _LOG.info("compiled code offered: %d bytes", offer.size)
        launched.private.settimeout(None)
        with self._telling, self._prepared.of_engine(ready.engine_name) as prepared:
            launched.engine_name = ready.engine_name
            for descriptor in prepared:
                _tell(launched, descriptor)
        self._prepared.want(policy, ready.engine_name)
        threading.Thread(
            target=self._await_code,
            args=(launched, policy, program, name),
            name="code",
            daemon=True,
        ).start()

    def _await_code(self, launched: Isolate, policy: bytes, program: Digest, name: bytes) -> None:
        """Keep what the isolate compiles, if it does, and the core it has seen; ends with it."""
        awaited = {isolate.CodeMade, isolate.CoreSeen}
        with contextlib.suppress(OSError, WireError, PlatformError):
            while awaited and (payload := read_frame(launched.private.recv)) is not None:
                said = isolate.FROM_RUNTIME.decode(payload)
                if type(said) not in awaited:
                    return
                awaited.remove(type(said))
                (descriptor,) = receive_descriptors(launched.private, 1)
                if isinstance(said, isolate.CodeMade):
                    if self._code.take(program, name, said, descriptor):
                        _LOG.info("compiled code kept: %d bytes", said.size)
                elif isinstance(said, isolate.CoreSeen):
                    self._prepared.add_file(descriptor, said.size)
                    self._prepared.want(policy, launched.engine_name)

    def _compile_core(self, policy: bytes, core: int, size: int, code: int) -> bool:
        """Have the zygote fork a process that compiles a core; whether it did."""
        ends = socket.socketpair()
        with self._lock:
            launched = Isolate(self._next_id, b"", b"", *ends, serves=False)
            self._next_id += 1
            self._isolates[launched.isolate_id] = launched
        try:
            with _followed(f"core {launched.isolate_id}") as errors:
                descriptors = [core, code, errors.fileno()]
                self._spawn(launched.isolate_id, policy, descriptors, core_size=size)
            self._await_spawned(launched)
            ended = launched.ended.wait(_COMPILE_S)
        except LaunchError as error:
            _LOG.warning("a core was not compiled: %s", error)
            ended = False
        if not ended:
            self._abandon(launched)
            return False
        launched.close()
        return launched.exit_code == 0

    def _hand_out(self, code: int, engine: bytes) -> None:
        """Tell all isolates of this engine and its settings of code."""
        with self._lock:
            running = list(self._isolates.values())
        with self._telling:
            for launched in running:
                if launched.engine_name == engine:
                    _tell(launched, code)

    def _abandon(self, launched: Isolate) -> None:
        launched.close()
        with self._lock:
            self._isolates.pop(launched.isolate_id, None)
        with self._news:
            late = self._spawned.pop(launched.isolate_id, None)
        if isinstance(late, ProcessHandle):
            late.close()

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

    def _listen(self) -> None:
        while (message := self._receive()) is not None:
            if isinstance(message, isolate.Exited):
                self._exited(message)
            elif isinstance(message, isolate.SpawnFailed):
                self._answered(message.isolate_id, message)
            elif isinstance(message, isolate.Spawned):
                self._answered(message.isolate_id, self._receive_process(message))
        with self._news:
            lost, self._closing = not self._closing, True
            self._news.notify_all()
        if lost:  # what may be left of the zygote is of no use, and its isolates end with it
            self._process.kill()
            self._process.wait()
        with self._lock:
            ended, self._isolates = self._isolates, {}
            self._lost = lost
            on_lost = self._on_lost
        for launched in ended.values():
            if launched.process is not None:
                launched.process.kill()
            self._end(launched, -signal.SIGKILL)
        if lost:
            on_lost()

    def _answered(self, isolate_id: int, answer: ProcessHandle | isolate.SpawnFailed) -> None:
        with self._news:
            if isolate_id in self._isolates:
                self._spawned[isolate_id] = answer
            elif isinstance(answer, ProcessHandle):  # it was given up meanwhile
                answer.kill()
                answer.close()
            self._news.notify_all()

    def _exited(self, message: isolate.Exited) -> None:
        with self._lock:
            launched = self._isolates.pop(message.isolate_id, None)
        if launched is not None:
            self._end(launched, message.exit_code)

    def _end(self, launched: Isolate, exit_code: int) -> None:
        launched.exit_code = exit_code
        launched.ended.set()
        launched.on_end()


def _tell(launched: Isolate, code: int) -> None:
    """Hand a core's code to an isolate, which runs its programs without it, too."""
    with contextlib.suppress(OSError):
        socket.send_fds(launched.private, [b"\0"], [code], socket.MSG_DONTWAIT)


def _too_many(held: int) -> str:
    waiting = (
        f", {held} of them without a bridge: 'sinaloa serve' with such a policy finds it again, "
        "and can end it"
    )
    return f"{MAX_ISOLATES} isolates run already{waiting if held else ''}; end one of them first"


def _followed(name: str) -> IO[bytes]:
    """What a process is given for standard error, to be logged behind this name."""
    try:
        errors, _ = standard_error.follow(name)
    except OSError as error:
        raise LaunchError(f"no pipe for what the isolate says: {error.strerror}") from error
    return errors
