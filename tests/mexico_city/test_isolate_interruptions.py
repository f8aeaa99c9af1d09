"""Sessions that break in an isolate, in the middle of an upload or a result."""

import pytest

from colima import runtime
from colima.runtime import ContentKind, RefusalReason
from jalisco import SessionLostError
from support import runtime_guests as guests
from support.patience import PATIENCE_S
from support.processes import eventually
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Role

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER
CONTENT = bytes(range(256)) * 4096
DIGEST = Digest.of(CONTENT).value
HALF = len(CONTENT) // 2


@pytest.fixture
def rig(isolates):
    roles = [[PI], [DATA], [READER]]
    with isolates.computation(roles, program=guests.COLLECTOR, data=[1]) as one:
        yield one


def begin(caller, content: bytes = CONTENT, digest: bytes = DIGEST) -> int:
    """Announce the content; how many bytes of it are there."""
    answer = caller.begin_upload(ContentKind.DATA, len(content), digest=digest)
    assert isinstance(answer, runtime.Proceed), answer
    return answer.offset


def arrived(rig) -> int:
    """How much of the input is there: what is gone on with from another session."""
    with rig.session(1) as caller:
        return begin(caller)


def test_an_upload_goes_on_in_another_session(rig):
    with rig.session(0) as author:
        author.program(guests.COLLECTOR)
    with rig.session(1) as lost:
        assert begin(lost) == 0
        lost.connection.send_content(CONTENT[:HALF])
    assert eventually(lambda: arrived(rig) == HALF)
    with rig.session(1) as caller:
        caller.connection.send_content(CONTENT[begin(caller) :])
        accepted = caller.next_answer()
        assert isinstance(accepted, runtime.Accepted)
        # Who missed that answer asks again.
        assert caller.begin_upload(ContentKind.DATA, len(CONTENT), digest=DIGEST) == accepted
    with rig.session(2) as reader:
        result, output = reader.result()
        assert CONTENT in output
        assert result.offset == 0


def test_an_upload_goes_on_though_the_session_before_seems_alive(rig):
    with rig.session(0) as author:
        author.program(guests.COLLECTOR)
    with rig.session(1) as lost, rig.session(1) as caller:
        begin(lost)
        lost.connection.send_content(CONTENT[:HALF])
        offset = begin(caller)
        assert offset <= HALF
        caller.connection.send_content(CONTENT[offset:])
        assert isinstance(caller.next_answer(), runtime.Accepted)
        told = lost.next_answer()
        assert (told.reason, told.found) == (
            RefusalReason.BUSY,
            "another session of yours goes on with this upload",
        )
        with pytest.raises(SessionLostError):
            lost.next_answer()


def test_an_upload_never_counts_before_all_of_it_is_there(rig):
    with rig.session(0) as author:
        author.program(guests.COLLECTOR)
    with rig.session(1) as lost:
        begin(lost)
        lost.connection.send_content(CONTENT[:-1])
    with rig.session(2) as reader:
        answer, _ = reader.result()
        assert answer.reason is RefusalReason.WRONG_STATE


def test_content_that_is_not_what_was_announced_is_refused_and_forgotten(rig):
    with rig.session(0) as author:
        author.program(guests.COLLECTOR)
    with rig.session(1) as caller:
        begin(caller)
        caller.connection.send_content(CONTENT[::-1])
        refused = caller.next_answer()
        assert refused.reason is RefusalReason.WRONG_CONTENT
        assert refused.expected.startswith(DIGEST.hex())
        assert begin(caller) == 0
        caller.connection.send_content(CONTENT)
        assert isinstance(caller.next_answer(), runtime.Accepted)


def test_the_program_goes_on_in_another_session_and_its_answer_is_given_again(rig):
    module = guests.COLLECTOR
    digest = Digest.of(module).value
    with rig.session(0) as lost:
        assert lost.begin_upload(ContentKind.PROGRAM, len(module), digest=digest).offset == 0
        lost.connection.send_content(module[:100])
    with rig.session(0) as lost:
        offset = lost.begin_upload(ContentKind.PROGRAM, len(module), digest=digest).offset
        lost.connection.send_content(module[offset:])
        # It is being compiled by now, or soon.
    with rig.session(0) as caller:
        answer = caller.begin_upload(ContentKind.PROGRAM, len(module), digest=digest)
        if isinstance(answer, runtime.Proceed):
            caller.connection.send_content(module[answer.offset :])
            answer = caller.next_answer()
        assert answer == runtime.Done()
        again = caller.begin_upload(ContentKind.PROGRAM, len(module), digest=digest)
        assert again == runtime.Done()
    with rig.session(1) as stranger:
        refused = stranger.begin_upload(ContentKind.PROGRAM, len(module), digest=digest)
        assert refused.reason is RefusalReason.WRONG_ROLE


def test_a_result_goes_on_in_another_session(rig):
    with rig.session(0) as author:
        author.program(guests.COLLECTOR)
    with rig.session(1) as provider:
        provider.data(CONTENT)
    with rig.session(2) as lost:
        whole = lost.ask(runtime.GetResult())
        pieces = lost.connection.receive_content(whole.size, timeout_s=PATIENCE_S)
        first = next(pieces)
    with rig.session(2) as reader:
        rest = reader.ask(runtime.GetResult(offset=len(first)))
        assert (rest.receipt, rest.size, rest.offset) == (whole.receipt, whole.size, len(first))
        output = first + reader.content_of(rest)
        assert CONTENT in output
        assert len(output) == whole.size
