"""Clients of our services: a channel, and calls of one request over it.

Messages are bytes; `colima` makes and reads them. What goes wrong is raised as `call_errors` says.
"""

from collections.abc import Mapping
from typing import Final

from grpc_health.v1 import health_pb2

from veracruz_shells.call_errors import error_of_call
from veracruz_shells.grpc_setup import common_options, grpc, warm_allocator
from veracruz_shells.grpc_tls import channel_credentials
from veracruz_shells.grpc_traces import call_made, is_traced
from veracruz_shells.health import HEALTH_SERVICE
from veracruz_shells.tls_files import ClientFiles
from veracruz_shells.traces import TRACEPARENT, is_tracing, tell, traceparent
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError

BRIDGE_REMEDY: Final = (
    "the computation may be over; else have the delegate run 'sinaloa serve POLICY', or correct "
    "the address"
)
"""What to do when no bridge can be reached."""


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
    warm_allocator(max_message_bytes)
    place = str(Address.parse(address))
    options = [
        *common_options(receive=max_message_bytes, send=max_message_bytes),
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

    def answer(*sent: tuple[str, str]) -> bytes:
        try:
            return call(request, timeout=timeout_s, metadata=sent)
        except grpc.RpcError as error:
            raise error_of_call(error, peer=peer, remedy=remedy) from error

    sent = (metadata or {}).items()
    if not is_tracing() or not is_traced(method):
        return answer(*sent)
    with call_made(method).span(bytes_out=len(request)):
        found = answer(*sent, *traced_metadata())
        tell(bytes_in=len(found))
        return found


def traced_metadata() -> tuple[tuple[str, str], ...]:
    """What goes with a call, so that what it causes is a part of the span that is under way."""
    parent = traceparent()
    return () if parent is None else ((TRACEPARENT, parent),)


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
