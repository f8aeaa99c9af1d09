"""What a member sends for nothing costs it its session, and the others little: by counting."""

import threading
from contextlib import contextmanager, suppress

import pytest

from colima import FrameDecoder, frame, runtime
from colima.runtime import ComputationState, ContentKind, GetState, RefusalReason
from mexico_city import session
from support.local_front import local_front
from support.patience import PATIENCE_S
from support.processes import eventually
from support.runtime_guests import HELLO
from support.tls_writer import RecordWriter, shake_hands
from veracruz_utils.policy import Role

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER
STATE = frame(runtime.REQUEST.encode(GetState()))
MOST = session._MOST_THIN_RECORDS


@contextmanager
def by_hand(rig, party: int):
    """A session whose records the test writes; what the isolate says comes out of `answers`."""
    with rig.raw_session() as channel:
        channel.settimeout(PATIENCE_S)
        endpoint = rig.endpoint(rig.parties[party])
        yield channel, endpoint, shake_hands(channel, endpoint)


def send(channel, records: bytes) -> None:
    """Send as much as the isolate takes; it may have had enough before."""
    with suppress(BrokenPipeError, ConnectionResetError):
        channel.sendall(records)


def answers(channel, endpoint) -> list[runtime.Response]:
    """All that the isolate says until it closes the session."""
    frames, found = FrameDecoder(1 << 20), []
    with suppress(ConnectionResetError):
        while data := channel.recv(1 << 16):
            for event in endpoint.receive_data(data):
                frames.feed(getattr(event, "data", b""))
    while (payload := frames.next_frame()) is not None:
        found.append(runtime.RESPONSE.decode(payload))
    return found


def key_updates(writer: RecordWriter, count: int) -> bytes:
    return b"".join(writer.key_update(requested=False) for _ in range(count))


def updates_that_want_one_back(writer: RecordWriter, count: int) -> bytes:
    return b"".join(writer.key_update(requested=True) for _ in range(count))


def single_bytes(writer: RecordWriter, count: int) -> bytes:
    """Of a request that never ends."""
    beginning = writer.data((1 << 15).to_bytes(4, "little"))
    return beginning + b"".join(writer.data(b"\0") for _ in range(count))


@pytest.mark.parametrize("flood", [key_updates, updates_that_want_one_back, single_bytes])
def test_a_flood_of_records_for_nothing_ends_the_session_and_it_is_told(isolates, flood):
    with (
        local_front(isolates, [[PI], [READER]], program=HELLO) as rig,
        rig.session(1) as other,
        by_hand(rig, 0) as (channel, endpoint, writer),
    ):
        other.state()
        channel.sendall(flood(writer, MOST + session._RECORDS_AT_ONCE))
        told = answers(channel, endpoint)
        assert [answer.reason for answer in told] == [RefusalReason.FLOODED]
        assert told[0].found == f"{MOST} records that brought next to nothing"
        assert other.state() is ComputationState.INITIAL


def test_requests_byte_by_byte_are_answered_until_they_are_too_many(isolates):
    with (
        local_front(isolates, [[PI, READER]], program=HELLO) as rig,
        by_hand(rig, 0) as (channel, endpoint, writer),
    ):
        spelled = b"".join(writer.data(bytes([byte])) for byte in STATE * (2 * MOST))
        sender = threading.Thread(target=send, args=(channel, spelled), daemon=True)
        sender.start()
        told = answers(channel, endpoint)
        sender.join(PATIENCE_S)
        served = [answer for answer in told if isinstance(answer, runtime.StateIs)]
        assert MOST // len(STATE) < len(served) < 2 * MOST
        assert told[-1].reason is RefusalReason.FLOODED


def test_a_client_may_change_its_keys_and_send_a_request_in_a_record_for_good(isolates):
    requests = 3 * MOST
    with (
        local_front(isolates, [[PI, READER]], program=HELLO) as rig,
        by_hand(rig, 0) as (channel, endpoint, writer),
    ):
        frames, found = FrameDecoder(), 0
        for number in range(requests):
            change = writer.key_update(requested=True) if number % 100 == 0 else b""
            channel.sendall(change + writer.data(STATE))
            while found <= number:
                for event in endpoint.receive_data(channel.recv(1 << 16)):
                    frames.feed(event.data)
                while frames.next_frame() is not None:
                    found += 1
        assert found == requests


def test_content_in_records_of_half_a_kibibyte_is_no_flood(isolates):
    size = 4 * MOST * 512
    with (
        local_front(isolates, [[PI], [DATA], [READER]], program=HELLO, data=[1]) as rig,
        by_hand(rig, 1) as (channel, _, writer),
    ):
        with rig.session(0) as author:
            author.begin_upload(ContentKind.PROGRAM, len(HELLO))
            author.connection.send_content(HELLO)
            rig.guest.load()
            assert author.next_answer() == runtime.Done()
        upload = frame(runtime.REQUEST.encode(runtime.Upload(ContentKind.DATA, 0, size)))
        channel.sendall(writer.data(upload))
        channel.sendall(b"".join(writer.data(bytes(512)) for _ in range(size // 512)))
        assert eventually(lambda: rig.runtime.computation.provision.data.complete)


def test_in_a_turn_a_session_has_few_of_its_records_opened(isolates, monkeypatch):
    turns: list[int] = []
    opened = session.Session._open_records

    def count(self, data):
        rest = opened(self, data)
        if self.identity is not None:
            turns.append(len(data) - len(rest))
        return rest

    monkeypatch.setattr(session.Session, "_open_records", count)
    with (
        local_front(isolates, [[PI, READER]], program=HELLO) as rig,
        by_hand(rig, 0) as (channel, endpoint, writer),
    ):
        flood = key_updates(writer, MOST)
        channel.sendall(flood + writer.data(STATE))
        frames = FrameDecoder()
        while frames.next_frame() is None:
            for event in endpoint.receive_data(channel.recv(1 << 16)):
                frames.feed(event.data)
    assert max(turns) <= session._RECORDS_AT_ONCE * len(flood) // MOST
    assert len(turns) >= MOST // session._RECORDS_AT_ONCE
