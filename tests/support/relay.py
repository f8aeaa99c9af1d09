"""A way to a service from another address of this machine, as from another machine."""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from veracruz_utils.address import Address


@contextmanager
def relay(source: str, *targets: Address) -> Iterator[Address]:
    """Where to connect to be seen as coming from `source`, such as 127.0.0.2, by each in turn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, source, targets), daemon=True).start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, source: str, targets: tuple[Address, ...]) -> None:
    with suppress(OSError):
        for target in itertools.cycle(targets):
            ours, _ = listener.accept()
            theirs = socket.create_connection(
                (target.host, target.port), source_address=(source, 0)
            )
            for one, other in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with one, suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)
