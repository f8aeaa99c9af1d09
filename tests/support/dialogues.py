"""A handler that writes down what it is asked, and a principal's side of a dialogue with it."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from colima import FrameDecoder
from colima.framing import MAX_RESPONSE_BYTES
from colima.runtime import (
    RESPONSE,
    Accepted,
    ComputationState,
    ContentKind,
    Done,
    GetResult,
    GetState,
    Proceed,
    RefusalReason,
    Request,
    Response,
    ResultIs,
    StateIs,
    Upload,
)
from mexico_city.arrivals import Arrival
from mexico_city.content import Content, ContentWriter, content_of
from mexico_city.dialogue import Dialogue
from mexico_city.errors import DeniedError
from mexico_city.inputs import Slot
from veracruz_utils.policy import PolicyIdentity, Role

PRINCIPAL = PolicyIdentity(7, b"certificate", frozenset({Role.DATA_PROVIDER}))
UNWANTED = 666
"""The package that the handler refuses once all of it is there."""
TOO_LARGE = 1000


def arrival_of(request: Upload, dialogue: Dialogue) -> Arrival:
    slot = Slot(request.kind, 7, request.package_id, request.size)
    return Arrival(slot, request.digest, ContentWriter(request.size), dialogue)


@dataclass
class NotingHandler:
    """Takes every upload of less than 1000 bytes; results are `result` and come later."""

    result: bytes = b"result"
    notes: list[object] = field(default_factory=list)
    owed: list[tuple[Dialogue, Response, Content | None]] = field(default_factory=list)

    def request(self, dialogue: Dialogue, request: Request) -> Response | Arrival | None:
        self.notes.append(request)
        match request:
            case Upload() if request.size >= TOO_LARGE:
                raise DeniedError(RefusalReason.TOO_LARGE, found=f"{request.size} bytes")
            case Upload():
                return arrival_of(request, dialogue)
            case GetResult():
                answer = ResultIs(present=True, size=len(self.result), receipt=b"receipt")
                self.owed.append((dialogue, answer, content_of(self.result)))
                return None
            case GetState():
                return StateIs(ComputationState.INITIAL, 1, running=False)
            case _:
                return Done()

    def provided(self, dialogue: Dialogue, arrival: Arrival, content: Content) -> Response | None:
        slot = arrival.slot
        self.notes.append((slot, content.read(0, content.size)))
        if slot.package_id == UNWANTED:
            raise DeniedError(RefusalReason.WRONG_PROGRAM)
        content.close()
        if slot.kind is ContentKind.PROGRAM:
            self.owed.append((dialogue, Done(), None))
            return None
        return Accepted(bytes(32), content.digest.value)

    def abandoned(self, arrival: Arrival) -> None:
        self.notes.append(("abandoned", arrival.slot.package_id))
        arrival.writer.close()

    def broke_off(self, dialogue: Dialogue, arrival: Arrival) -> None:
        self.notes.append(("broke off", arrival.slot.package_id))
        arrival.writer.close()

    def left(self, dialogue: Dialogue) -> None:
        self.notes.append("left")


class Conversation:
    """One principal's bytes in, and all that is said to it."""

    def __init__(self, handler: NotingHandler | None = None) -> None:
        self.handler = handler or NotingHandler()
        self.said = bytearray()
        self.dialogue = Dialogue(PRINCIPAL, self.handler, self.said.extend)

    def hear(self, data: bytes) -> None:
        """Say it, and wait for everything that follows from it."""
        self.dialogue.receive(data)
        self.settle()

    def settle(self) -> None:
        """Do what the front does until nothing is left to do."""
        while self.dialogue.backlog or self.handler.owed or self.dialogue.pump():
            if self.dialogue.backlog:
                self.dialogue.go_on()
            if self.handler.owed:
                dialogue, answer, content = self.handler.owed.pop(0)
                dialogue.answer(answer, content)

    @property
    def answers(self) -> list[Response | bytes]:
        """What was said, taken apart: answers, and the content that followed some of them."""
        return list(taken_apart(bytes(self.said)))

    def close(self) -> None:
        self.dialogue.close()


def taken_apart(said: bytes) -> Iterator[Response | bytes]:
    decoder = FrameDecoder(MAX_RESPONSE_BYTES)
    decoder.feed(said)
    for _ in itertools.count():
        payload = decoder.next_frame()
        if payload is None:
            assert not len(decoder)
            return
        answer = RESPONSE.decode(payload)
        yield answer
        if isinstance(answer, ResultIs):
            content = decoder.take(answer.size - answer.offset)
            assert len(content) == answer.size - answer.offset
            yield content


PROCEED, DONE = Proceed(), Done()
