"""The principal's side of a session: TLS to an isolate through Sinaloa, and frames in it."""

from baja import EndpointConfig
from baja.client import ClientEndpoint
from jalisco.bulk import BulkTransport
from jalisco.connection import PIECE_BYTES, Connection
from jalisco.errors import (
    BridgeBusyError,
    IsolateRefusedError,
    IsolateSilentError,
    NoBulkPortError,
    SessionError,
    SessionLostError,
    WrongIsolateError,
)
from jalisco.stream import SinaloaTransport, open_session_channel
from jalisco.transport import Transport

__all__ = [
    "PIECE_BYTES",
    "BridgeBusyError",
    "BulkTransport",
    "ClientEndpoint",
    "Connection",
    "EndpointConfig",
    "IsolateRefusedError",
    "IsolateSilentError",
    "NoBulkPortError",
    "SessionError",
    "SessionLostError",
    "SinaloaTransport",
    "Transport",
    "WrongIsolateError",
    "open_session_channel",
]
