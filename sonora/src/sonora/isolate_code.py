"""What Sonora and a running isolate say to each other of compiled code."""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Collection

from colima import WireError, frame, isolate, read_frame
from platform_services import PlatformError
from platform_services.descriptors import receive_descriptors, send_descriptors
from sonora.errors import LaunchError
from sonora.isolates import Isolate
from sonora.kept_cores import KeptCores
from sonora.prepared_code import Compile, PreparedCode
from sonora.shared_code import SharedCode
from veracruz_utils.digest import Digest

_LOG = logging.getLogger(__name__)


class IsolateCode:
    """The code of programs and of cores, offered to isolates and taken from them.

    Safe to share between threads.

    Args:
        compile_core: as `PreparedCode` has it.
        running: all that run now.
        kept: cores that outlive a restart, if any are to.
    """

    def __init__(
        self,
        compile_core: Compile,
        running: Callable[[], Collection[Isolate]],
        kept: KeptCores | None = None,
    ) -> None:
        self._shared = SharedCode()
        self._kept = kept
        keep = {} if kept is None else {"keep_core": kept.keep}
        self._prepared = PreparedCode(compile_core, self._hand_out, **keep)
        self._running = running
        self._telling = threading.Lock()

    def prepare(self, core: bytes) -> None:
        """Compile a core as isolates of most policies do, for all programs that begin with it."""
        if self._prepared.add(core, stays=True) is not None:
            self._prepared.want(b"", b"")

    def prepare_kept(self) -> None:
        """Compile the cores that were kept, while nobody waits; they are read in a thread."""
        if self._kept is not None:
            threading.Thread(target=self._read_kept, name="kept cores", daemon=True).start()

    @property
    def cores_waiting(self) -> int:
        """How many cores wait to be compiled."""
        return self._prepared.waiting

    def close(self) -> None:
        """Forget all code."""
        self._shared.close()
        self._prepared.close()

    def offer(
        self, launched: Isolate, policy: bytes, program: Digest, ready: isolate.RuntimeReady
    ) -> None:
        """Tell the isolate what there is of its program, and wait for more in a thread.

        Raises:
            LaunchError: the isolate has ended.
        """
        name = ready.code_name
        offer, descriptors = self._shared.offer(program, name)
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

    def _read_kept(self) -> None:
        assert self._kept is not None
        for digest, core in self._kept.newest_first():
            try:
                self._prepared.add_kept(digest, core)
            except OSError as error:
                _LOG.warning("a kept core is not compiled: %s", error.strerror)

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
                    if self._shared.take(program, name, said, descriptor):
                        _LOG.info("compiled code kept: %d bytes", said.size)
                elif isinstance(said, isolate.CoreSeen):
                    self._prepared.add_file(descriptor, said.size)
                    self._prepared.want(policy, launched.engine_name)

    def _hand_out(self, code: int, engine: bytes) -> None:
        """Tell all isolates of this engine and its settings of code."""
        running = self._running()
        with self._telling:
            for launched in running:
                if launched.engine_name == engine:
                    _tell(launched, code)


def _tell(launched: Isolate, code: int) -> None:
    """Hand a core's code to an isolate, which runs its programs without it, too."""
    with contextlib.suppress(OSError):
        socket.send_fds(launched.private, [b"\0"], [code], socket.MSG_DONTWAIT)
