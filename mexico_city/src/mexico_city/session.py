"""One principal's connection: TLS on the outside, a dialogue inside."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from baja import (
    Endpoint,
    HandshakeCompleted,
    LocalError,
    PeerError,
    PlaintextReceived,
    ServerContext,
)
from baja.records import RecordCounter
from colima.runtime import RefusalReason
from mexico_city.dialogue import MOST_PIECE_BYTES, Dialogue, RequestHandler
from mexico_city.errors import DeniedError
from veracruz_utils.policy import Policy, PolicyIdentity

HANDSHAKE_TIMEOUT_S: Final = 10.0
PROGRESS_TIMEOUT_S: Final = 60.0
"""How long a principal may take over the next byte of a request or upload it has begun."""
IDLE_TIMEOUT_S: Final = 1800.0
SESSIONS_BYTES: Final = 1152 * 1024 * 1024
"""What all sessions of an isolate may have of its memory; see `piece_bytes`."""
_SESSION_BYTES: Final = 64 * 1024
"""What one has that was let in and moved no content; TLS is 40 KiB of it."""
_PIECES_PENDING: Final = 4
"""What one session may have of unsent bytes: a result is read on as its principal takes it."""
_PIECES_HELD: Final = 10
"""All of one session in pieces: what is unsent and one more, what came and was not looked at, and
what OpenSSL has of both and keeps afterwards."""

_RECORDS_AT_ONCE: Final = 32
"""Of one session in a turn of the loop; full ones are more bytes than are received at once."""
_RECORD_WORTH_BYTES: Final = 512
_MOST_THIN_RECORDS: Final = 1024
"""That a session may send beyond one for each request, upload and 512 bytes. No client comes near
that sends a request in one record and content in full ones; a flood of KeyUpdates, of which it
takes one in gigabytes, or of single bytes is there at once."""


def piece_bytes(sessions: int) -> int:
    """How much is received or read of one session at once, where there may be so many of them.

    The more there may be the less, so that all of them together fit into `SESSIONS_BYTES`.
    """
    piece = MOST_PIECE_BYTES
    while sessions * (_SESSION_BYTES + _PIECES_HELD * piece) > SESSIONS_BYTES:
        piece //= 2
    return piece


class Session:
    """Bytes in, bytes out; no socket, no clock.

    The identity behind a session is the one whose certificate the TLS handshake proved.

    Args:
        context: our side of TLS.
        policy: who is let in.
        handler: where requests are decided.
        now: the time to judge certificates at.
        admits: whether another session of this principal may be had now.
        ready: called when there is something to send, whoever caused it.
        piece_bytes: how much of a result is read at once.
    """

    def __init__(
        self,
        context: ServerContext,
        policy: Policy,
        handler: RequestHandler,
        *,
        now: datetime,
        admits: Callable[[PolicyIdentity], bool],
        ready: Callable[[], None],
        piece_bytes: int = MOST_PIECE_BYTES,
    ) -> None:
        self._endpoint: Endpoint = context.endpoint(now=now)
        self._policy = policy
        self._handler = handler
        self._admits = admits
        self._ready = ready
        self._piece_bytes = piece_bytes
        self._most_pending = _PIECES_PENDING * piece_bytes
        self._dialogue: Dialogue | None = None
        self._records = RecordCounter()
        self._unopened = memoryview(b"")
        self._thin = 0
        self._ended = False

    @property
    def identity(self) -> PolicyIdentity | None:
        """The principal that has been let in; None before that."""
        return None if self._dialogue is None else self._dialogue.identity

    @property
    def timeout_s(self) -> float:
        """How long the other side may be silent, in seconds; forever while we owe it an answer."""
        if self._dialogue is None:
            return HANDSHAKE_TIMEOUT_S
        if self._dialogue.midway:
            return PROGRESS_TIMEOUT_S
        return IDLE_TIMEOUT_S if self._dialogue.listening else float("inf")

    @property
    def backlog(self) -> bool:
        """Whether there is something here that `data_to_send` has still to look at."""
        decides = self._dialogue is not None and self._dialogue.backlog
        return decides or (bool(self._unopened) and self._wanted)

    @property
    def over(self) -> bool:
        """Whether nothing more is to be read; what is left to send still goes out."""
        return self._ended or (self._dialogue is not None and self._dialogue.over)

    @property
    def listening(self) -> bool:
        """Whether the other side's next bytes are wanted."""
        return self._wanted and not self._unopened

    @property
    def _wanted(self) -> bool:
        """Whether there is a use now for what the other side sends or has sent."""
        wanted = self._dialogue is None or self._dialogue.listening
        return wanted and not self.over and self._endpoint.pending_output < self._most_pending

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take what the other side sent; a broken session ends, with its alert left to send.

        Of many records a few are opened at once, and the others are `backlog`.
        """
        assert not self._unopened
        rest = self._open_records(memoryview(data))
        if rest:
            self._unopened = memoryview(bytes(rest))  # what we were given is somebody else's buffer

    def _open_records(self, data: memoryview) -> memoryview:
        """Open a few records; the data behind them."""
        known = self._dialogue is not None
        size, records = self._records.take(data, _RECORDS_AT_ONCE)
        try:
            for event in self._endpoint.receive_data(data[:size]):
                match event:
                    case HandshakeCompleted():
                        self._let_in(event.peer_certificate)
                    case PlaintextReceived() if self._dialogue is not None:
                        self._thin -= len(event.data) // _RECORD_WORTH_BYTES
                        self._dialogue.receive(event.data)
                    case _:  # the end, or plaintext of somebody who was not let in
                        self._ended = True
        except (PeerError, LocalError):
            self._ended = True
        if known:  # the records of a handshake are few, and counted by their bytes
            self._count_thin(records)
        return data[size:]

    def _count_thin(self, records: int) -> None:
        """Close a session that has sent many records for nothing."""
        assert self._dialogue is not None
        self._thin = max(0, self._thin + records - self._dialogue.take_decided())
        if self._thin > _MOST_THIN_RECORDS:
            flood = f"{_MOST_THIN_RECORDS} records that brought next to nothing"
            self.end(DeniedError(RefusalReason.FLOODED, found=flood), at_once=True)

    def data_to_send(self) -> bytes:
        """The bytes the other side must get next, a bounded part of a long result at a time.

        Empty when there is nothing to send now; of a session that is over, for good.
        """
        if self._unopened and self._wanted:
            self._unopened = self._open_records(self._unopened)
        dialogue = self._dialogue
        if dialogue is not None:
            if dialogue.backlog:
                dialogue.go_on()
                # What came in earlier records makes up for those, and for no later ones.
                self._thin = max(0, self._thin - dialogue.take_decided())
            while self._endpoint.pending_output < self._most_pending and dialogue.pump():
                pass
        if self.over and not self._endpoint.pending_output:
            self._endpoint.close()
        return self._endpoint.data_to_send()

    def end(self, why: DeniedError, *, at_once: bool) -> None:
        """Read nothing more; `why` and a goodbye go out with `data_to_send`, see `Dialogue.end`."""
        self._ended = True
        if self._dialogue is not None:
            self._dialogue.end(why, at_once=at_once)

    def give_up(self) -> None:
        """End a session whose principal let `timeout_s` pass, and say so."""
        assert self._dialogue is not None
        waited = f"nothing came for {self.timeout_s:.0f} s"
        midway = " in the middle of a request or an upload" if self._dialogue.midway else ""
        self.end(DeniedError(RefusalReason.STALLED, found=waited + midway), at_once=True)

    def close(self) -> None:
        """The connection is gone."""
        self._ended = True
        if self._dialogue is not None:
            self._dialogue.close()

    def _let_in(self, certificate: bytes) -> None:
        # By the exact certificate: TLS proved its key, and only here is it somebody of the policy.
        identity = self._policy.identity_of(certificate)
        if identity is None:
            self._ended = True
            return
        admitted = self._admits(identity)
        self._dialogue = Dialogue(
            identity, self._handler, self._send, piece_bytes=self._piece_bytes
        )
        if not admitted:
            too_many = f"{identity.label} has as many sessions as it may"
            self.end(DeniedError(RefusalReason.BUSY, found=too_many), at_once=True)

    def _send(self, data: bytes) -> None:
        self._endpoint.send(data)
        self._ready()
