"""The standard health checks of gRPC: asked once, or watched.

Theory of operation. Somebody who watches holds a call for as long as they like. So watchers have
places of their own, a few for each peer, and take none from calls that do work. What is watched is
looked at for each watcher once a second. `ready` may block and is asked in a thread; that it is
asked so often must cost little, which is for it to see to.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Executor
from typing import Final

from grpc_health.v1 import health_pb2

from veracruz_utils.errors import VeracruzError

HEALTH_SERVICE: Final = "grpc.health.v1.Health"
WATCHERS: Final = 16
WATCHERS_OF_PEER: Final = 4
_LOOK_S: Final = 1.0

Ready = Callable[[], None]
"""Returns when work can be done, and raises a `VeracruzError` when it cannot."""

_Response = health_pb2.HealthCheckResponse


class UnknownServiceError(VeracruzError):
    """Nobody serves what was asked about."""


class Health:
    """What is told of services by these names, and of all of them under the empty one."""

    def __init__(self, services: Iterable[str], ready: Ready | None, threads: Executor) -> None:
        # By what is asked, in bytes: a name has one encoding, and strangers' bytes no parser.
        self._known = {
            health_pb2.HealthCheckRequest(service=name).SerializeToString()
            for name in ("", *services)
        }
        self._ready = ready
        self._threads = threads
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Say from now on that nothing is served; who watches is told and let go."""
        self._ended.set()

    async def check(self, request: bytes) -> bytes:
        """The answer to one question.

        Raises:
            UnknownServiceError: it is about something else.
        """
        if request not in self._known:
            raise UnknownServiceError("no such service here")
        return await self._now(request)

    async def watch(self, request: bytes) -> AsyncIterator[bytes]:
        """An answer now, and one whenever it changes, until we end."""
        told = b""
        while True:
            last = self._ended.is_set()
            answer = await self._now(request)
            if answer != told:
                yield answer
                told = answer
            if last:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _LOOK_S)

    async def _now(self, request: bytes) -> bytes:
        if request not in self._known:
            # No end of the call: as that protocol has it, such a service might come yet.
            return _Response(status=_Response.SERVICE_UNKNOWN).SerializeToString()
        return _answer(serving=await self._serving())

    async def _serving(self) -> bool:
        if self._ended.is_set():
            return False
        if self._ready is None:
            return True
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._ready)
        except VeracruzError:
            return False
        return True


def _answer(*, serving: bool) -> bytes:
    status = _Response.SERVING if serving else _Response.NOT_SERVING
    return _Response(status=status).SerializeToString()
