"""How gRPC's calls reach the methods of a service: one request, or messages both ways.

A method may be a function that blocks, which gets a thread, or one of the event loop. Before it is
asked a call has a place (`calls`), and its one request has come in time.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar, cast

from veracruz_shells.call_errors import (
    CallStatus,
    GivenUpError,
    NotBegunError,
    outcome_of,
    status_of,
)
from veracruz_shells.calls import Arrivals, CallSlots, peer_of
from veracruz_shells.connections import end_connection
from veracruz_shells.event_loop import event_loop
from veracruz_shells.grpc_metrics import CALLS
from veracruz_shells.grpc_setup import grpc
from veracruz_shells.grpc_traces import call_answered
from veracruz_shells.log import LineLimit, about
from veracruz_shells.traces import tell, traceparent_in
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

UnaryMethod = Callable[[bytes], bytes]
"""Answers one request with one response."""

PeerMethod = Callable[[bytes, str], bytes]
"""The same, told by whom it is asked, as `calls.peer_of` says."""

Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
"""What gRPC calls for a method."""

_Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
_Answer = TypeVar("_Answer")
_LOG: Final = logging.getLogger(__name__)
_NOT_BEGUN: Final = LineLimit()
OUR_METADATA: Final = "veracruz-"
"""What else comes with a call is of gRPC, or of nobody."""


@frozen
class Caller:
    """Who calls.

    Attributes:
        peer: as `calls.peer_of` says.
        metadata: what came with the call under names that begin with `OUR_METADATA`, by name; of a
            name that came twice the last.
        traceparent: what the call is said to be a part of, if spans are exported: a claim.
    """

    peer: str
    metadata: Mapping[str, str | bytes]
    traceparent: str | None = None


class Stream:
    """A call of many messages both ways, for its method alone."""

    __slots__ = ("_context", "caller")

    def __init__(self, context: _Context, caller: Caller) -> None:
        self._context = context
        self.caller = caller

    async def read(self) -> bytes | None:
        """The next message of the client; None when it sends no more."""
        message: object = await self._context.read()
        return None if message is grpc.aio.EOF else cast("bytes", message)

    async def write(self, message: bytes) -> None:
        """Send a message, once there is room for it."""
        await self._context.write(message)

    def end_connection(self) -> None:
        """End the client's connection, and so this call and all others on it.

        For a client that takes nothing: even the end of the call would wait for it.
        """
        end_connection(self._context.peer())


LoopMethod = Callable[[bytes, Caller], Awaitable[bytes]]
"""Answers one request of this caller; runs in the event loop and must not block it."""

StreamMethod = Callable[[Stream], Awaitable[None]]
"""Reads and writes messages as it likes; runs in the event loop and must not block it."""

WatchMethod = Callable[[bytes], AsyncIterator[bytes]]
"""Answers one request again and again; runs in the event loop and must not block it."""


def in_thread(method: PeerMethod, threads: Executor) -> LoopMethod:
    """A method that may block, as one of the event loop."""

    async def answer(request: bytes, caller: Caller) -> bytes:
        work = partial(copy_context().run, method, request, caller.peer)
        return await event_loop().run_in_executor(threads, work)

    return answer


class CallHandlers:
    """Makes what gRPC calls; all of a service's count their calls to come in one place."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals

    def unary(self, name: str, method: LoopMethod, slots: CallSlots) -> Handler:
        """Of calls with one request and one answer.

        Args:
            name: its full name.
            method: answers.
            slots: where the calls in progress are counted.
        """
        traced = call_answered(name)

        async def carry_out(context: _Context) -> bytes:
            caller = _caller_of(context)
            request = await self._request(context, caller.peer)
            with traced.span(caller.traceparent, bytes_in=len(request)), _slot(slots, caller.peer):
                answer = await method(request, caller)
                tell(bytes_out=len(answer))
                return answer

        return _unary_handler(name, carry_out)

    def always(self, name: str, method: LoopMethod) -> Handler:
        """Of calls that are always answered: they take no place, and are not traced."""

        async def carry_out(context: _Context) -> bytes:
            caller = _caller_of(context)
            return await method(await self._request(context, caller.peer), caller)

        return _unary_handler(name, carry_out)

    def watch(self, name: str, method: WatchMethod, slots: CallSlots) -> Handler:
        """Of calls with one request, which are answered until they end."""

        async def carry_out(context: _Context) -> None:
            peer = peer_of(context.peer())
            request = await self._request(context, peer)
            with _slot(slots, peer):
                async for answer in method(request):
                    await context.write(answer)

        async def answer(_: AsyncIterator[bytes], context: _Context) -> None:
            await _with_status(name, context, carry_out(context))

        return grpc.stream_stream_rpc_method_handler(answer)

    def stream(self, name: str, method: StreamMethod, slots: CallSlots) -> Handler:
        """Of calls with messages both ways."""

        async def carry_out(context: _Context) -> None:
            stream = Stream(context, _caller_of(context))
            # Without a block of its own: what an open stream holds counts two thousand times.
            _take_slot(slots, stream.caller.peer)
            try:
                await method(stream)
            finally:
                slots.give_back(stream.caller.peer)

        async def answer(_: AsyncIterator[bytes], context: _Context) -> None:
            await _with_status(name, context, carry_out(context))

        return grpc.stream_stream_rpc_method_handler(answer)

    async def _request(self, context: _Context, peer: str) -> bytes:
        """The one request of a call, which has to come in time."""
        reading = asyncio.ensure_future(context.read())
        with self._arrivals.waiting(peer, reading.cancel):
            try:
                request: object = await asyncio.shield(reading)
            except asyncio.CancelledError:
                if not reading.cancelled():
                    raise  # the call itself is over
                raise GivenUpError from None
        if request is grpc.aio.EOF:
            raise NotBegunError(CallStatus.INVALID_ARGUMENT, "the call has no request")
        return cast("bytes", request)


def _caller_of(context: _Context) -> Caller:
    sent = context.invocation_metadata() or ()
    ours = {name: value for name, value in sent if name.startswith(OUR_METADATA)}
    return Caller(peer_of(context.peer()), ours, traceparent_in(sent))


def _unary_handler(
    name: str, carry_out: Callable[[_Context], Coroutine[Any, Any, bytes]]
) -> Handler:
    # A stream to gRPC, whose own wait for the one request of a call has no end.
    async def answer(_: AsyncIterator[bytes], context: _Context) -> bytes:
        return await _with_status(name, context, carry_out(context))

    return grpc.stream_unary_rpc_method_handler(answer)


def _take_slot(slots: CallSlots, peer: str) -> None:
    if not slots.take(peer):
        raise NotBegunError(
            CallStatus.RESOURCE_EXHAUSTED,
            "too many calls are in progress, of one address or of all: try again later",
        )


@contextmanager
def _slot(slots: CallSlots, peer: str) -> Iterator[None]:
    """A place among the calls in progress."""
    _take_slot(slots, peer)
    try:
        yield
    finally:
        slots.give_back(peer)


async def _with_status(name: str, context: _Context, work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """What `work` gives, or its error as a status."""
    outcome = "cancelled"
    try:
        answer = await work
        outcome = "answered"
    except (grpc.RpcError, grpc.aio.BaseError):
        raise  # the client went away; gRPC knows
    except VeracruzError as error:
        (code, text), outcome = status_of(error), outcome_of(error)
        if isinstance(error, NotBegunError | GivenUpError):
            _tell_not_begun(name, context, outcome)
    except Exception:  # noqa: BLE001 - a bug in one call must not end the service
        _LOG.exception("call failed: %s", name)
        code, text = grpc.StatusCode.INTERNAL, "internal error; the service's log has more"
        outcome = "internal"
    else:
        return answer
    finally:
        CALLS.add(kind="health" if name == "health" else "work", outcome=outcome)
    return await context.abort(code, text)


def _tell_not_begun(name: str, context: _Context, outcome: str) -> None:
    """Say of a call that its method never saw, and so does not speak of itself."""
    unlogged = _NOT_BEGUN.take()
    if unlogged is not None:
        told = about(
            peer=peer_of(context.peer()),
            method=name.rpartition("/")[2],
            outcome=outcome,
            unlogged=unlogged or None,
        )
        _LOG.info("call not begun", extra=told)
