"""A thread that does one call after the other for an event loop, and can be made to stop."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Final, TypeVar

from durango.halt import Halt
from jalisco.errors import SessionError

_T = TypeVar("_T")
_LONGEST_S: Final = 5.0
"""How long a cancelled call is waited for: only what reads a pipe that gives nothing takes it."""


class Worker:
    """A thread of its own, with the halt that everything done in it heeds.

    Attributes:
        halt: given to what is done.
        stuck: whether a call that was cancelled could not be stopped; nothing more can be done.

    Theory of operation. The loop puts a call into the queue and awaits a future of its own, which
    the thread settles through the loop. A call that is cancelled engages the halt, which cuts the
    connection that the thread waits for, and is awaited until the thread is out of it: when the
    cancellation is seen, nothing goes on. The thread is a daemon, so that not even a call that
    cannot be stopped keeps a process from ending.
    """

    def __init__(self, name: str) -> None:
        self.halt = Halt()
        self.stuck = False
        self._ended = False
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, act: Callable[[], _T]) -> _T:
        """What `act` gives or raises; to be cancelled is to engage the halt.

        Raises:
            HaltedError, SessionError: nothing is done here any more.
        """
        if self._ended or self.stuck:
            self.halt.check()
            raise SessionError("the session is closed: connect again to go on")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()
        done.add_done_callback(_seen)

        def call() -> None:
            try:
                result = act()
            except StopIteration as error:  # no future takes one
                self._settle(loop, done, RuntimeError(f"what was called raised {error!r}"))
            except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
                self._settle(loop, done, error)
            else:
                with suppress(RuntimeError):  # the loop is closed: nobody awaits it
                    loop.call_soon_threadsafe(done.set_result, result)

        self._calls.put(call)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            self.halt.engage()
            self.stuck = not (await asyncio.wait([done], timeout=_LONGEST_S))[0]
            raise

    def end(self) -> None:
        """Let the thread end, after what it is doing."""
        self._ended = True
        self._calls.put(None)

    @staticmethod
    def _settle(
        loop: asyncio.AbstractEventLoop, done: asyncio.Future[_T], error: BaseException
    ) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody awaits it
            loop.call_soon_threadsafe(done.set_exception, error)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # and what it holds, while there is no other


def _seen(done: asyncio.Future[_T]) -> None:
    """Look at what a call raised, which after a cancellation nobody else does."""
    if not done.cancelled():
        done.exception()
