"""Bodies of requests: whole within seconds, and the one that is waited for longest gives way.

Who sends the head of a request and not its body costs a place for as long as it is waited for. A
browser sends both at once. So the wait is short, few are waited for, and there is always room for
one more: nobody can keep the page from others by requests that never come whole.
"""

import asyncio
from typing import Final

from starlette.types import Message, Receive

from veracruz_shells.local_page.door import TurnedAwayError

BODY_S: Final = 5.0
"""How long the body of an ordinary request may take."""
MOST_WAITING: Final = 16
"""Requests whose body is waited for at once."""
_LATE: Final = "the request did not come whole in time"
_LARGE: Final = "the body is larger than it may be"


class Bodies:
    """Takes the bodies of ordinary requests of one page.

    Args:
        wait_s: for a body, from the head of its request.
    """

    def __init__(self, *, wait_s: float = BODY_S) -> None:
        self._wait_s = wait_s
        self._waiting: dict[asyncio.Timeout, None] = {}

    async def whole(self, receive: Receive, limit: int) -> Receive | None:
        """What gives the whole body at once, and then what `receive` gives; None if they left.

        Raises:
            TurnedAwayError: it is larger than `limit`, or did not come in time.
        """
        body = bytearray()
        more = True
        deadline = asyncio.timeout(self._wait_s)
        try:
            async with deadline:
                self._wait_for(deadline)
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        return None
                    body += message.get("body", b"")
                    if len(body) > limit:
                        raise TurnedAwayError(413, _LARGE)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise TurnedAwayError(408, _LATE) from None
        finally:
            self._waiting.pop(deadline, None)
        return _replayed(bytes(body), receive)

    def _wait_for(self, newest: asyncio.Timeout) -> None:
        self._waiting[newest] = None
        if len(self._waiting) > MOST_WAITING:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            if not oldest.expired():
                oldest.reschedule(asyncio.get_running_loop().time())


class LargeBody:
    """A large body as it comes: of at most so many bytes, whatever it announced.

    Attributes:
        whole: whether all of it came.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self.whole = False

    async def __call__(self) -> Message:
        """The next piece (ASGI)."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TurnedAwayError(413, _LARGE)
        self.whole = not message.get("more_body", False)
        return message


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
