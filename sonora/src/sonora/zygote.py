"""The zygote: a process with the runtime loaded, which forks an isolate per computation.

It runs out of the runtime image (`sonora.image`), and what is not in that it cannot load. It is
single-threaded, compiles no WebAssembly, holds no key and imports no grpc, so a fork of it is a
clean copy that is ready in milliseconds. It speaks with Sonora's service alone, over one socket
pair (`colima.isolate`): `Spawn` in, of an isolate or of a process that compiles a core;
`ZygoteReady` once, then `Spawned`, `SpawnFailed`, `Exited`.
It ends when the service closes the channel, and every isolate ends with it.
"""

import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from colima import decode, frame, framing, isolate
from mexico_city import isolate as runtime
from mexico_city import preparing
from mexico_city.sandbox import failures, namespaces, privileges
from platform_services import PlatformError
from platform_services.descriptors import receive_descriptors, send_descriptors


def main(descriptor: int, measurement: bytes) -> NoReturn:
    """Be the zygote on this channel, out of the image of this measurement."""
    privileges.keep_others_out()
    channel = socket.socket(fileno=descriptor)
    runtime.warm_up()
    zygote = _Zygote(channel, measurement)
    try:
        zygote.tell(isolate.ZygoteReady())
    except BrokenPipeError:
        sys.exit(0)  # the service ended while we started
    gc.collect()
    # Or the collector of every isolate would write to, and so copy, all pages it shares with us.
    gc.freeze()
    zygote.serve()
    sys.exit(0)


class _Zygote:
    """The loop: requests from the service, ends of isolates."""

    def __init__(self, channel: socket.socket, measurement: bytes) -> None:
        self._channel = channel
        self._own = os.pidfd_open(os.getpid())
        self._measurement = measurement
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel, selectors.EVENT_READ)

    def tell(self, message: isolate.FromZygote) -> None:
        """Say something to the service."""
        self._channel.sendall(frame(isolate.FROM_ZYGOTE.encode(message)))

    def serve(self) -> None:
        """Serve until the service closes the channel."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._reap(*key.data)
                elif not self._request():
                    return

    def _request(self) -> bool:
        payload = framing.read_frame(self._channel.recv, limit=isolate.MAX_FRAME_BYTES)
        if payload is None:
            return False
        spawn = decode(isolate.Spawn, payload)
        # One isolate's misfortune is never the zygote's end, which would be all isolates' end.
        try:
            control, private, errors = receive_descriptors(self._channel, 3)
        except PlatformError as error:
            self.tell(isolate.SpawnFailed(spawn.isolate_id, f"not launched: {error}"))
            return True
        try:
            process_id = self._fork(spawn, control, private, errors)
            watch = self._watch(spawn.isolate_id, process_id)
        except OSError as error:
            self.tell(isolate.SpawnFailed(spawn.isolate_id, f"fork failed: {error.strerror}"))
        else:
            self.tell(isolate.Spawned(spawn.isolate_id))
            try:
                send_descriptors(self._channel, [watch])
            except OSError:
                # The service, if it is there, has seen that no pidfd came.
                signal.pidfd_send_signal(watch, signal.SIGKILL)
        finally:
            os.close(control)
            os.close(private)
            os.close(errors)
        return True

    def _fork(self, spawn: isolate.Spawn, control: int, private: int, errors: int) -> int:
        zygote = os.getpid()
        process_id = namespaces.fork_apart(self._own)
        if process_id == 0:
            run = partial(
                runtime.run,
                spawn.policy,
                measurement=self._measurement,
                control=control,
                private=private,
                parent=zygote,
            )
            if spawn.core_size:
                run = partial(
                    preparing.run,
                    spawn.policy,
                    core=control,
                    size=spawn.core_size,
                    code=private,
                    parent=zygote,
                )
            _be_isolate(errors, run)
        return process_id

    def _watch(self, isolate_id: int, process_id: int) -> int:
        try:
            watch = os.pidfd_open(process_id)
        except OSError:
            os.kill(process_id, signal.SIGKILL)
            os.waitpid(process_id, 0)
            raise
        self._selector.register(watch, selectors.EVENT_READ, (isolate_id, process_id, watch))
        return watch

    def _reap(self, isolate_id: int, process_id: int, watch: int) -> None:
        _, status = os.waitpid(process_id, 0)
        self._selector.unregister(watch)
        os.close(watch)
        self.tell(isolate.Exited(isolate_id, os.waitstatus_to_exitcode(status)))


def _be_isolate(errors: int, run: Callable[[], int]) -> NoReturn:
    status = runtime.FAILED
    try:
        os.dup2(errors, 2)
        status = run()
    except BaseException as error:  # noqa: BLE001 - nothing of an isolate's failure may be printed
        failures.report("isolate", type(error))
    failures.end(status)
