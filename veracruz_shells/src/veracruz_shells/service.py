"""What our services and their clients share: gRPC over TCP with limits, health and a clean end.

Import this before `grpc`: it turns off gRPC's fork handlers, which can deadlock, and which nothing
here needs, since isolates are forked by a process that never loads gRPC.

Messages are bytes on both sides; `colima` makes and reads them. What goes wrong travels as a gRPC
status with a line of text, and comes out of `unary` as the error that went in:

    ====================  =========================================
    raised by a method    status
    ====================  =========================================
    RefusedError          PERMISSION_DENIED
    UnreachableError      UNAVAILABLE
    CallError             its own
    other VeracruzError   FAILED_PRECONDITION (a `CallError` there)
    anything else: a bug  INTERNAL, without its text
    ====================  =========================================
"""

import os

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # we say what went wrong, in our words

import asyncio
import logging
import re
import signal
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent import futures
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final, Self, TypeAlias, TypeVar, cast

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from veracruz_shells.calls import Arrivals, CallSlots, peer_of
from veracruz_shells.connections import end_connection
from veracruz_shells.event_loop import event_loop
from veracruz_shells.grpc_tls import (
    TLS_REMEDY,
    channel_credentials,
    handshake_failure,
    server_credentials,
)
from veracruz_shells.health import (
    HEALTH_SERVICE,
    WATCHERS,
    WATCHERS_OF_PEER,
    Health,
    Ready,
    UnknownServiceError,
)
from veracruz_shells.listening import StopRequests, why_not_bound
from veracruz_shells.server_tls import ServerTls
from veracruz_shells.tls_files import ClientFiles
from veracruz_utils.address import Address
from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError
from veracruz_utils.frozen import frozen

BRIDGE_REMEDY: Final = (
    "the computation may be over; else have the delegate run 'sinaloa serve POLICY', or correct "
    "the address"
)
"""What to do when no bridge can be reached."""

UnaryMethod = Callable[[bytes], bytes]
"""Answers one request with one response."""

PeerMethod = Callable[[bytes, str], bytes]
"""The same, told by whom it is asked, as `calls.peer_of` says."""

_Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
_Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
_Answer = TypeVar("_Answer")
_LOG: Final = logging.getLogger(__name__)
# A status travels in the trailers, which a peer bounds (8 KiB by default in gRPC).
_MAX_DETAILS: Final = 400  # characters of text in a status
# Calls, beside those in progress: such as whose request is to come, and such as are being refused.
_ARRIVALS: Final = 64
_REFUSALS: Final = 32
_ASKED_FOR_HEALTH: Final = 2
"""Threads for health checks."""
# What failed is read from the status code alone; this only finds the system's reason to show in it.
_CONNECT_FAILURE: Final = re.compile(
    r"(?:[Cc]onnect(?: to remote host)?: |lookup error:)([A-Za-z ]{1,40}?)(?: for |[^A-Za-z ]|$)"
)


class CallStatus(StrEnum):
    """What a service answers when it does not do what was asked."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"


class CallError(VeracruzError):
    """A call that the service did not carry out; raised in a method, and again by its caller."""

    def __init__(self, status: CallStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class _GivenUpError(VeracruzError):
    """A call whose request did not come in time, or gave way to others."""

    def __init__(self) -> None:
        super().__init__("the request did not come: try again")


@frozen
class Caller:
    """Who calls.

    Attributes:
        peer: as `calls.peer_of` says.
        metadata: what came with the call, by name; of a name that came twice the last.
    """

    peer: str
    metadata: Mapping[str, str | bytes]


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


@frozen
class ServiceLimits:
    """What clients may make a service hold.

    Attributes:
        message_bytes: size of one request.
        answer_bytes: size of one answer.
        calls: of one request, in progress at once; one more is refused as RESOURCE_EXHAUSTED.
        calls_of_peer: of these for one peer, as `calls.peer_of` says; None is half of them.
        streams: in progress at once, beside the calls of one request.
        on_connection: of both, where one more waits; None is as many as in all.
        request_s: how long a request may take to come, in seconds; until it is there a call
            holds no place of `calls`, and gives way when there are too many such.
        grace_s: how long calls in progress may go on once the service ends, in seconds.
    """

    message_bytes: int = 4 << 20
    answer_bytes: int = 4 << 20
    calls: int = 16
    calls_of_peer: int | None = None
    streams: int = 16
    on_connection: int | None = None
    request_s: float = 10.0
    grace_s: float = 5.0


class GrpcService:
    """A service that listens from `with` on until the block is left.

    All calls are served by one event loop (`event_loop`); a stream costs no thread, and neither
    does who watches health. Methods of `unary` and `by_peer` may block: they run in threads, one
    for each call in progress.

    It answers the standard health checks for itself ("") and for each of its services.
    """

    def __init__(
        self,
        address: Address | str,
        *,
        unary: Mapping[str, UnaryMethod],
        by_peer: Mapping[str, PeerMethod] | None = None,
        by_caller: Mapping[str, LoopMethod] | None = None,
        streams: Mapping[str, StreamMethod] | None = None,
        limits: ServiceLimits | None = None,
        ready: Ready | None = None,
        tls: ServerTls | None = None,
    ) -> None:
        """A service that does not listen yet.

        Args:
            address: where to listen; port 0 takes a free one.
            unary: by full name, such as `/veracruz.tabasco.v1.Tabasco/Describe`.
            by_peer: by full name.
            by_caller: by full name.
            streams: by full name.
            limits: None for the usual ones.
            ready: asked by health checks, and raises when its work cannot be done; None for a
                service that can as long as it runs.
            tls: None for plain text.
        """
        self._tls = tls
        self._address = Address.parse(address) if isinstance(address, str) else address
        self._limits = limits or ServiceLimits()
        limits = self._limits
        of_peer = limits.calls_of_peer or max(1, limits.calls // 2)
        self._calls = CallSlots(limits.calls, of_peer)
        self._streams = CallSlots(limits.streams, limits.streams)
        self._arrivals = Arrivals(_ARRIVALS, limits.request_s)
        self._workers = futures.ThreadPoolExecutor(
            limits.calls + _ASKED_FOR_HEALTH, thread_name_prefix="call"
        )
        blocking = {name: _without_peer(method) for name, method in unary.items()}
        blocking |= by_peer or {}
        told = {name: self._in_thread(method) for name, method in blocking.items()}
        told |= by_caller or {}
        self._methods = {
            name: self._unary_handler(name, method, self._calls) for name, method in told.items()
        }
        self._methods |= {
            name: self._stream_handler(name, method) for name, method in (streams or {}).items()
        }
        self._watchers = CallSlots(WATCHERS, WATCHERS_OF_PEER)
        self._health = Health({name.split("/")[1] for name in self._methods}, ready, self._workers)
        self._stop_requests = StopRequests()
        self._server: grpc.aio.Server | None = None

    def __enter__(self) -> Self:
        """Start to listen.

        Raises:
            VeracruzError: the address cannot be listened on.
        """
        _warm_allocator(self._limits.message_bytes)
        try:
            port = _in_loop(self._start())
        except RuntimeError as error:
            self._stop_requests.close()  # nobody leaves a block that was not entered
            raise VeracruzError(
                f"cannot listen on {self._address}: {why_not_bound(self._address)}: "
                "choose another address, or end what listens there"
            ) from error
        self._address = Address(self._address.host, port)
        return self

    async def _start(self) -> int:
        most = self._limits.calls + self._limits.streams + WATCHERS + _ARRIVALS + _REFUSALS
        server = grpc.aio.server(
            handlers=self._handlers(),
            options=_server_options(self._limits),
            # One more is refused, not queued behind streams that may last.
            maximum_concurrent_rpcs=most,
        )
        port = self._add_port(server)
        await server.start()
        self._server = server
        return port

    def _add_port(self, server: grpc.aio.Server) -> int:
        if self._tls is None:
            return server.add_insecure_port(str(self._address))
        return server.add_secure_port(str(self._address), server_credentials(self._tls))

    def __exit__(self, *_: object) -> None:
        self._end()
        self._stop_requests.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._address.port

    @property
    def address(self) -> str:
        """Where it listens, as `host:port`."""
        return str(self._address)

    def serve_until_signalled(
        self,
        on_ready: Callable[[], None],
        *,
        on_stopping: Callable[[], None] | None = None,
        on_hangup: Callable[[], None] | None = None,
    ) -> signal.Signals | None:
        """Serve until SIGTERM, SIGINT or `stop`, then end; to be called in the main thread.

        Args:
            on_ready: called once a signal is certain to end the service cleanly.
            on_stopping: called when health says NOT_SERVING and before calls in progress get their
                grace; ends what would otherwise hold them up.
            on_hangup: called for each SIGHUP, in the main thread; without it, that ends a process.

        Returns:
            The signal, or None for `stop`.
        """
        with self._stop_requests.signals(hangup=on_hangup is not None):
            on_ready()
            request = self._stop_requests.wait(on_hangup)
            event_loop().call_soon_threadsafe(self._health.end)
            if on_stopping is not None:
                on_stopping()
            self._end()
        return request

    def stop(self) -> None:
        """Make `serve_until_signalled` return; callable from any thread, any number of times."""
        self._stop_requests.stop()

    def _end(self) -> None:
        _in_loop(self._end_calls())
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def _end_calls(self) -> None:
        self._health.end()
        if self._server is not None:
            ended = asyncio.ensure_future(self._server.stop(self._limits.grace_s))
            self._arrivals.stop()
            # A little longer than the grace, after which gRPC cancels what is left.
            await asyncio.wait({ended}, timeout=self._limits.grace_s + 5)

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        services: dict[str, dict[str, _Handler]] = {}
        for full_name, handler in self._methods.items():
            service, _, name = full_name.removeprefix("/").partition("/")
            services.setdefault(service, {})[name] = handler
        # Without a slot of calls: whether we serve is told however busy we are.
        health = {
            "Check": self._unary_handler("health", self._check_health, None),
            "Watch": self._watch_handler(),
        }
        return [
            grpc.method_handlers_generic_handler(HEALTH_SERVICE, health),
            *(
                grpc.method_handlers_generic_handler(service, methods)
                for service, methods in services.items()
            ),
        ]

    async def _check_health(self, request: bytes, _: Caller) -> bytes:
        try:
            return await self._health.check(request)
        except UnknownServiceError as error:
            raise CallError(CallStatus.NOT_FOUND, str(error)) from error

    def _in_thread(self, method: PeerMethod) -> LoopMethod:
        async def answer(request: bytes, caller: Caller) -> bytes:
            work = event_loop().run_in_executor(self._workers, method, request, caller.peer)
            return await work

        return answer

    def _unary_handler(self, name: str, method: LoopMethod, slots: CallSlots | None) -> _Handler:
        async def carry_out(context: _Context) -> bytes:
            caller = _caller_of(context)
            request = await self._request(context, caller.peer)
            with _slot(slots, caller.peer):
                return await method(request, caller)

        # A stream to gRPC, whose own wait for the one request of a call has no end.
        async def answer(_: AsyncIterator[bytes], context: _Context) -> bytes:
            return await _with_status(name, context, carry_out(context))

        return grpc.stream_unary_rpc_method_handler(answer)

    def _watch_handler(self) -> _Handler:
        async def watch(context: _Context) -> None:
            peer = peer_of(context.peer())
            request = await self._request(context, peer)
            with _slot(self._watchers, peer):
                async for answer in self._health.watch(request):
                    await context.write(answer)

        async def answer(_: AsyncIterator[bytes], context: _Context) -> None:
            await _with_status("health", context, watch(context))

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
                raise _GivenUpError from None
        if request is grpc.aio.EOF:
            raise CallError(CallStatus.INVALID_ARGUMENT, "the call has no request")
        return cast("bytes", request)

    def _stream_handler(self, name: str, method: StreamMethod) -> _Handler:
        async def carry_out(context: _Context) -> None:
            stream = Stream(context, _caller_of(context))
            with _slot(self._streams, stream.caller.peer):
                await method(stream)

        async def answer(_: AsyncIterator[bytes], context: _Context) -> None:
            await _with_status(name, context, carry_out(context))

        return grpc.stream_stream_rpc_method_handler(answer)


def open_channel(
    address: str, *, max_message_bytes: int = 4 << 20, tls: ClientFiles | None = None
) -> grpc.Channel:
    """A channel to `host:port`; it connects when first used, past any proxy.

    Args:
        address: where to.
        max_message_bytes: size of a message, either way.
        tls: whom to believe, and what to show; None for plain text.

    Raises:
        VeracruzError: `address` is not `host:port`, or a file of TLS cannot be used.
    """
    _warm_allocator(max_message_bytes)
    place = str(Address.parse(address))
    options = [
        *_common_options(receive=max_message_bytes, send=max_message_bytes),
        # A proxy named in the environment would see all of what is in plain text.
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),  # one channel's failures do not delay the next
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # No limit: a stream may wait long for a computation, kept by pings alone.
        ("grpc.http2.max_pings_without_data", 0),
    ]
    if tls is None:
        return grpc.insecure_channel(place, options=options)
    return grpc.secure_channel(place, channel_credentials(tls), options=options)


def unary(
    channel: grpc.Channel,
    method: str,
    request: bytes,
    *,
    timeout_s: float,
    peer: str,
    remedy: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """The response to one request.

    Args:
        channel: from `open_channel`.
        method: full name, such as `/veracruz.tabasco.v1.Tabasco/Describe`.
        request: the message.
        timeout_s: how long to wait for all of it, in seconds.
        peer: for the error, such as `tabasco at 127.0.0.1:3010`.
        remedy: for the error, what to do if there is no such peer.
        metadata: what goes with the call, by name.

    Raises:
        RefusedError: the service's attestation or policy says no.
        UnreachableError: nobody there, or no answer in time.
        CallError, VeracruzError: the service did not do it.
    """
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    try:
        return call(request, timeout=timeout_s, metadata=tuple((metadata or {}).items()))
    except grpc.RpcError as error:
        raise error_of_call(error, peer=peer, remedy=remedy) from error


def error_of_call(error: grpc.RpcError, *, peer: str, remedy: str | None = None) -> VeracruzError:
    """What a failed call means, in our words; for callers of streams, as `unary` does it itself."""
    outcome = cast("grpc.Call", error)  # what every call raises is both
    code, text = outcome.code(), outcome.details() or ""
    details = repr(text[:_MAX_DETAILS])
    remedy = remedy or f"start it with '{peer.split(maxsplit=1)[0]} serve', or correct the address"
    if code is grpc.StatusCode.UNAVAILABLE:
        return UnreachableError(f"{peer} {_unavailable(text, remedy)}")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return UnreachableError(f"{peer} did not answer in time: {remedy}")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return VeracruzError(f"{peer} is another service ({code.name}): correct the address")
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return RefusedError(f"{peer} refuses: {details}")
    if code.name in CallStatus.__members__:
        return CallError(CallStatus[code.name], f"{peer} answers: {details}")
    return VeracruzError(f"{peer} fails with {code.name}: {details}")


def _unavailable(text: str, remedy: str) -> str:
    """What became of a connection, and what to do."""
    failed = handshake_failure(text)
    if failed is not None:
        return f"and we do not agree on TLS ({failed}): {TLS_REMEDY}"
    reason = _CONNECT_FAILURE.search(text)
    if reason is None:
        return f"is not available: {text[:_MAX_DETAILS]!r}: {remedy}"
    return f"cannot be reached ({reason[1].strip().lower()}): {remedy}"


def is_serving(channel: grpc.Channel, *, service: str = "", timeout_s: float = 2.0) -> bool:
    """Whether a health check says that `service`, or all of the peer, is being served."""
    request = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    try:
        response = unary(
            channel, f"/{HEALTH_SERVICE}/Check", request, timeout_s=timeout_s, peer="service"
        )
    except VeracruzError:
        return False
    status = health_pb2.HealthCheckResponse.FromString(response).status
    return status == health_pb2.HealthCheckResponse.SERVING


def _without_peer(method: UnaryMethod) -> PeerMethod:
    return lambda request, _: method(request)


def _in_loop(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """What `work` gives, done by the event loop; not to be called there."""
    return asyncio.run_coroutine_threadsafe(work, event_loop()).result()


def _caller_of(context: _Context) -> Caller:
    return Caller(peer_of(context.peer()), dict(context.invocation_metadata() or ()))


@contextmanager
def _slot(slots: CallSlots | None, peer: str) -> Iterator[None]:
    """A place among the calls in progress, where those are counted."""
    if slots is None:
        yield
        return
    if not slots.take(peer):
        raise CallError(
            CallStatus.RESOURCE_EXHAUSTED,
            "too many calls are in progress, of one address or of all: try again later",
        )
    try:
        yield
    finally:
        slots.give_back(peer)


async def _with_status(name: str, context: _Context, work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """What `work` gives, or its error as a status."""
    try:
        return await work
    except (grpc.RpcError, grpc.aio.BaseError):
        raise  # the client went away; gRPC knows
    except VeracruzError as error:
        code, text = _code_of(error), " ".join(str(error).split())[:_MAX_DETAILS]
    except Exception:  # noqa: BLE001 - a bug in one call must not end the service
        _LOG.exception("call failed: %s", name)
        code, text = grpc.StatusCode.INTERNAL, "internal error; the service's log has more"
    return await context.abort(code, text)


def _code_of(error: VeracruzError) -> grpc.StatusCode:
    match error:
        case _GivenUpError():
            return grpc.StatusCode.CANCELLED
        case CallError():
            return grpc.StatusCode[error.status.name]
        case RefusedError():
            return grpc.StatusCode.PERMISSION_DENIED
        case UnreachableError():
            return grpc.StatusCode.UNAVAILABLE
    return grpc.StatusCode.FAILED_PRECONDITION


def _warm_allocator(message_bytes: int) -> None:
    """Have the memory of a message kept for the next one, not given back to the system each time.

    The C library's allocator learns from the size of a block that is freed which sizes come and go
    (mallopt(3), M_MMAP_THRESHOLD); nothing here touches the block, so it costs nothing.
    """
    _ = bytes(4 * message_bytes)


def _common_options(*, receive: int, send: int) -> Sequence[tuple[str, int]]:
    return (
        ("grpc.max_receive_message_length", receive),
        ("grpc.max_send_message_length", send),
        ("grpc.compression_enabled_algorithms_bitset", 1),  # none: nothing small unpacks to much
        ("grpc.keepalive_time_ms", 30_000),  # so that a peer that vanished is noticed
        ("grpc.keepalive_timeout_ms", 20_000),
    )


def _server_options(limits: ServiceLimits) -> Sequence[tuple[str, int]]:
    return (
        *_common_options(receive=limits.message_bytes, send=limits.answer_bytes),
        # Until then a client that connects and says nothing holds a descriptor of ours.
        ("grpc.server_handshake_timeout_ms", int(limits.request_s * 1000)),
        ("grpc.so_reuseport", 0),  # a port in use is an error, not half of the calls
        ("grpc.max_concurrent_streams", limits.on_connection or limits.calls + limits.streams),
        # Less than the 30 s of our own clients, or else their pings would be strikes.
        ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
        ("grpc.http2.max_ping_strikes", 2),
    )
