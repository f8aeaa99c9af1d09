"""The principal's end of a session with one attested isolate."""

from OpenSSL import SSL

from baja.context import EndpointConfig, PeerCheck, build_context
from baja.errors import LocalError, TlsFault
from baja.session import Endpoint
from veracruz_utils.digest import Digest


class ClientEndpoint(Endpoint):
    """The principal's end of one session; call `start` first.

    Args:
        config: the principal's key, certificate and the policy's suite.
        server_certificate_digest: SHA-256 of the only certificate the isolate may show.
        server_name: the name sent in clear with the hello; authenticates nothing.

    Attributes:
        certificate_digest: SHA-256 of our certificate.
        server_certificate_digest: the pin.

    Raises:
        LocalError: a key that is not the certificate's, or a name that cannot be sent.
    """

    def __init__(
        self, config: EndpointConfig, *, server_certificate_digest: Digest, server_name: str
    ) -> None:
        if not (
            server_name.isascii() and server_name.isprintable() and 1 <= len(server_name) <= 255
        ):
            raise LocalError(f"server name {server_name[:80]!r} is not 1 to 255 ASCII characters")

        def judge(certificate: bytes) -> TlsFault | None:
            pinned = Digest.of(certificate) == server_certificate_digest
            return None if pinned else TlsFault.UNKNOWN_CERTIFICATE

        tls = SSL.Connection(build_context(config, server=False), None)
        tls.set_tlsext_host_name(server_name.encode("ascii"))
        tls.set_connect_state()
        super().__init__(tls, config.ciphersuite, PeerCheck(judge))
        self.certificate_digest = Digest.of(config.certificate)
        self.server_certificate_digest = server_certificate_digest
