"""The bridge's gRPC methods, and the sessions that are open."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Self, TypeVar

from colima import WireError, decode, encode
from colima.sinaloa import (
    MAX_CHUNK_BYTES,
    SERVICE,
    AttestRequest,
    AttestResponse,
    DescribeIsolateRequest,
    DescribeIsolateResponse,
)
from sinaloa.isolate import IsolateLink
from sinaloa.peers import AttestationQuota
from sinaloa.places import GaveWayError, Places
from sinaloa.session import BridgeSession
from veracruz_shells.calls import peer_of
from veracruz_shells.service import (
    CallError,
    CallStatus,
    PeerMethod,
    ServiceLimits,
    StreamMethod,
    UnaryMethod,
)
from veracruz_utils.errors import UnreachableError

# isort: split
import grpc

_LOG: Final = logging.getLogger(__name__)
_CALLS: Final = 64
"""Beside sessions: attestation and description."""
_CALLS_OF_PEER: Final = 16
_OTHER_SESSIONS: Final = 64
"""Beside those that have a place: such as are being refused or give way."""
_ON_CONNECTION: Final = 64
"""On one connection, so that none takes all; a principal's own client has one at a time."""
_TICK_S: Final = 5.0
_Message = TypeVar("_Message", AttestRequest, DescribeIsolateRequest)


class Bridge:
    """What principals can ask of the bridge, for as long as the `with` block lasts.

    It looks at nothing that passes, and nothing it says is to be believed: principals hold their
    tokens against their own policy, and their sessions end inside the isolate.
    """

    def __init__(self, isolate: IsolateLink, *, max_sessions: int, stall_s: float = 60.0) -> None:
        """A bridge to `isolate`.

        Args:
            isolate: where the sessions go.
            max_sessions: at once. For one more another gives way that has not shaken hands; if all
                have, it is refused as RESOURCE_EXHAUSTED.
            stall_s: how long either side of a session may leave a piece untaken, and a principal
                stay silent at its beginning, in seconds.
        """
        self._isolate = isolate
        self._max_sessions = max_sessions
        self._stall_s = stall_s
        self._places = Places(max_sessions)
        self._asking = threading.Lock()
        self._quota = AttestationQuota()
        self._over = threading.Event()
        self._watchdog = threading.Thread(target=self._cut_stalled, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watchdog.join()
        self.cut_sessions()

    @property
    def unary(self) -> Mapping[str, UnaryMethod]:
        """The methods of one request and one response, by full name."""
        return {f"/{SERVICE}/Describe": self._describe}

    @property
    def by_peer(self) -> Mapping[str, PeerMethod]:
        """Those that look at who asks."""
        return {f"/{SERVICE}/Attest": self._attest}

    @property
    def streams(self) -> Mapping[str, StreamMethod]:
        """The streaming methods, by full name."""
        return {f"/{SERVICE}/Session": self._session}

    @property
    def limits(self) -> ServiceLimits:
        """What a service of these methods should hold."""
        return ServiceLimits(
            message_bytes=MAX_CHUNK_BYTES + 1024,
            calls=_CALLS,
            calls_of_peer=_CALLS_OF_PEER,
            streams=self._max_sessions + _OTHER_SESSIONS,
            on_connection=_ON_CONNECTION,
        )

    def cut_sessions(self) -> None:
        """End all sessions, as the bridge itself is ending."""
        for session in self._places.sessions():
            session.cut(UnreachableError("the session was cut off: the bridge is ending"))

    def _attest(self, request: bytes, peer: str) -> bytes:
        challenge = _read(AttestRequest, request).challenge
        sites = self._places.sites_beside(peer)
        with self._asking:
            self._quota.take(peer, sites=sites, now=time.monotonic())
        return encode(AttestResponse(self._isolate.attest(challenge)))

    def _describe(self, request: bytes) -> bytes:
        _read(DescribeIsolateRequest, request)
        launched = self._isolate.launched
        return encode(DescribeIsolateResponse(launched.policy_digest, launched.platform))

    def _session(self, chunks: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        # The place first: whoever is refused costs no socket pair, and the isolate nothing.
        with self._places.place(peer_of(context.peer())) as place:
            channel = self._isolate.open_session(place.let_in)
            session = BridgeSession(channel, context.cancel)
            if not self._places.occupy(place, session):
                channel.close()
                raise GaveWayError
            with _logged():
                uploading = threading.Thread(
                    target=session.upload, args=(chunks,), name="upload", daemon=True
                )
                uploading.start()
                # False: the call is over by now, and gRPC will not call it any more.
                if not context.add_callback(session.hang_up):
                    session.hang_up()
                yield from session.download()
                if session.cut_off is not None:
                    raise session.cut_off

    def _cut_stalled(self) -> None:
        """The watchdog's thread."""
        while not self._over.wait(min(_TICK_S, self._stall_s)):
            since = time.monotonic() - self._stall_s
            stalled = [each for each in self._places.sessions() if each.stalled(since)]
            for session in stalled:
                _LOG.warning("session cut off: a side took nothing for too long")
                session.cut(
                    CallError(
                        CallStatus.FAILED_PRECONDITION,
                        "the session was cut off: a side was idle too long",
                    )
                )


@contextmanager
def _logged() -> Iterator[None]:
    _LOG.info("session opened")
    try:
        yield
    finally:
        _LOG.info("session ended")


def _read(kind: type[_Message], request: bytes) -> _Message:
    try:
        return decode(kind, request)
    except WireError as error:
        raise CallError(CallStatus.INVALID_ARGUMENT, f"malformed request: {error}") from error
