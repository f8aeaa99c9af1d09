"""Ending a connection that gRPC holds and has no way to end.

gRPC's server for event loops cannot end a call whose client takes none of what it was sent: even
the call's status waits for the client. Such a client would have its call for as long as it likes.
"""

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator
from urllib.parse import unquote

Place = tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]


def end_connection(name: str) -> bool:
    """Shut down this process's TCP connections to a peer; whether there was one.

    Args:
        name: as gRPC has it, such as `ipv4:192.0.2.7:40112`.
    """
    wanted = place_of(name)
    if wanted is None:
        return False
    found = False
    for connection in _connections():
        with connection, contextlib.suppress(OSError):
            host, port = connection.getpeername()[:2]
            if (ipaddress.ip_address(host.partition("%")[0]), port) == wanted:
                connection.shutdown(socket.SHUT_RDWR)
                found = True
    return found


def place_of(name: str) -> Place | None:
    """The address and port of a peer; None for what is not on the network."""
    host, _, port = unquote(name).partition(":")[2].rpartition(":")
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]), int(port)
    except ValueError:
        return None


def _connections() -> Iterator[socket.socket]:
    """Our connections on the network; each a descriptor of its own, which nobody else closes."""
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, of which there are many
        try:
            # Of its own first, and looked at then: the number may be another file's by now.
            descriptor = os.dup(int(entry))
        except OSError:
            continue
        try:
            connection = socket.socket(fileno=descriptor)
        except OSError:
            os.close(descriptor)
            continue
        if connection.family in {socket.AF_INET, socket.AF_INET6}:
            yield connection
        else:
            connection.close()
