"""The principal's side of a session: TLS to an isolate through Sinaloa, and frames in it."""

from baja import EndpointConfig
from baja.client import ClientEndpoint
from jalisco.connection import PIECE_BYTES, Connection
from jalisco.errors import (
    BridgeBusyError,
    IsolateRefusedError,
    IsolateSilentError,
    SessionError,
    SessionLostError,
    WrongIsolateError,
)
from jalisco.transport import SinaloaTransport, Transport

__all__ = [
    "PIECE_BYTES",
    "BridgeBusyError",
    "ClientEndpoint",
    "Connection",
    "EndpointConfig",
    "IsolateRefusedError",
    "IsolateSilentError",
    "SessionError",
    "SessionLostError",
    "SinaloaTransport",
    "Transport",
    "WrongIsolateError",
]
