"""Calls whose request never comes, as somebody makes who wants to keep others out."""

import threading
from contextlib import ExitStack, contextmanager

from support.patience import PATIENCE_S
from veracruz_shells.channels import open_channel


@contextmanager
def silent_calls(address: str, method: str, *, connections: int, each: int = 64):
    """So many of them, `each` on each connection, as futures."""
    over = threading.Event()

    def nothing():
        over.wait(PATIENCE_S)
        yield from ()

    with ExitStack() as stack:
        stack.callback(over.set)
        channels = [stack.enter_context(open_channel(address)) for _ in range(connections)]
        yield [
            channel.stream_unary(method).future(nothing())
            for channel in channels
            for _ in range(each)
        ]
