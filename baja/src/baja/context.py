"""The settings both ends share: exactly one version, one suite, one protocol, one pinned peer set.

OpenSSL's certificate store stays empty, so OpenSSL by itself trusts nobody: each certificate is an
error to it, and the callback forgives that error for the exact bytes that are pinned, at depth 0.
A pinned certificate that happens to be CA:TRUE therefore vouches for nothing but itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from OpenSSL import SSL, crypto

from baja.errors import LocalError, TlsFault
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import CipherSuite, TlsVersion

PROTOCOL: Final = b"veracruz/1"
"""The application protocol (ALPN) both ends must agree on."""

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
"""Keys an endpoint can sign a handshake with; an isolate's is always P-256."""

Judge = Callable[[bytes], TlsFault | None]
"""What is wrong with a peer that shows this certificate (DER); None when it is the pinned one."""

_MODE_ENABLE_PARTIAL_WRITE: Final = 1  # set by pyOpenSSL, which has no name for it

_VERSIONS: Final = {
    TlsVersion.TLS_1_2: SSL.TLS1_2_VERSION,
    TlsVersion.TLS_1_3: SSL.TLS1_3_VERSION,
}


@frozen
class EndpointConfig:
    """Who we are in a session and how it is protected.

    Attributes:
        ciphersuite: the policy's; its version is the only one spoken.
        private_key: signs our side of the handshake; never shows in `repr`.
        certificate: ours, DER.
    """

    ciphersuite: CipherSuite
    private_key: PrivateKey = field(repr=False)
    certificate: bytes


@dataclass(slots=True)
class PeerCheck:
    """The pinning of one session; OpenSSL's callback finds it as the connection's app data."""

    judge: Judge
    certificate: bytes | None = None  # DER of the certificate last judged
    fault: TlsFault | None = TlsFault.NO_CERTIFICATE

    def examine(self, certificate: bytes, depth: int) -> bool:
        """Whether the handshake may go on; only a certificate standing for itself may."""
        self.certificate = certificate
        self.fault = self.judge(certificate) if depth == 0 else TlsFault.UNKNOWN_CERTIFICATE
        return self.fault is None

    @property
    def digest(self) -> str | None:
        """SHA-256 of the certificate last judged, in hexadecimal."""
        return None if self.certificate is None else str(Digest.of(self.certificate))


def der_of(certificate: crypto.X509) -> bytes:
    """The exact bytes of a certificate the peer showed, without interpreting them."""
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)


def load_certificate(der: bytes) -> x509.Certificate:
    """Our own or a pinned certificate.

    Raises:
        LocalError: not a certificate in DER.
    """
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise LocalError(f"not a certificate in DER: {len(der)} bytes") from error


def _verify(tls: SSL.Connection, shown: crypto.X509, _error: int, depth: int, _ok: int) -> bool:
    check: PeerCheck = tls.get_app_data()
    return check.examine(der_of(shown), depth)


class NoCommonProtocolError(Exception):
    """Raised inside OpenSSL's callback; becomes the alert no_application_protocol."""


def _select_protocol(_tls: SSL.Connection, offered: list[bytes]) -> bytes:
    if PROTOCOL in offered:
        return PROTOCOL
    raise NoCommonProtocolError


def _restrict(context: SSL.Context, suite: CipherSuite) -> None:
    """Leave exactly one version and one suite, and nothing that outlives a session."""
    version = _VERSIONS[suite.version]
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    if suite.version is TlsVersion.TLS_1_3:
        context.set_tls13_ciphersuites(suite.openssl_name.encode())
    else:
        context.set_cipher_list(suite.openssl_name.encode())
    # Renegotiated, a TLS 1.2 session could show another certificate than the one that was judged.
    # pyOpenSSL cannot set the number of TLS 1.3 tickets to 0. With these two options the tickets a
    # server still sends are bare names of sessions that nobody stored: they resume nothing.
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # Saves some 34 KiB of each idle connection (SSL_CTX_set_mode(3)), of which there may be many.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Memory takes whatever OpenSSL writes: many records are one write, not one each.
    context.clear_mode(_MODE_ENABLE_PARTIAL_WRITE)


def _identify(context: SSL.Context, config: EndpointConfig) -> None:
    context.use_certificate(load_certificate(config.certificate))
    context.use_privatekey(config.private_key)
    context.check_privatekey()


def build_context(config: EndpointConfig, *, server: bool) -> SSL.Context:
    """OpenSSL's settings for one role; each connection brings its own `PeerCheck`.

    Raises:
        LocalError: the key is not the certificate's, or OpenSSL does not know the suite.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD if server else SSL.TLS_CLIENT_METHOD)
    # Without the second flag OpenSSL accepts a client that shows none, and `_verify` is not called.
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
    if server:
        context.set_alpn_select_callback(_select_protocol)
    else:
        context.set_alpn_protos([PROTOCOL])
    digest = Digest.of(config.certificate)
    try:
        _restrict(context, config.ciphersuite)
    except SSL.Error as error:
        raise LocalError(f"ciphersuite {config.ciphersuite.name} is not available") from error
    try:
        _identify(context, config)
    except SSL.Error as error:
        raise LocalError(
            f"private key and certificate {digest} do not belong together or are too weak"
        ) from error
    return context
