"""TLS endpoint core over OpenSSL memory buffers, and certificate making; no sockets, no clocks.

The client's end is `baja.client`: an isolate, which loads this package, has no use for it.
"""

from baja.certificate import KeyAndCertificate, make_certificate
from baja.context import EndpointConfig, PrivateKey
from baja.errors import LocalError, PeerError, TlsError, TlsFault
from baja.events import Event, HandshakeCompleted, PeerClosed, PlaintextReceived
from baja.server import ServerContext
from baja.session import Endpoint, Phase

__all__ = [
    "Endpoint",
    "EndpointConfig",
    "Event",
    "HandshakeCompleted",
    "KeyAndCertificate",
    "LocalError",
    "PeerClosed",
    "PeerError",
    "Phase",
    "PlaintextReceived",
    "PrivateKey",
    "ServerContext",
    "TlsError",
    "TlsFault",
    "make_certificate",
]
