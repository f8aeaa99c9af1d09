"""A gRPC service over TCP with limits, health and a clean end.

Messages are bytes on both sides; `colima` makes and reads them. What goes wrong travels as
`call_errors` says.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent import futures
from typing import Any, Final, Self, TypeVar

from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.call_handlers import (
    Caller,
    CallHandlers,
    Handler,
    LoopMethod,
    PeerMethod,
    StreamMethod,
    UnaryMethod,
    in_thread,
)
from veracruz_shells.calls import Arrivals, CallSlots
from veracruz_shells.event_loop import event_loop
from veracruz_shells.grpc_metrics import CALLS_NOW
from veracruz_shells.grpc_setup import common_options, grpc, warm_allocator
from veracruz_shells.grpc_tls import server_credentials
from veracruz_shells.health import (
    HEALTH_SERVICE,
    WATCHERS,
    WATCHERS_OF_PEER,
    Health,
    Ready,
    UnknownServiceError,
)
from veracruz_shells.listening import StopRequests, cannot_listen, why_not_bound
from veracruz_shells.metrics import Look
from veracruz_shells.server_tls import ServerTls
from veracruz_utils.address import Address
from veracruz_utils.frozen import frozen

_Answer = TypeVar("_Answer")
# Calls, beside those in progress: such as whose request is to come, and such as are being refused.
_ARRIVALS: Final = 64
_REFUSALS: Final = 32
_ASKED_FOR_HEALTH: Final = 2
"""Threads for health checks."""


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
        self._arrivals = Arrivals(_ARRIVALS, limits.request_s)
        self._workers = futures.ThreadPoolExecutor(
            limits.calls + _ASKED_FOR_HEALTH, thread_name_prefix="call"
        )
        blocking = {name: _without_peer(method) for name, method in unary.items()}
        blocking |= by_peer or {}
        told = {name: in_thread(method, self._workers) for name, method in blocking.items()}
        told |= by_caller or {}
        self._handling = CallHandlers(self._arrivals)
        of_peer = limits.calls_of_peer or max(1, limits.calls // 2)
        self._calls = CallSlots(limits.calls, of_peer)
        self._streams = CallSlots(limits.streams, limits.streams)
        self._methods = {
            name: self._handling.unary(name, method, self._calls) for name, method in told.items()
        }
        self._methods |= {
            name: self._handling.stream(name, method, self._streams)
            for name, method in (streams or {}).items()
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
        warm_allocator(self._limits.message_bytes)
        try:
            port = _in_loop(self._start())
        except RuntimeError as error:
            self._stop_requests.close()  # nobody leaves a block that was not entered
            raise cannot_listen(self._address, why_not_bound(self._address)) from error
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

    @property
    def looks(self) -> Mapping[str, Look]:
        """How its metrics are looked at that change from moment to moment, by name."""
        return {
            CALLS_NOW.name: lambda: {
                ("in-progress",): len(self._calls),
                ("streams",): len(self._streams),
                ("arriving",): len(self._arrivals),
            }
        }

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
        services: dict[str, dict[str, Handler]] = {}
        for full_name, handler in self._methods.items():
            service, _, name = full_name.removeprefix("/").partition("/")
            services.setdefault(service, {})[name] = handler
        # Without a slot of calls: whether we serve is told however busy we are.
        health = {
            "Check": self._handling.always("health", self._check_health),
            "Watch": self._handling.watch("health", self._health.watch, self._watchers),
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


def _without_peer(method: UnaryMethod) -> PeerMethod:
    return lambda request, _: method(request)


def _in_loop(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """What `work` gives, done by the event loop; not to be called there."""
    return asyncio.run_coroutine_threadsafe(work, event_loop()).result()


def _server_options(limits: ServiceLimits) -> Sequence[tuple[str, int]]:
    return (
        *common_options(receive=limits.message_bytes, send=limits.answer_bytes),
        # Until then a client that connects and says nothing holds a descriptor of ours.
        ("grpc.server_handshake_timeout_ms", int(limits.request_s * 1000)),
        ("grpc.so_reuseport", 0),  # a port in use is an error, not half of the calls
        ("grpc.max_concurrent_streams", limits.on_connection or limits.calls + limits.streams),
        # Less than the 30 s of our own clients, or else their pings would be strikes.
        ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
        ("grpc.http2.max_ping_strikes", 2),
    )
