"""The isolate's end: one context for all sessions, one endpoint per session."""

from collections.abc import Collection
from datetime import datetime
from functools import partial

from OpenSSL import SSL

from baja.context import EndpointConfig, PeerCheck, build_context, load_certificate
from baja.errors import TlsFault
from baja.session import Endpoint


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
        tls = SSL.Connection(self._context, None)
        tls.set_accept_state()
        return Endpoint(tls, self._suite, PeerCheck(partial(self.judge, now=now)))

    def judge(self, certificate: bytes, *, now: datetime) -> TlsFault | None:
        """What is wrong with a client showing `certificate` (DER); None when it may come in."""
        validity = self._validity.get(certificate)
        if validity is None:
            return TlsFault.UNKNOWN_CERTIFICATE
        not_before, not_after = validity
        if now < not_before:
            return TlsFault.PREMATURE_CERTIFICATE
        return TlsFault.EXPIRED_CERTIFICATE if now > not_after else None
