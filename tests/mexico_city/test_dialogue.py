import os
import resource
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colima import frame
from colima.framing import MAX_REQUEST_BYTES
from colima.runtime import (
    REQUEST,
    Accepted,
    ContentKind,
    GetPolicyDigest,
    GetReceipt,
    GetResult,
    GetState,
    NextRound,
    Proceed,
    RefusalReason,
    Refused,
    ResponseStatus,
    ResultIs,
    StateIs,
    Upload,
)
from support.dialogues import DONE, PROCEED, UNWANTED, Conversation, NotingHandler
from support.processes import open_files


def said(request) -> bytes:
    return frame(REQUEST.encode(request))


def upload(kind: ContentKind, package_id: int, content: bytes) -> bytes:
    return said(Upload(kind, package_id, len(content))) + content


STEPS = st.one_of(
    st.sampled_from([GetState(), GetResult(), NextRound()]).map(said),
    st.builds(
        upload,
        st.sampled_from(ContentKind),
        st.sampled_from([0, 1, UNWANTED]),
        st.binary(max_size=300),
    ),
    st.integers(1000, 2**40).map(lambda size: said(Upload(ContentKind.DATA, 0, size))),
)
ENDINGS = st.sampled_from([b"", b"\x01", said(GetState())[:-1], frame(b"garbage"), b"\xff" * 9])
STREAMS = st.builds(
    lambda steps, ending: b"".join(steps) + ending, st.lists(STEPS, max_size=30), ENDINGS
)


def outcome(conversation: Conversation):
    conversation.close()
    return bytes(conversation.said), conversation.handler.notes, conversation.dialogue.over


@given(STREAMS, st.data(), st.booleans())
def test_splitting_what_comes_anywhere_changes_nothing(stream, data, at_leisure):
    whole = Conversation()
    whole.hear(stream)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20).map(sorted))
    parts = Conversation()
    for start, end in pairwise([0, *cuts, len(stream)]):
        parts.dialogue.receive(stream[start:end])
        if at_leisure:
            parts.settle()
    parts.settle()
    assert outcome(parts) == outcome(whole)


@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_refused_or_waited_for(data):
    conversation = Conversation()
    conversation.hear(data)
    assert conversation.dialogue.over or conversation.dialogue.listening
    assert conversation.dialogue.midway == (not conversation.dialogue.over and len(data) > 0)
    conversation.close()


def test_a_request_is_answered_and_the_next_one_is_listened_to():
    conversation = Conversation()
    conversation.hear(said(GetState()))
    (answer,) = conversation.answers
    assert isinstance(answer, StateIs)
    assert conversation.dialogue.listening
    assert not conversation.dialogue.midway


def test_an_upload_is_asked_for_and_taken_exactly():
    conversation = Conversation()
    conversation.hear(said(Upload(ContentKind.DATA, 3, 4)))
    assert conversation.answers == [PROCEED]
    assert conversation.dialogue.midway
    conversation.hear(b"fo")
    assert conversation.answers == [PROCEED]
    conversation.hear(b"ur" + said(GetState()))
    _, accepted, state = conversation.answers
    assert isinstance(accepted, Accepted)
    assert isinstance(state, StateIs)
    _, (slot, content), _ = conversation.handler.notes
    assert (slot.package_id, content) == (3, b"four")


def test_an_upload_of_no_bytes_is_complete_at_once():
    conversation = Conversation()
    conversation.hear(upload(ContentKind.DATA, 3, b""))
    proceed, accepted = conversation.answers
    assert proceed == PROCEED
    assert isinstance(accepted, Accepted)
    assert not conversation.dialogue.midway


def test_the_second_of_two_requests_waits_for_the_answer_to_the_first():
    conversation = Conversation()
    conversation.dialogue.receive(said(GetResult()) + said(GetState()))
    assert conversation.answers == []
    assert not conversation.dialogue.listening
    assert conversation.handler.notes == [GetResult()]
    conversation.settle()
    result, content, state = conversation.answers
    assert (result, content) == (ResultIs(present=True, size=6, receipt=b"receipt"), b"result")
    assert isinstance(state, StateIs)


def test_a_long_result_goes_out_a_piece_at_a_time():
    size = 600 * 1024
    conversation = Conversation(NotingHandler(result=bytes(size)))
    conversation.dialogue.receive(said(GetResult()) + said(GetState()))
    conversation.dialogue.answer(*conversation.handler.owed.pop()[1:])
    lengths = [len(conversation.said)]
    while conversation.dialogue.pump():
        lengths.append(len(conversation.said))
        assert lengths[-1] - lengths[-2] <= 256 * 1024 + 100
    assert len(lengths) == 4
    _, content, state = conversation.answers
    assert content == bytes(size)
    assert isinstance(state, StateIs)


@pytest.mark.parametrize(("has", "sent_from"), [(0, 0), (4, 4), (6, 6), (7, 0), (2**63, 0)])
def test_a_result_goes_on_where_its_reader_stopped(has, sent_from):
    conversation = Conversation()
    conversation.hear(said(GetResult(offset=has)) + said(GetState()))
    result, content, _ = conversation.answers
    assert (result.size, result.offset, content) == (6, sent_from, b"result"[sent_from:])


def test_an_upload_goes_on_from_what_is_there():
    class Half(NotingHandler):
        def request(self, dialogue, request):
            arrival = super().request(dialogue, request)
            arrival.writer.write(b"fo")
            return arrival

    conversation = Conversation(Half())
    conversation.hear(said(Upload(ContentKind.DATA, 3, 4)) + b"ur")
    proceed, accepted = conversation.answers
    assert proceed == Proceed(2)
    assert isinstance(accepted, Accepted)
    assert conversation.handler.notes[-1][1] == b"four"


def test_an_empty_result_is_sent_as_one():
    conversation = Conversation(NotingHandler(result=b""))
    conversation.hear(said(GetResult()) + said(GetState()))
    result, content, _ = conversation.answers
    assert (result.size, content) == (0, b"")


@pytest.mark.parametrize(
    ("request_", "decided"), [(GetState(), 1), (GetReceipt(0), 1), (GetPolicyDigest(), 16)]
)
def test_of_requests_whose_answers_are_long_one_is_decided_at_once(request_, decided):
    conversation = Conversation()
    conversation.dialogue.receive(said(request_) * 100)
    assert len(conversation.answers) == decided
    assert conversation.dialogue.backlog
    conversation.settle()
    assert len(conversation.answers) == 100


def test_of_many_requests_at_once_a_few_are_decided_and_the_rest_is_not_forgotten():
    conversation = Conversation()
    conversation.dialogue.receive(said(GetState()) * 100)
    assert len(conversation.answers) < 20
    assert conversation.dialogue.backlog
    assert not conversation.dialogue.listening
    conversation.settle()
    assert len(conversation.answers) == 100
    assert conversation.dialogue.listening


def test_a_refused_upload_costs_the_session_nothing():
    conversation = Conversation()
    conversation.hear(said(Upload(ContentKind.DATA, 0, 1000)) + said(GetState()))
    refused, state = conversation.answers
    assert refused == Refused(ResponseStatus.INVALID_REQUEST, RefusalReason.TOO_LARGE, "1000 bytes")
    assert isinstance(state, StateIs)


def test_an_upload_refused_at_its_end_is_forgotten():
    conversation = Conversation()
    before = len(open_files(os.getpid()))
    conversation.hear(upload(ContentKind.PROGRAM, UNWANTED, b"wrong") + said(GetState()))
    proceed, refused, state = conversation.answers
    assert proceed == PROCEED
    assert refused.reason is RefusalReason.WRONG_PROGRAM
    assert isinstance(state, StateIs)
    assert len(open_files(os.getpid())) == before


def test_the_answer_to_a_program_comes_when_it_is_loaded():
    conversation = Conversation()
    conversation.dialogue.receive(upload(ContentKind.PROGRAM, 0, b"module"))
    assert conversation.answers == [PROCEED]
    assert not conversation.dialogue.midway
    conversation.settle()
    assert conversation.answers == [PROCEED, DONE]


@pytest.mark.parametrize(
    "garbage",
    [
        frame(b"garbage"),
        frame(b""),
        frame(REQUEST.encode(GetState()) + b"\x00"),
        frame(REQUEST.encode(GetState()) * 2),
    ],
)
def test_a_frame_that_is_no_request_is_refused_and_ends_the_session(garbage):
    conversation = Conversation()
    conversation.hear(said(GetState()) + garbage + said(GetState()))
    state, refused = conversation.answers
    assert isinstance(state, StateIs)
    assert (refused.status, refused.reason) == (
        ResponseStatus.INVALID_REQUEST,
        RefusalReason.BAD_REQUEST,
    )
    assert conversation.dialogue.over
    assert not conversation.dialogue.listening


def test_a_frame_over_the_limit_is_refused_by_its_length_alone():
    conversation = Conversation()
    conversation.hear((MAX_REQUEST_BYTES + 1).to_bytes(4, "little"))
    (refused,) = conversation.answers
    assert refused.reason is RefusalReason.BAD_REQUEST
    assert conversation.dialogue.over


def test_a_principal_that_leaves_mid_upload_breaks_it_off():
    conversation = Conversation()
    conversation.hear(said(Upload(ContentKind.DATA, 3, 4)) + b"fo")
    before = len(open_files(os.getpid()))
    conversation.close()
    assert conversation.handler.notes[-2:] == [("broke off", 3), "left"]
    assert len(open_files(os.getpid())) == before - 1


def test_a_principal_that_leaves_mid_result_leaves_nothing_open():
    conversation = Conversation(NotingHandler(result=bytes(600 * 1024)))
    before = len(open_files(os.getpid()))
    conversation.dialogue.receive(said(GetResult()))
    conversation.dialogue.answer(*conversation.handler.owed.pop()[1:])
    conversation.dialogue.pump()
    conversation.close()
    assert len(open_files(os.getpid())) == before


@contextmanager
def lowered(what: int, limit: int):
    soft, hard = resource.getrlimit(what)
    resource.setrlimit(what, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


def test_an_upload_that_outgrows_the_isolate_ends_with_its_session():
    conversation = Conversation()
    conversation.hear(said(Upload(ContentKind.DATA, 3, 100)) + b"few")
    with lowered(resource.RLIMIT_FSIZE, 50):
        conversation.hear(bytes(60))
    _, refused = conversation.answers
    assert refused.reason is RefusalReason.TOO_LARGE
    assert conversation.dialogue.over
    assert conversation.handler.notes[-1] == ("abandoned", 3)
