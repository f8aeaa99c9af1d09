"""TCP connections of our own, beside those that gRPC has."""

import contextlib
import socket
from typing import Final

# As gRPC's are kept: a peer that has vanished is noticed within a minute.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 2}


def settle(connection: socket.socket) -> None:
    """Have small messages sent at once, and notice a peer that has vanished.

    Raises:
        OSError: the connection is gone.
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        with contextlib.suppress(AttributeError, OSError):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
