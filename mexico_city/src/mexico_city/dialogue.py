"""The plaintext side of a session: frames and content in, answers and content out.

One request at a time: while its answer is pending or a result is on its way out, what the principal
sends next stays unread, which in the end stops the principal. Of requests that came together only a
few are decided at once, so that nobody keeps the loop from the others. What requests mean is the
`RequestHandler`'s business; a dialogue knows only how they travel.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from colima import FrameDecoder, WireError, frame
from colima.runtime import (
    REQUEST,
    RESPONSE,
    GetReceipt,
    GetResult,
    GetState,
    Proceed,
    RefusalReason,
    Request,
    Response,
    ResultIs,
)
from mexico_city.arrivals import NO_ROOM, Arrival
from mexico_city.content import Content
from mexico_city.errors import DeniedError
from veracruz_utils.policy import PolicyIdentity

MOST_PIECE_BYTES: Final = 256 * 1024
"""Of a result, read and sent at once."""
_STEPS_AT_ONCE: Final = 16
"""Requests of one principal in a turn of the loop: a flood of them must not keep others waiting."""
_LONG: Final = (GetState, GetReceipt)
"""Requests whose answers are as long as the policy's orders: one of them in a turn."""


class RequestHandler(Protocol):
    """Where requests are decided. None for an answer means that it comes later, by `answer`."""

    def request(self, dialogue: "Dialogue", request: Request) -> Response | Arrival | None:
        """Decide a request; an `Arrival` says that its content may come. Raises DeniedError."""

    def provided(self, dialogue: "Dialogue", arrival: Arrival, content: Content) -> Response | None:
        """All of an upload is here. Raises DeniedError."""

    def abandoned(self, arrival: Arrival) -> None:
        """An upload cannot be finished."""

    def broke_off(self, dialogue: "Dialogue", arrival: Arrival) -> None:
        """An upload will not be finished in this session."""

    def left(self, dialogue: "Dialogue") -> None:
        """The principal is gone; an answer would reach nobody."""


class Dialogue:
    """One principal's requests, in order.

    Attributes:
        identity: whose they are.
        over: nothing more is taken; set from outside too.
        backlog: requests are left that `go_on` has to decide.
    """

    def __init__(
        self,
        identity: PolicyIdentity,
        handler: RequestHandler,
        send: Callable[[bytes], None],
        *,
        piece_bytes: int = MOST_PIECE_BYTES,
    ) -> None:
        self.identity = identity
        self.over = False
        self._handler = handler
        self._send = send
        self._piece_bytes = piece_bytes
        self._decoder = FrameDecoder()
        self._upload: Arrival | None = None
        self._waiting = False
        self._wanted_from = 0
        self._outgoing: Content | None = None
        self._sent = 0
        self.backlog = False
        self._decided = 0

    def take_decided(self) -> int:
        """How many requests and uploads were decided since this was asked last."""
        decided, self._decided = self._decided, 0
        return decided

    @property
    def listening(self) -> bool:
        """Whether the principal's next bytes are wanted."""
        return self._free and not self.backlog

    @property
    def midway(self) -> bool:
        """Whether the principal owes the rest of a frame or of an upload."""
        return self.listening and (self._upload is not None or len(self._decoder) > 0)

    def receive(self, data: bytes) -> None:
        """Take what the principal sent."""
        rest = memoryview(data)
        # What waits in the decoder goes first; without any, content need not be copied through it.
        if self._upload is not None and not len(self._decoder):
            share = rest[: self._upload.writer.remaining]
            self._write(share)
            rest = rest[len(share) :]
        self._decoder.feed(rest)
        self.go_on()

    def answer(self, response: Response, content: Content | None = None) -> None:
        """Give the pending answer, with content that becomes this dialogue's to close."""
        self._waiting = False
        self._outgoing = content
        self._sent = 0
        if content is not None and isinstance(response, ResultIs):
            # What is more than there is was of another result.
            self._sent = self._wanted_from if self._wanted_from <= content.size else 0
            response = replace(response, offset=self._sent)
        self._send(frame(RESPONSE.encode(response)))
        self.go_on()

    def pump(self) -> bool:
        """Send another piece of an outgoing result; False when there is none."""
        if self._outgoing is None:
            return False
        piece = self._outgoing.read(self._sent, self._piece_bytes)
        self._sent += len(piece)
        if piece:
            self._send(piece)
        if self._sent >= self._outgoing.size:
            self._outgoing.close()
            self._outgoing = None
            self.go_on()
        return True

    def go_on(self) -> None:
        """Go on with what is in the buffer, a few requests at once; `backlog` tells of more."""
        self.backlog = False
        try:
            left = _STEPS_AT_ONCE
            while left > 0:
                steps = self._step()
                if not steps:
                    return
                left -= steps
        except WireError:
            self._refuse(
                DeniedError(RefusalReason.BAD_REQUEST, expected="one request of colima.runtime")
            )
            self.over = True
        else:
            ends = self._upload is not None and not self._upload.writer.remaining
            self.backlog = self._free and (ends or len(self._decoder) > 0)

    def end(self, why: DeniedError, *, at_once: bool) -> None:
        """Take nothing more, and say why if a message has a place now.

        Args:
            why: comes in place of an answer, asked for or not.
            at_once: cut off a result that is on its way out; otherwise it goes on, in silence.
        """
        if self.over:
            return
        self.over = True
        if self._upload is not None:
            self._break_off()
        if self._outgoing is None:
            self._refuse(why)
        elif at_once:  # in the middle of content any message would pass for content
            self._drop_outgoing()

    def close(self) -> None:
        """The session is over; whatever was under way is given up."""
        self.over = True
        if self._upload is not None:
            self._break_off()
        self._drop_outgoing()
        self._handler.left(self)

    @property
    def _free(self) -> bool:
        """Whether the next request may be decided."""
        return not (self.over or self._waiting or self._outgoing)

    def _step(self) -> int:
        """Decide one request or end one upload; how much it counts.

        0 when the principal has to go on first.
        """
        if not self._free:
            return 0
        if self._upload is not None:
            return self._take_content()
        payload = self._decoder.next_frame()
        if payload is None:
            return 0
        request = REQUEST.decode(payload)
        self._decide(request)
        return _STEPS_AT_ONCE if isinstance(request, _LONG) else 1

    def _decide(self, request: Request) -> None:
        self._decided += 1
        if isinstance(request, GetResult):
            self._wanted_from = request.offset
        try:
            decision = self._handler.request(self, request)
        except DeniedError as refusal:
            self._refuse(refusal)
            return
        if isinstance(decision, Arrival):
            self._upload = decision
            decision = Proceed(decision.writer.written)
        self._settle(decision)

    def _settle(self, decision: Response | None) -> None:
        if decision is None:
            self._waiting = True
        else:
            self._send(frame(RESPONSE.encode(decision)))

    def _take_content(self) -> bool:
        """Move content from the buffer to its file; whether the upload ended by it."""
        assert self._upload is not None
        arrival, writer = self._upload, self._upload.writer
        if writer.remaining and not self._write(memoryview(self._decoder.take(writer.remaining))):
            return True
        if writer.remaining:
            return False
        self._upload = None
        self._decided += 1
        content = writer.finish()
        try:
            self._settle(self._handler.provided(self, arrival, content))
        except DeniedError as refusal:
            content.close()
            self._refuse(refusal)
        return True

    def _write(self, data: memoryview) -> bool:
        """Keep a piece of the upload; False, and the end of the session, when there is no room."""
        assert self._upload is not None
        try:
            self._upload.writer.write(data)
        except OSError:
            self._handler.abandoned(self._upload)
            self._upload = None
            self._refuse(NO_ROOM)
            self.over = True
        return not self.over

    def _break_off(self) -> None:
        assert self._upload is not None
        arrival, self._upload = self._upload, None
        self._handler.broke_off(self, arrival)

    def _drop_outgoing(self) -> None:
        if self._outgoing is not None:
            self._outgoing.close()
            self._outgoing = None

    def _refuse(self, refusal: DeniedError) -> None:
        self._send(frame(RESPONSE.encode(refusal.answer)))
