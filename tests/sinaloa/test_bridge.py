"""Principals at a real bridge over real gRPC, with an echo behind it."""

import threading
import time

import grpc
import pytest

import colima
from colima.sinaloa import (
    MAX_CHUNK_BYTES,
    SERVICE,
    AttestRequest,
    AttestResponse,
    DescribeIsolateRequest,
    DescribeIsolateResponse,
)
from colima.sonora import Failed, IsolateEnding
from support.patience import PATIENCE_S
from support.silent_calls import silent_calls
from support.sinaloa_fakes import PLATFORM, deaf, flood, launched_with, open_descriptors, sink
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.channels import is_serving, unary
from veracruz_utils.errors import UnreachableError

CHUNK = bytes(range(256)) * 4096  # 1 MiB


class Outbox:
    """What a principal sends, as it comes along."""

    def __init__(self):
        self._ready = threading.Condition()
        self._chunks: list[bytes | None] = []

    def send(self, chunk: bytes | None) -> None:
        with self._ready:
            self._chunks.append(chunk)
            self._ready.notify()

    def __iter__(self):
        return self

    def __next__(self) -> bytes:
        with self._ready:
            self._ready.wait_for(lambda: self._chunks)
            chunk = self._chunks.pop(0)
        if chunk is None:
            raise StopIteration
        return chunk


def ask(rig, name: str, request: bytes) -> bytes:
    return unary(rig.channel, f"/{SERVICE}/{name}", request, timeout_s=PATIENCE_S, peer="sinaloa")


def code_of(call) -> grpc.StatusCode:
    """How a call ends, read to its end."""
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def eventually(condition) -> bool:
    """Wait for what other threads are about to bring about."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return True


def test_bytes_go_to_the_isolate_and_back_unchanged(serve):
    with serve() as rig:
        chunks = [b"a", b"", b"bcd" * 1000, CHUNK, b"\x00", CHUNK]
        received = b"".join(rig.session(iter(chunks)))
        assert received == b"".join(chunks)


def test_a_session_is_a_conversation(serve):
    with serve() as rig:
        outbox = Outbox()
        call = rig.session(outbox)
        for word in (b"hello", b"how", b"are you"):
            outbox.send(word)
            assert next(call) == word
        outbox.send(None)
        assert list(call) == []


def test_sessions_do_not_mix(serve):
    with serve(max_sessions=8) as rig:
        outboxes = [Outbox() for _ in range(8)]
        calls = [rig.session(outbox) for outbox in outboxes]
        for number, outbox in enumerate(outboxes):
            outbox.send(b"%d" % number)
        assert [next(call) for call in calls] == [b"%d" % number for number in range(8)]
        for outbox in outboxes:
            outbox.send(None)
        assert [code_of(call) for call in calls] == [grpc.StatusCode.OK] * 8


def test_much_data_passes_in_pieces_of_at_most_a_chunk(serve):
    with serve() as rig:
        sizes = [len(chunk) for chunk in rig.session(iter([CHUNK] * 32))]
        assert sum(sizes) == 32 << 20
        assert max(sizes) <= MAX_CHUNK_BYTES


def test_the_isolate_sees_the_end_of_what_the_principal_sends(serve, sonora):
    sonora.serve = sink
    with serve() as rig:
        assert b"".join(rig.session(iter([CHUNK] * 5))) == b"%d" % (5 << 20)


def test_one_session_too_many_is_refused_and_the_next_is_served(serve, sonora):
    sonora.lets_in = True
    with serve(max_sessions=2) as rig:
        outboxes = [Outbox(), Outbox()]
        calls = [rig.session(outbox) for outbox in outboxes]
        for outbox, call in zip(outboxes, calls, strict=True):
            outbox.send(b"x")
            assert next(call) == b"x"
        eventually(lambda: all(place.let_in for place in rig.places._taken))
        refused = rig.session(iter([b"y"]))
        assert code_of(refused) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "2 sessions are open" in refused.details()
        assert ask(rig, "Describe", colima.encode(DescribeIsolateRequest()))
        outboxes[0].send(None)
        assert code_of(calls[0]) is grpc.StatusCode.OK
        eventually(lambda: code_of(rig.session(iter([b"y"]))) is grpc.StatusCode.OK)
        outboxes[1].send(None)
        assert code_of(calls[1]) is grpc.StatusCode.OK


def test_a_principal_that_vanishes_ends_its_session_alone(serve, sonora):
    with serve() as rig:
        staying, leaving = Outbox(), Outbox()
        calls = rig.session(staying), rig.session(leaving)
        for outbox, call in zip((staying, leaving), calls, strict=True):
            outbox.send(b"x")
            assert next(call) == b"x"
        calls[1].cancel()
        assert sonora.isolates[0].session_ended.acquire(timeout=PATIENCE_S)
        staying.send(b"still here")
        assert next(calls[0]) == b"still here"
        staying.send(None)
        assert code_of(calls[0]) is grpc.StatusCode.OK
        leaving.send(None)


def test_a_principal_that_vanishes_in_the_middle_of_an_upload_leaves_nothing(serve, sonora):
    sonora.serve = deaf
    with serve() as rig:
        call = rig.session(iter([CHUNK] * 100))
        eventually(lambda: sonora.isolates[0].sessions)
        call.cancel()
        assert sonora.isolates[0].session_ended.acquire(timeout=PATIENCE_S)
        eventually(lambda: len(rig.places) == 0)


def test_a_principal_that_vanishes_in_the_middle_of_a_download_leaves_nothing(serve, sonora):
    sonora.serve = flood
    with serve() as rig:
        call = rig.session(iter([b"more"]))
        assert next(call)
        call.cancel()
        assert sonora.isolates[0].session_ended.acquire(timeout=PATIENCE_S)
        eventually(lambda: len(rig.places) == 0)


def test_an_isolate_that_closes_a_session_ends_it_for_the_principal(serve, sonora):
    sonora.serve = lambda channel: channel.sendall(b"goodbye")
    with serve() as rig:
        outbox = Outbox()
        assert list(rig.session(outbox)) == [b"goodbye"]
        outbox.send(None)
        eventually(lambda: len(rig.places) == 0)


def test_a_slow_principal_holds_the_isolate_back(serve, sonora):
    """Bounded buffers: what is not read here is not taken there."""
    sent = []

    def count(channel) -> None:
        while True:
            channel.sendall(CHUNK)
            sent.append(1)

    sonora.serve = count
    with serve() as rig:
        call = rig.session(iter([b"go"]))
        assert next(call)
        eventually(lambda: len(sent) > 1)
        before = -1
        while before != len(sent):
            before = len(sent)
            time.sleep(0.3)
        assert len(sent) < 32
        call.cancel()


def test_a_slow_isolate_holds_the_principal_back(serve, sonora):
    sonora.serve = deaf
    with serve() as rig:
        sent = []

        def chunks():
            while True:
                sent.append(1)
                yield CHUNK

        call = rig.session(chunks())
        eventually(lambda: len(sent) > 1)
        before = -1
        while before != len(sent):
            before = len(sent)
            time.sleep(0.3)
        assert len(sent) < 32
        call.cancel()


@pytest.mark.parametrize(
    ("isolate", "chunks", "codes"),
    [
        (deaf, [CHUNK] * 40, {grpc.StatusCode.FAILED_PRECONDITION}),
        (flood, [b"go"], {grpc.StatusCode.CANCELLED, grpc.StatusCode.FAILED_PRECONDITION}),
    ],
)
def test_a_side_that_takes_nothing_is_cut_off(serve, sonora, isolate, chunks, codes):
    sonora.serve = isolate
    with serve(stall_s=0.3) as rig:
        call = rig.session(iter(chunks))
        assert sonora.isolates[0].session_ended.acquire(timeout=PATIENCE_S)
        assert code_of(call) in codes


def test_a_principal_that_says_nothing_at_first_is_cut_off(serve):
    with serve(stall_s=0.2) as rig:
        outbox = Outbox()
        call = rig.session(outbox)
        assert code_of(call) is grpc.StatusCode.FAILED_PRECONDITION
        assert "cut off" in call.details()
        outbox.send(None)


def test_a_quiet_session_is_not_cut_off(serve):
    with serve(stall_s=1) as rig:
        outbox = Outbox()
        call = rig.session(outbox)
        outbox.send(b"x")
        assert next(call) == b"x"
        time.sleep(1.5)
        outbox.send(b"y")
        assert next(call) == b"y"
        outbox.send(None)
        assert code_of(call) is grpc.StatusCode.OK


def test_chunks_have_a_limit(serve):
    with serve() as rig:
        call = rig.session(iter([bytes(MAX_CHUNK_BYTES + 2000)]))
        assert code_of(call) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert list(rig.session(iter([b"next"]))) == [b"next"]


@pytest.mark.parametrize("name", ["Attest", "Describe", "Session"])
def test_calls_that_say_nothing_keep_nobody_out(serve, name):
    with serve() as rig:
        method = f"/{SERVICE}/{name}"
        with silent_calls(rig.service.address, method, connections=3) as silent:
            assert eventually(lambda: sum(call.done() for call in silent) > len(silent) // 2)
            for _ in range(5):
                assert is_serving(rig.channel, service=SERVICE)
                assert ask(rig, "Describe", colima.encode(DescribeIsolateRequest()))
                assert ask(rig, "Attest", colima.encode(AttestRequest(b"c" * 32)))
                assert list(rig.session(iter([b"x"]))) == [b"x"]


def test_a_token_comes_from_sonora(serve):
    with serve() as rig:
        answer = ask(rig, "Attest", colima.encode(AttestRequest(b"c" * 32)))
        assert colima.decode(AttestResponse, answer).token == b"t" + b"c" * 32


def test_the_bridge_describes_its_isolate(serve):
    with serve() as rig:
        answer = colima.decode(
            DescribeIsolateResponse, ask(rig, "Describe", colima.encode(DescribeIsolateRequest()))
        )
        assert answer.policy_digest == launched_with(b"policy").policy_digest
        assert answer.platform == PLATFORM


@pytest.mark.parametrize("name", ["Attest", "Describe"])
@pytest.mark.parametrize("request_", [b"\xff\xff\xff", b"\x0a\x03abc", bytes(1000)])
def test_a_malformed_request_is_refused(serve, name, request_):
    with serve() as rig:
        with pytest.raises(CallError) as caught:
            ask(rig, name, request_)
        assert caught.value.status is CallStatus.INVALID_ARGUMENT
        assert is_serving(rig.channel, service=SERVICE)


def test_a_refusal_to_vouch_reaches_the_principal(serve, sonora):
    sonora.vouch = lambda challenge: Failed("tabasco cannot be reached")
    with serve() as rig, pytest.raises(CallError, match="tabasco cannot be reached"):
        ask(rig, "Attest", colima.encode(AttestRequest(bytes(32))))


def test_the_last_answer_of_an_ending_isolate_is_delivered(serve, sonora):
    released = threading.Event()

    def answer_late(channel) -> None:
        channel.recv(100)
        released.wait(PATIENCE_S)
        channel.sendall(b"shutting down")

    sonora.serve = answer_late
    with serve() as rig:
        outbox = Outbox()
        call = rig.session(outbox)
        outbox.send(b"please")
        eventually(lambda: sonora.isolates[0].sessions)
        released.set()
        assert sonora.isolates[0].session_ended.acquire(timeout=PATIENCE_S)
        sonora.end_isolate(IsolateEnding.QUORUM)
        assert list(call) == [b"shutting down"]
        outbox.send(None)


def test_after_the_isolates_end_sessions_and_tokens_are_refused(serve, sonora):
    with serve() as rig:
        ended = threading.Event()
        rig.isolate.when_ended(ended.set)
        sonora.end_isolate(IsolateEnding.FAILURE)
        assert ended.wait(PATIENCE_S)
        refused = rig.session(iter([b"x"]))
        assert code_of(refused) is grpc.StatusCode.FAILED_PRECONDITION
        assert "the isolate has ended" in refused.details()
        with pytest.raises(CallError, match="the isolate has ended"):
            ask(rig, "Attest", colima.encode(AttestRequest(bytes(32))))


def test_after_sonoras_end_the_bridge_is_unavailable(serve, sonora):
    with serve() as rig:
        ended = threading.Event()
        rig.isolate.when_ended(ended.set)
        sonora.drop_bridges()
        assert ended.wait(PATIENCE_S)
        assert code_of(rig.session(iter([b"x"]))) is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(UnreachableError, match="sonora went away"):
            ask(rig, "Attest", colima.encode(AttestRequest(bytes(32))))


def test_cutting_all_sessions_frees_their_places(serve, sonora):
    with serve(max_sessions=3) as rig:
        outboxes = [Outbox() for _ in range(3)]
        calls = [rig.session(outbox) for outbox in outboxes]
        for outbox, call in zip(outboxes, calls, strict=True):
            outbox.send(b"x")
            assert next(call) == b"x"
        rig.bridge.cut_sessions()
        assert {code_of(call) for call in calls} <= {
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
        }
        for outbox in outboxes:
            outbox.send(None)
        eventually(lambda: len(rig.places) == 0)
        assert list(rig.session(iter([b"next"]))) == [b"next"]


def test_many_sessions_leave_no_descriptor_and_no_thread(serve, sonora):
    with serve() as rig:

        def several(count: int) -> None:
            for _ in range(count):
                assert list(rig.session(iter([b"x"]))) == [b"x"]
                assert sonora.isolates[0].session_ended.acquire(timeout=PATIENCE_S)

        several(5)
        eventually(lambda: len(rig.places) == 0)
        before = open_descriptors()
        several(40)
        eventually(lambda: len(rig.places) == 0)
        eventually(lambda: open_descriptors() <= before)
