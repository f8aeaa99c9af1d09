"""A page for each principal of a computation, all of them in this process and on this machine.

For demonstrations: elsewhere each principal has a `durango ui` of its own, with a key that no other
has.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Self

import uvicorn

from durango import Identity
from durango.ui.seat import Seat
from durango.ui.serving import server_of
from veracruz_shells.local_page.door import Door
from veracruz_shells.local_page.serving import authority_of, listen
from veracruz_utils.policy import Policy

OnPageLink = Callable[[str, str], object]
"""Called with a name, and the address that lets a browser in to that principal's page, once."""


class Pages:
    """The pages, from `with` on until the block is left.

    Args:
        policy: of the computation.
        parties: the principals that have a page, by name.
        on_link: is told the links.
    """

    def __init__(
        self, policy: Policy, parties: Mapping[str, Identity], on_link: OnPageLink
    ) -> None:
        self._policy = policy
        self._parties = parties
        self._on_link = on_link
        self._servers: list[uvicorn.Server] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Listen for all of them.

        Raises:
            VeracruzError: an address cannot be listened on.
        """
        with ExitStack() as starting:
            for name, identity in self._parties.items():
                listening = listen(0, option="--port")
                starting.callback(listening.close)
                door = Door(authority_of(listening), on_link=partial(self._on_link, name))
                server = server_of(Seat(self._policy, identity), door)
                # Outside the main thread uvicorn leaves signals alone: they are the command's.
                thread = threading.Thread(target=server.run, args=([listening],), name=name)
                thread.start()
                self._servers.append(server)
                starting.callback(thread.join)
                starting.callback(_end, server)
                self._on_link(name, door.link)
            self._stack = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:  # all at once, before any is waited for
            _end(server)
        self._stack.close()


def _end(server: uvicorn.Server) -> None:
    server.should_exit = True
