"""What a listening process needs from the system: a reason when it cannot, signals when it can."""

import queue
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from veracruz_utils.address import Address


def why_not_bound(address: Address) -> str:
    """Why `address` cannot be listened on, such as "address already in use"."""
    try:
        family, *_, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # gRPC says only that it failed: the system is asked once more for its reason.
            probe.bind(place)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "the address is not available"


@contextmanager
def signals_to(requests: "queue.SimpleQueue[signal.Signals | None]") -> Iterator[None]:
    """Put SIGTERM and SIGINT into a queue instead of acting on them; for the main thread.

    A signal may interrupt the `get` of the same queue: of all queues and locks only this kind
    of queue allows that.
    """

    def note(number: int, _frame: FrameType | None) -> None:
        requests.put(signal.Signals(number))

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
