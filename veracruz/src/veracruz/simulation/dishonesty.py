"""A delegate's machine that lies: a bridge that gives the wrong token, a way that alters bytes."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final

from colima.sinaloa import SERVICE
from veracruz_shells.grpc_setup import grpc
from veracruz_utils.address import Address

_PIECE_BYTES: Final = 1 << 16


@contextmanager
def lying_bridge(token_for: Callable[[bytes], bytes]) -> Iterator[Address]:
    """A bridge that answers nothing but requests for a token; where it listens.

    Args:
        token_for: makes the answer, encoded, of the request, encoded.
    """

    def attest(request: bytes, _: grpc.ServicerContext) -> bytes:
        return token_for(request)

    server = grpc.server(ThreadPoolExecutor(1))
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Attest": grpc.unary_unary_rpc_method_handler(attest)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield Address("127.0.0.1", port)
    finally:
        server.stop(None).wait()


class Tamperer:
    """A way to the bridge's port for bulk, which alters a byte once it is told to.

    Attributes:
        address: where to connect, in place of the bridge.
    """

    def __init__(self, target: Address) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address("127.0.0.1", self._listener.getsockname()[1])
        self._armed: bool | None = None
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def alter_next(self, *, upward: bool) -> None:
        """Flip a bit of the next byte that goes this way: up is to the isolate."""
        with self._lock:
            self._armed = upward

    def close(self) -> None:
        """End all connections, and take no more."""
        with self._lock:
            ends = [self._listener, *self._open]
        for each in ends:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                theirs = socket.create_connection((self._target.host, self._target.port))
                with self._lock:
                    self._open += [ours, theirs]
                for one, other, upward in ((ours, theirs, True), (theirs, ours, False)):
                    threading.Thread(
                        target=self._pump, args=(one, other), kwargs={"upward": upward}, daemon=True
                    ).start()

    def _pump(self, one: socket.socket, other: socket.socket, *, upward: bool) -> None:
        with suppress(OSError):
            while data := one.recv(_PIECE_BYTES):
                other.sendall(self._passed(data, upward=upward))
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def _passed(self, data: bytes, *, upward: bool) -> bytes:
        with self._lock:
            if self._armed is not upward:
                return data
            self._armed = None
        # The last: the first would be the record's header, which is seen to be wrong by its form.
        return data[:-1] + bytes([data[-1] ^ 1])


@contextmanager
def tamperer(target: Address) -> Iterator[Tamperer]:
    """A way to `target` that tampers, until the block is left."""
    way = Tamperer(target)
    try:
        yield way
    finally:
        way.close()
