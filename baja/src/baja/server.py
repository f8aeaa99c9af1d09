"""The isolate's end: one context for all sessions, one endpoint per session."""

from collections.abc import Collection
from datetime import datetime
from functools import partial

from OpenSSL import SSL

from baja.context import EndpointConfig, PeerCheck, build_context, load_certificate
from baja.errors import TlsFault
from baja.session import Endpoint
from veracruz_utils.policy import CipherSuite


class ServerContext:
    """What all sessions of one isolate share: its key, its suite and the policy's certificates.

    Building one parses every certificate; an `endpoint` then costs some ten microseconds.

    Raises:
        LocalError: an accepted certificate is not one, or the key is not the certificate's.
    """

    def __init__(self, config: EndpointConfig, *, accepted: Collection[bytes]) -> None:
        self._suite = config.ciphersuite
        self._context = build_context(config, server=True)
        # First and last moment each pinned certificate may be used, both included.
        self._validity: dict[bytes, tuple[datetime, datetime]] = {}
        for der in accepted:
            certificate = load_certificate(der)
            self._validity[bytes(der)] = (
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
            )

    def endpoint(self, *, now: datetime) -> Endpoint:
        """A new session, which judges the client's certificate as of `now` (with time zone)."""
        return Endpoint(*self.prepare(now))

    def prepare(self, now: datetime) -> tuple[SSL.Connection, CipherSuite, PeerCheck]:
        """The parts of a new session."""
        tls = SSL.Connection(self._context, None)
        tls.set_accept_state()
        return tls, self._suite, PeerCheck(partial(self.judge, now=now))

    def judge(self, certificate: bytes, *, now: datetime) -> TlsFault | None:
        """What is wrong with a client showing `certificate` (DER); None when it may come in."""
        validity = self._validity.get(certificate)
        if validity is None:
            return TlsFault.UNKNOWN_CERTIFICATE
        not_before, not_after = validity
        if now < not_before:
            return TlsFault.PREMATURE_CERTIFICATE
        return TlsFault.EXPIRED_CERTIFICATE if now > not_after else None


class ServerEndpoint(Endpoint):
    """The isolate's end of a single session, with a context of its own.

    Whoever serves many sessions makes one `ServerContext` and asks it for each `endpoint`.

    Args:
        config: the isolate's key, certificate and suite.
        accepted: DER of the only certificates a client may show.
        now: the moment (with time zone) at which the client's certificate must be valid.
    """

    def __init__(
        self, config: EndpointConfig, *, accepted: Collection[bytes], now: datetime
    ) -> None:
        super().__init__(*ServerContext(config, accepted=accepted).prepare(now))
