"""One principal's connection: TLS on the outside, a dialogue inside."""

from datetime import datetime
from typing import Final

from baja import (
    Endpoint,
    HandshakeCompleted,
    LocalError,
    PeerClosed,
    PeerError,
    PlaintextReceived,
    ServerContext,
)
from mexico_city.dialogue import Desk, Dialogue
from veracruz_utils.policy import Policy

_MAX_PENDING_BYTES: Final = 1024 * 1024


class Session:
    """Bytes in, bytes out; no socket, no clock.

    The identity behind a session is the one whose certificate the TLS handshake proved.
    """

    def __init__(
        self, context: ServerContext, policy: Policy, desk: Desk, *, now: datetime
    ) -> None:
        self._endpoint: Endpoint = context.endpoint(now=now)
        self._policy = policy
        self._desk = desk
        self._dialogue: Dialogue | None = None
        self._ended = False

    @property
    def established(self) -> bool:
        """Whether a principal has been let in."""
        return self._dialogue is not None

    @property
    def midway(self) -> bool:
        """Whether the other side owes us bytes that it announced."""
        return self._dialogue is None or self._dialogue.midway

    @property
    def waiting(self) -> bool:
        """Whether an answer is pending."""
        return self._dialogue is not None and not self._dialogue.listening and not self.over

    @property
    def over(self) -> bool:
        """Whether nothing more is to be read; what is left to send still goes out."""
        return self._ended or (self._dialogue is not None and self._dialogue.over)

    @property
    def listening(self) -> bool:
        """Whether the other side's next bytes are wanted."""
        wanted = self._dialogue is None or self._dialogue.listening
        return wanted and not self.over and self._endpoint.pending_output < _MAX_PENDING_BYTES

    def receive_data(self, data: bytes) -> None:
        """Take what the other side sent; a broken session ends, with its alert left to send."""
        try:
            for event in self._endpoint.receive_data(data):
                match event:
                    case HandshakeCompleted():
                        self._let_in(event.peer_certificate)
                    case PlaintextReceived() if self._dialogue is not None:
                        self._dialogue.receive(event.data)
                    case PeerClosed():
                        self._ended = True
                    case _:
                        self._ended = True
        except (PeerError, LocalError):
            self._ended = True

    def data_to_send(self) -> bytes:
        """The bytes the other side must get next, a bounded part of a long result at a time."""
        while (
            self._dialogue is not None
            and self._endpoint.pending_output < _MAX_PENDING_BYTES
            and self._dialogue.pump()
        ):
            pass
        return self._endpoint.data_to_send()

    def farewell(self) -> None:
        """Say goodbye in TLS; the bytes go out with `data_to_send`."""
        self._endpoint.close()

    def close(self) -> None:
        """The connection is gone."""
        self._ended = True
        if self._dialogue is not None:
            self._dialogue.close()

    def _let_in(self, certificate: bytes) -> None:
        identity = self._policy.identity_of(certificate)
        if identity is None:
            self._ended = True
            return
        self._dialogue = Dialogue(identity, self._desk, self._endpoint.send)
