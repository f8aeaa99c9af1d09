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
from sinaloa.session import BridgeSession
from veracruz_shells.service import CallError, CallStatus, ServiceLimits, StreamMethod, UnaryMethod
from veracruz_utils.errors import UnreachableError

# isort: split
import grpc

_LOG: Final = logging.getLogger(__name__)
_OTHER_CALLS: Final = 16  # beside sessions: attestation, health, and refusals of sessions
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
            max_sessions: at once; one more is refused as RESOURCE_EXHAUSTED.
            stall_s: how long either side of a session may leave a piece untaken, and a principal
                stay silent at its beginning, in seconds.
        """
        self._isolate = isolate
        self._max_sessions = max_sessions
        self._stall_s = stall_s
        self._lock = threading.Lock()
        self._sessions: set[BridgeSession] = set()
        self._open = 0
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
        return {f"/{SERVICE}/Attest": self._attest, f"/{SERVICE}/Describe": self._describe}

    @property
    def streams(self) -> Mapping[str, StreamMethod]:
        """The streaming methods, by full name."""
        return {f"/{SERVICE}/Session": self._session}

    @property
    def limits(self) -> ServiceLimits:
        """What a service of these methods should hold."""
        return ServiceLimits(
            message_bytes=MAX_CHUNK_BYTES + 1024, calls=self._max_sessions + _OTHER_CALLS
        )

    def cut_sessions(self) -> None:
        """End all sessions, as the bridge itself is ending."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.cut(UnreachableError("the session was cut off: the bridge is ending"))

    def _attest(self, request: bytes) -> bytes:
        challenge = _read(AttestRequest, request).challenge
        return encode(AttestResponse(self._isolate.attest(challenge)))

    def _describe(self, request: bytes) -> bytes:
        _read(DescribeIsolateRequest, request)
        launched = self._isolate.launched
        return encode(DescribeIsolateResponse(launched.policy_digest, launched.platform))

    def _session(self, chunks: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        # The place first: whoever is refused costs no socket pair, and the isolate nothing.
        with self._place():
            session = BridgeSession(self._isolate.open_session(), context.cancel)
            with self._registered(session):
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

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A place among the sessions that may be open."""
        with self._lock:
            if self._open >= self._max_sessions:
                _LOG.warning("session refused: %d are open", self._open)
                raise CallError(
                    CallStatus.RESOURCE_EXHAUSTED,
                    f"{self._max_sessions} sessions are open, which is the limit: try again later",
                )
            self._open += 1
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1

    @contextmanager
    def _registered(self, session: BridgeSession) -> Iterator[None]:
        with self._lock:
            self._sessions.add(session)
        _LOG.info("session opened")
        try:
            yield
        finally:
            with self._lock:
                self._sessions.discard(session)
            _LOG.info("session ended")

    def _cut_stalled(self) -> None:
        """The watchdog's thread."""
        while not self._over.wait(min(_TICK_S, self._stall_s)):
            since = time.monotonic() - self._stall_s
            with self._lock:
                stalled = [session for session in self._sessions if session.stalled(since)]
            # Without the lock: every session takes it as it ends, some of them because of this.
            for session in stalled:
                _LOG.warning("session cut off: a side took nothing for too long")
                session.cut(
                    CallError(
                        CallStatus.FAILED_PRECONDITION,
                        "the session was cut off: a side was idle too long",
                    )
                )


def _read(kind: type[_Message], request: bytes) -> _Message:
    try:
        return decode(kind, request)
    except WireError as error:
        raise CallError(CallStatus.INVALID_ARGUMENT, f"malformed request: {error}") from error
