"""A session in memory: bytes in, bytes out, and when it wants more, has had enough or is over."""

import math
from datetime import UTC, datetime

import pytest

from baja import EndpointConfig, HandshakeCompleted, PeerClosed, PlaintextReceived, ServerContext
from baja.client import ClientEndpoint
from colima import FrameDecoder, frame
from colima.framing import MAX_RESPONSE_BYTES
from colima.isolate import sessions_of_isolate
from colima.runtime import (
    REQUEST,
    RESPONSE,
    ContentKind,
    GetResult,
    GetState,
    RefusalReason,
    Refused,
    ResultIs,
    StateIs,
    Upload,
)
from mexico_city import session as module
from mexico_city.content import content_of
from mexico_city.errors import DeniedError
from mexico_city.session import SESSIONS_BYTES, Session, piece_bytes
from support.dialogues import NotingHandler, arrival_of
from support.isolate_rig import new_party
from support.tls_writer import RecordWriter, shake_hands
from veracruz_utils.policy import TLS_1_3_SUITES, PolicyIdentity, Role, ciphersuite_named

SUITE = ciphersuite_named("TLS_AES_256_GCM_SHA384", TLS_1_3_SUITES)
RUNTIME, MEMBER, STRANGER = (new_party(name) for name in ("runtime.veracruz", "member", "stranger"))
IDENTITY = PolicyIdentity(7, MEMBER.certificate, frozenset({Role.RESULT_READER}))
CONTEXT = ServerContext(
    EndpointConfig(SUITE, RUNTIME.private_key, RUNTIME.certificate),
    accepted=[MEMBER.certificate, STRANGER.certificate],
)
MOST = module._MOST_THIN_RECORDS
WHY = DeniedError(RefusalReason.SHUT_DOWN, found="it is enough")
MIB = 1024 * 1024


def said(request) -> bytes:
    return frame(REQUEST.encode(request))


STATE = said(GetState())


class Members:
    """A policy that has one member."""

    def identity_of(self, certificate):
        return IDENTITY if certificate == MEMBER.certificate else None


class Peer:
    """A session and the other side of it, which is also a channel for `shake_hands`."""

    def __init__(self, party=MEMBER, *, admits=True, handler=None, **room):
        self.handler = handler or NotingHandler()
        self.asked = []
        self.readied = 0
        self.session = Session(
            CONTEXT,
            Members(),
            self.handler,
            now=datetime.now(UTC),
            admits=lambda identity: self.asked.append(identity) or admits,
            ready=self._note,
            **room,
        )
        self.client = ClientEndpoint(
            EndpointConfig(SUITE, party.private_key, party.certificate),
            server_certificate_digest=RUNTIME.digest,
            server_name="runtime.veracruz",
        )
        self.frames = FrameDecoder(MAX_RESPONSE_BYTES)
        self.closed = False

    def _note(self):
        self.readied += 1

    def shake_hands(self, plaintext=b""):
        """Let it in, with something sent behind the handshake at once."""
        self.client.start()
        done = False
        while not done:
            self.session.receive_data(self.client.data_to_send())
            events = self.client.receive_data(self.session.data_to_send())
            done = any(isinstance(each, HandshakeCompleted) for each in events)
        if plaintext:
            self.client.send(plaintext)
        self.session.receive_data(self.client.data_to_send())
        return self

    def by_hand(self) -> RecordWriter:
        """Let it in; whoever writes its records does it by hand."""
        return shake_hands(self, self.client)

    def sendall(self, data):
        if data:
            self.session.receive_data(data)

    def recv(self, _):
        return self.session.data_to_send()

    def send(self, plaintext):
        self.client.send(plaintext)
        self.session.receive_data(self.client.data_to_send())

    def take(self):
        """What the session has to send now; the answers in it."""
        for event in self.client.receive_data(self.session.data_to_send()):
            match event:
                case PlaintextReceived():
                    self.frames.feed(event.data)
                case PeerClosed():
                    self.closed = True
        answers = []
        while (payload := self.frames.next_frame()) is not None:
            answers.append(RESPONSE.decode(payload))
        return answers

    def settle(self):
        """All that follows of itself; the answers in it."""
        answers = self.take()
        while self.session.backlog:
            answers += self.take()
        return answers

    def last_words(self):
        """All that a session that is over has to say; the answers in it."""
        assert self.session.over
        answers = [*self.take(), *self.take()]
        assert self.closed
        assert self.session.data_to_send() == b""
        return answers

    def give(self, result):
        """The answer to the request that waits for one."""
        dialogue, _, content = self.handler.owed.pop(0)
        content.close()
        answer = ResultIs(present=True, size=len(result), receipt=b"receipt")
        dialogue.answer(answer, content_of(result))


class Taking(NotingHandler):
    """Takes uploads of any size."""

    def request(self, dialogue, request):
        if isinstance(request, Upload):
            return arrival_of(request, dialogue)
        return super().request(dialogue, request)


def test_before_the_handshake_nobody_is_there_and_bytes_are_wanted():
    session = Peer().session
    assert session.identity is None
    assert session.timeout_s == module.HANDSHAKE_TIMEOUT_S
    assert session.listening
    assert not session.over
    assert not session.backlog


def test_who_is_let_in_is_who_the_policy_says_and_is_served():
    peer = Peer().shake_hands()
    assert peer.session.identity is IDENTITY
    assert peer.asked == [IDENTITY]
    assert peer.take() == []
    peer.send(STATE)
    assert peer.readied == 1
    (answer,) = peer.take()
    assert isinstance(answer, StateIs)
    assert peer.session.listening
    assert not peer.session.over
    assert not peer.closed


def test_what_comes_with_the_end_of_the_handshake_is_served():
    peer = Peer().shake_hands(STATE)
    (answer,) = peer.take()
    assert isinstance(answer, StateIs)


@pytest.mark.parametrize("plaintext", [b"", STATE])
def test_who_is_not_of_the_policy_is_let_go_unheard(plaintext):
    peer = Peer(STRANGER).shake_hands(plaintext)
    assert peer.session.identity is None
    assert peer.asked == []
    assert peer.session.over
    assert not peer.session.listening
    assert peer.last_words() == []
    assert peer.handler.notes == []


def test_who_has_too_many_sessions_is_told_and_let_go():
    peer = Peer(admits=False).shake_hands()
    (answer,) = peer.last_words()
    assert (answer.reason, answer.found) == (
        RefusalReason.BUSY,
        "client 7 has as many sessions as it may",
    )


def test_how_long_the_other_side_may_be_silent_depends_on_what_it_owes():
    peer = Peer().shake_hands()
    assert peer.session.timeout_s == module.IDLE_TIMEOUT_S
    peer.send(STATE[:-1])
    assert peer.session.timeout_s == module.PROGRESS_TIMEOUT_S
    peer.send(STATE[-1:])
    assert peer.session.timeout_s == module.IDLE_TIMEOUT_S
    peer.send(said(GetResult()))
    assert peer.session.timeout_s == math.inf
    assert not peer.session.listening
    peer.give(b"result")
    assert peer.session.timeout_s == math.inf
    peer.session.data_to_send()
    assert peer.session.timeout_s == module.IDLE_TIMEOUT_S
    assert peer.session.listening


@pytest.mark.parametrize(
    ("data", "alert"),
    [(b"GET / HTTP/1.1\r\n\r\n", False), (b"\x16\x03\x01\x00\x05hello", True)],
    ids=["http", "tls"],
)
def test_what_is_no_handshake_ends_it_with_an_alert_for_who_speaks_tls(data, alert):
    peer = Peer()
    peer.session.receive_data(data)
    assert peer.session.over
    assert not peer.session.listening
    assert bool(peer.session.data_to_send()) == alert
    assert peer.session.identity is None


def test_a_record_that_is_not_authentic_ends_with_an_alert():
    peer = Peer()
    writer = peer.by_hand()
    record = bytearray(writer.data(STATE))
    record[-1] ^= 1
    peer.session.receive_data(bytes(record))
    assert peer.session.over
    assert peer.handler.notes == []


def test_a_request_that_is_none_is_refused_and_is_the_last():
    peer = Peer().shake_hands()
    peer.send(frame(b"garbage") + STATE)
    (answer,) = peer.last_words()
    assert answer.reason is RefusalReason.BAD_REQUEST


def test_the_other_side_may_end_it():
    peer = Peer().shake_hands()
    peer.client.close()
    peer.session.receive_data(peer.client.data_to_send())
    assert peer.last_words() == []


def test_a_request_with_the_end_behind_it_is_no_failure_of_ours():
    peer = Peer().shake_hands()
    peer.client.send(STATE)
    peer.client.close()
    peer.session.receive_data(peer.client.data_to_send())
    assert peer.session.over
    peer.session.close()
    assert peer.handler.notes[-1] == "left"


def test_of_many_requests_at_once_the_rest_is_backlog():
    peer = Peer().shake_hands()
    peer.send(STATE * 40)
    assert peer.session.backlog
    assert not peer.session.listening
    assert len(peer.handler.notes) < 40
    assert len(peer.settle()) == 40
    assert not peer.session.backlog
    assert peer.session.listening


def test_of_many_records_at_once_the_rest_is_backlog_and_not_lost():
    peer = Peer()
    writer = peer.by_hand()
    buffer = bytearray(b"".join(writer.data(STATE) for _ in range(100)))
    peer.session.receive_data(memoryview(buffer))
    buffer[:] = bytes(len(buffer))  # it was the front's, for the next session to be read into
    assert len(peer.handler.notes) <= module._RECORDS_AT_ONCE
    assert peer.session.backlog
    assert not peer.session.listening
    assert len(peer.settle()) == 100
    assert not peer.session.backlog
    assert peer.session.listening


def test_records_behind_a_request_that_waits_for_its_answer_stay_unopened():
    peer = Peer()
    writer = peer.by_hand()
    records = MOST + 2 * module._RECORDS_AT_ONCE  # a flood, if they were opened
    peer.session.receive_data(
        writer.data(said(GetResult())) + b"".join(writer.data(STATE) for _ in range(records))
    )
    for _ in range(records // module._RECORDS_AT_ONCE):
        assert not peer.session.backlog
        assert peer.take() == []
    peer.give(b"")
    answers = peer.take()
    assert isinstance(answers[0], ResultIs)
    assert len(answers) <= module._RECORDS_AT_ONCE
    assert peer.session.backlog
    assert not peer.session.listening
    assert len(answers + peer.settle()) == 1 + records
    assert peer.session.listening


@pytest.mark.parametrize(
    ("principals", "piece"), [(1, 256), (23, 256), (24, 128), (49, 128), (99, 64), (159, 32)]
)
def test_the_more_sessions_there_may_be_the_less_of_each_is_held_at_once(principals, piece):
    sessions = sessions_of_isolate(principals)
    assert piece_bytes(sessions) == piece * 1024
    assert sessions * (64 + 10 * piece) * 1024 <= SESSIONS_BYTES


def test_who_does_not_take_its_answers_is_not_read_on():
    peer = Peer(piece_bytes=50).shake_hands()
    peer.take()
    sent = 0
    while peer.session.listening:
        peer.send(STATE)
        sent += 1
        assert sent < 20
    assert sent > 1
    assert len(peer.take()) == sent
    assert peer.session.listening


def test_a_long_result_goes_out_as_it_is_taken():
    peer = Peer().shake_hands()
    peer.send(said(GetResult()))
    peer.take()
    peer.give(bytes(8 * MIB))
    sizes = []
    while not peer.session.listening:
        data = peer.session.data_to_send()
        sizes.append(len(data))
        peer.client.receive_data(data)
    assert max(sizes) < 2 * MIB
    assert min(sizes[:-1]) >= MIB
    assert 8 * MIB < sum(sizes) < 9 * MIB
    assert not peer.session.over


def test_a_session_can_be_ended_from_outside_and_says_why():
    peer = Peer().shake_hands()
    peer.session.end(WHY, at_once=False)
    assert peer.last_words() == [WHY.answer]


@pytest.mark.parametrize("at_once", [False, True])
def test_a_result_on_its_way_is_cut_off_at_once_or_not_at_all(at_once):
    peer = Peer().shake_hands()
    peer.send(said(GetResult()))
    peer.give(bytes(8 * MIB))
    peer.session.end(WHY, at_once=at_once)
    sent = 0
    while data := peer.session.data_to_send():
        sent += len(data)
        peer.closed |= any(isinstance(each, PeerClosed) for each in peer.client.receive_data(data))
    assert (sent < MIB) == at_once
    assert peer.closed


@pytest.mark.parametrize("end", [lambda one: one.end(WHY, at_once=True), lambda one: one.close()])
def test_before_anybody_was_let_in_an_end_is_an_end(end):
    session = Peer().session
    end(session)
    assert session.over
    assert not session.listening


def test_when_the_connection_is_gone_what_was_under_way_is_given_up():
    peer = Peer().shake_hands()
    peer.send(said(Upload(ContentKind.DATA, 3, 10)) + b"some")
    peer.session.close()
    assert peer.session.over
    assert peer.handler.notes[1:] == [("broke off", 3), "left"]


def test_who_is_silent_for_too_long_is_told():
    peer = Peer().shake_hands()
    peer.session.give_up()
    (answer,) = peer.last_words()
    assert (answer.reason, answer.found) == (RefusalReason.STALLED, "nothing came for 1800 s")


def test_who_stops_in_the_middle_is_told():
    peer = Peer().shake_hands()
    peer.send(STATE[:-1])
    peer.session.give_up()
    (answer,) = peer.last_words()
    found = "nothing came for 60 s in the middle of a request or an upload"
    assert (answer.reason, answer.found) == (RefusalReason.STALLED, found)


def test_who_is_given_up_gets_no_more_of_its_result():
    peer = Peer().shake_hands()
    peer.send(said(GetResult()))
    peer.give(bytes(8 * MIB))
    peer.session.give_up()
    assert len(peer.session.data_to_send()) < MIB
    assert len(peer.session.data_to_send()) < 100
    assert peer.session.data_to_send() == b""


def flooded(peer, records):
    """Whether the session is closed for these records, which come in turns."""
    peer.session.receive_data(b"".join(records))
    answers = peer.settle()
    refusals = [each for each in answers if isinstance(each, Refused)]
    if refusals:
        assert refusals[0].reason is RefusalReason.FLOODED
        assert refusals[0].found == f"{MOST} records that brought next to nothing"
        assert peer.last_words() == []
    return bool(refusals)


@pytest.mark.parametrize("requests_first", [0, 5])
@pytest.mark.parametrize("more", [0, 1])
def test_so_many_records_for_nothing_are_borne_and_not_one_more(requests_first, more):
    peer = Peer()
    writer = peer.by_hand()
    if requests_first:  # in one record, which is no credit for later
        assert not flooded(peer, [writer.data(STATE * requests_first)])
    updates = (writer.key_update(requested=False) for _ in range(MOST + more))
    assert flooded(peer, updates) == bool(more)


def test_a_record_for_each_request_is_no_flood():
    peer = Peer()
    writer = peer.by_hand()
    assert not flooded(peer, [writer.data(STATE) for _ in range(2 * MOST)])


def test_many_small_inputs_are_no_flood():
    peer = Peer(handler=Taking())
    writer = peer.by_hand()
    for _ in range(2 * MOST):
        records = [writer.data(said(Upload(ContentKind.DATA, 0, 1))), writer.data(b"x")]
        assert not flooded(peer, records)


@pytest.mark.parametrize(("size", "too_many"), [(1, True), (512, False)])
def test_content_in_tiny_records_is_a_flood_and_in_small_ones_is_none(size, too_many):
    peer = Peer(handler=Taking())
    writer = peer.by_hand()
    upload = writer.data(said(Upload(ContentKind.DATA, 0, 4 * MIB)))
    assert not flooded(peer, [upload])
    records = (writer.data(bytes(size)) for _ in range(MOST + 1))
    assert flooded(peer, records) == too_many
    peer.session.close()


def test_who_floods_gets_no_more_of_its_result(monkeypatch):
    monkeypatch.setattr(module, "_MOST_THIN_RECORDS", 10)
    peer = Peer()
    writer = peer.by_hand()
    peer.session.receive_data(writer.data(said(GetResult())))
    peer.give(bytes(8 * MIB))
    peer.session.receive_data(b"".join(writer.key_update(requested=False) for _ in range(12)))
    assert peer.session.over
    assert len(peer.session.data_to_send()) < MIB
    assert len(peer.session.data_to_send()) < 100
    assert peer.session.data_to_send() == b""
