"""Isolates as processes of Linux, forked from a zygote.

They are protected against other users of the machine and against the bridge, not against the
machine's root, which is why their platform is named a software root.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection
from typing import IO, Final

from colima import WireError, isolate, read_frame
from mexico_city.local_attestation import LocalClaims
from sonora import standard_error
from sonora.errors import LaunchError
from sonora.image.launch import START_S
from sonora.image.source import RuntimeImage
from sonora.isolate_code import IsolateCode
from sonora.isolates import MAX_ISOLATES, Isolate
from sonora.kept_cores import KeptCores
from sonora.local_attestation import LinuxMeans, attest_locally
from sonora.process import ProcessHandle, how_it_ended
from sonora.users import ROOT
from sonora.zygote_link import ZygoteLink
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    MAX_POLICY_BYTES,
    RUNTIME_LAYERS,
    IsolationLayer,
    Policy,
)

ISOLATE_START_S: Final = 40.0
"""That the start of an isolate may take, unless told otherwise."""
_COMPILE_S: Final = 600.0
_END_S: Final = 2.0  # for the zygote's word on a process that ended
_NOT_ITS_TO_SAY: Final = frozenset({IsolationLayer.IMAGE_ROOT, IsolationLayer.SEPARATE_USER})
"""Layers that Sonora alone brings about, and knows of."""

_LOG = logging.getLogger(__name__)


class LinuxLauncher:
    """Isolates as processes, forked from a zygote that has the runtime loaded.

    Attributes:
        platform: what the machine, and so its isolates, are vouched for as.
        measurement: of the runtime image, whose copy was checked, 32 bytes.
        layers: of every isolate's sandbox, those that the start of the image brings about.
        zygote: what they are forked from.

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
        start_s: float = START_S,
        isolate_start_s: float = ISOLATE_START_S,
        kept: KeptCores | None = None,
    ) -> None:
        """Start the zygote.

        Args:
            image: what it is started out of.
            platform: what the machine is vouched for as.
            given: the layers that this host was found to give; no isolate is believed to have more.
            start_s: how long each step of the zygote's start may take.
            isolate_start_s: how long the start of an isolate may take, until it has answered
                Sonora's challenge.
            kept: cores of programs that outlive a restart, if any are to.
        """
        self.platform = platform
        self.zygote: Final = ZygoteLink(image, start_s=start_s)
        self.measurement = image.measurement.value
        self.layers = frozenset({IsolationLayer.IMAGE_ROOT} if self.zygote.own_root else ())
        self._isolate_start_s = isolate_start_s
        self._believed = frozenset(given) - _NOT_ITS_TO_SAY
        self._on_lost: Callable[[], None] = lambda: None
        self._lost = False
        self._lock = threading.Lock()
        self._isolates: dict[int, Isolate] = {}
        self._next_id = 1
        self._code = IsolateCode(self._compile_core, self._running, kept)
        self.zygote.listen(self._exited, self._gone)

    def launch(self, policy: bytes) -> Isolate:
        """A new isolate that holds exactly this policy.

        Raises:
            LaunchError: there are too many, the fork failed or was not done in time, or the runtime
                refused the policy.
        """
        if len(policy) > MAX_POLICY_BYTES:
            raise LaunchError(
                f"the policy has {len(policy)} bytes, at most {MAX_POLICY_BYTES} are read"
            )
        deadline = time.monotonic() + self._isolate_start_s
        control, control_inside = socket.socketpair()
        private, private_inside = socket.socketpair()
        LinuxMeans.prepare(private)
        with self._lock:
            if sum(each.serves for each in self._isolates.values()) >= MAX_ISOLATES:
                for end in (control, control_inside, private, private_inside):
                    end.close()
                raise LaunchError(_too_many(sum(each.held for each in self._isolates.values())))
            launched = self._new(control, private)
        try:
            # Closed here once they are sent: a second holder would hide the isolate's end from us.
            with (
                control_inside,
                private_inside,
                _followed(f"isolate {launched.isolate_id}") as errors,
            ):
                ends = [control_inside.fileno(), private_inside.fileno(), errors.fileno()]
                self.zygote.ask(launched.isolate_id, policy, ends)
            launched.process = self._forked(launched, deadline)
            ready = self._await_ready(launched, deadline)
            self._attest(launched, Digest.of(policy), deadline)
            program = Policy.parse(policy, at=None).program_digest
            self._code.offer(launched, policy, program, ready)
        except LaunchError:
            self._abandon(launched)
            raise
        return launched

    def prepare(self, core: bytes) -> None:
        """Compile a core as isolates of most policies do, for all programs that begin with it."""
        self._code.prepare(core)

    def prepare_kept(self) -> None:
        """Compile the cores that were kept before a restart, when nothing else is to compile."""
        self._code.prepare_kept()

    @property
    def cores_waiting(self) -> int:
        """How many cores wait to be compiled."""
        return self._code.cores_waiting

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
        self.zygote.close()
        self._code.close()

    def _new(
        self, control: socket.socket, private: socket.socket, *, serves: bool = True
    ) -> Isolate:
        """One more; the lock is held.

        It is known before the zygote is asked for it: what ends unknown is not told of.
        """
        launched = Isolate(self._next_id, b"", b"", control, private, serves=serves)
        self._next_id += 1
        self._isolates[launched.isolate_id] = launched
        return launched

    def _forked(self, launched: Isolate, deadline: float) -> ProcessHandle:
        process = self.zygote.forked(launched.isolate_id, _until(deadline))
        if process is None:
            raise self._overdue("the zygote forked no isolate")
        return process

    def _await_ready(self, launched: Isolate, deadline: float) -> isolate.RuntimeReady:
        def receive(size: int) -> bytes:
            launched.private.settimeout(_until(deadline))
            return launched.private.recv(size)

        try:
            payload = read_frame(receive)
            report = isolate.FROM_RUNTIME.decode(payload or b"")
        except TimeoutError as error:
            raise self._overdue("the isolate was not ready") from error
        except (OSError, WireError) as error:
            launched.ended.wait(_END_S)
            code = launched.exit_code
            how = "" if code is None else f" ({how_it_ended(code)})"
            raise LaunchError(
                f"the isolate ended before it was ready{how}; what it said is in Sonora's log"
            ) from error
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

    def _overdue(self, what: str) -> LaunchError:
        return LaunchError(
            f"{what} within {self._isolate_start_s:g} s: a busy or emulated machine needs longer "
            "(sonora serve --isolate-start SECONDS)"
        )

    def _attest(self, launched: Isolate, policy: Digest, deadline: float) -> None:
        assert launched.process is not None
        if launched.policy_digest != policy.value:
            raise LaunchError("the isolate holds another policy than it was given")
        claims = LocalClaims(launched.certificate_digest, policy.value, self.measurement)
        means = LinuxMeans(launched.process, self.zygote.root)
        try:
            attest_locally(launched.private, claims, means, timeout_s=_until(deadline))
        except LaunchError as error:
            if isinstance(error.__cause__, TimeoutError):
                raise self._overdue("the isolate did not answer Sonora's challenge") from error
            raise
        # What follows comes with descriptors, for which the sender's name would leave no room.
        launched.private.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        launched.attested = True

    def _compile_core(self, policy: bytes, core: int, size: int, code: int) -> bool:
        """Have the zygote fork a process that compiles a core; whether it did."""
        with self._lock:
            launched = self._new(*socket.socketpair(), serves=False)
        deadline = time.monotonic() + self._isolate_start_s
        try:
            with _followed(f"core {launched.isolate_id}") as errors:
                descriptors = [core, code, errors.fileno()]
                self.zygote.ask(launched.isolate_id, policy, descriptors, core_size=size)
            launched.process = self._forked(launched, deadline)
            if not policy:  # nobody has launched what it is for
                launched.process.give_way()
            ended = launched.ended.wait(_COMPILE_S)
        except LaunchError as error:
            _LOG.warning("a core was not compiled: %s", error)
            ended = False
        if not ended:
            self._abandon(launched)
            return False
        launched.close()
        return launched.exit_code == 0

    def _running(self) -> list[Isolate]:
        with self._lock:
            return list(self._isolates.values())

    def _abandon(self, launched: Isolate) -> None:
        launched.close()
        with self._lock:
            self._isolates.pop(launched.isolate_id, None)

    def _exited(self, isolate_id: int, exit_code: int) -> None:
        with self._lock:
            launched = self._isolates.pop(isolate_id, None)
        if launched is not None:
            launched.end(exit_code)

    def _gone(self) -> None:
        lost = self.zygote.lost
        with self._lock:
            ended, self._isolates = self._isolates, {}
            self._lost = lost
            on_lost = self._on_lost
        for launched in ended.values():
            if launched.process is not None:
                launched.process.kill()
            launched.end(-signal.SIGKILL)
        if lost:
            on_lost()


def _until(deadline: float) -> float:
    """Seconds that are left, of which there is always a little: none would be no limit."""
    return max(0.001, deadline - time.monotonic())


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
