"""Uploads that break off: who may go on with them, what they keep, and what they give way to."""

import dataclasses
import os

import pytest

from colima.runtime import ContentKind, RefusalReason, Upload
from mexico_city.arrivals import KEPT_S, TAKEN_OVER, ArrivingUploads
from mexico_city.attempts import RunResult
from mexico_city.computation import Computation
from mexico_city.content import content_of
from mexico_city.errors import DeniedError
from support.computations import PROGRAM, consent_to, policy
from support.guests import CountingRandom
from support.processes import no_more_files, open_files
from veracruz_utils.digest import Digest

AUTHOR, FIRST, SECOND = range(3)
ROLES = [["PiProvider", "ResultReader"], ["DataProvider"], ["DataProvider"]]
CONTENT = b"a secret input"


class Session:
    """A sender that notes why it was ended."""

    def __init__(self) -> None:
        self.ended_by: DeniedError | None = None

    def end(self, why: DeniedError, *, at_once: bool) -> None:
        assert at_once
        self.ended_by = why


class Party:
    """A computation that has its program and waits for data."""

    def __init__(self, *, loaded: bool = True, data=(FIRST, FIRST, SECOND), **terms) -> None:
        self.computation = Computation(policy(ROLES, data=data, **terms), CountingRandom())
        self.arrivals = ArrivingUploads(self.computation.provision)
        if loaded:
            arrival = self.announce(AUTHOR, program())
            self.arrivals.arrived(arrival)
            self.computation.provision.check_program(arrival.slot, content_of(PROGRAM))
            self.computation.provision.program_loaded()

    def announce(self, who: int, upload: Upload, session: Session | None = None):
        identity = self.computation.policy.identities[who]
        return self.arrivals.announce(identity, upload, session or Session())

    def begin(self, who: int, upload: Upload, content: bytes = CONTENT[:5]):
        """An upload that has some of its content and breaks off."""
        session = Session()
        arrival = self.announce(who, upload, session)
        arrival.writer.write(content)
        self.arrivals.broke_off(arrival, session, now=100.0)
        return arrival


def data(package_id: int = 0, content: bytes = CONTENT, *, by_digest: bool = True) -> Upload:
    digest = Digest.of(content).value if by_digest else b""
    return Upload(ContentKind.DATA, package_id, len(content), digest)


def program() -> Upload:
    return Upload(ContentKind.PROGRAM, 0, len(PROGRAM), Digest.of(PROGRAM).value)


@pytest.fixture
def party():
    return Party()


def refusal(act, *arguments) -> RefusalReason:
    with pytest.raises(DeniedError) as refused:
        act(*arguments)
    return refused.value.answer.reason


def test_an_upload_is_gone_on_with_where_it_broke_off(party):
    broken = party.begin(FIRST, data())
    again = party.announce(FIRST, data())
    assert again is broken
    assert again.writer.written == 5
    again.writer.write(CONTENT[5:])
    assert again.writer.finish().digest == Digest.of(CONTENT)


@pytest.mark.parametrize(
    ("who", "upload"),
    [
        (FIRST, data(1)),
        (FIRST, data(0, CONTENT + b"!")),
        (FIRST, data(0, CONTENT.upper())),
        (SECOND, data()),
        (FIRST, data(by_digest=False)),
    ],
)
def test_anything_else_begins_at_its_beginning(party, who, upload):
    party.begin(FIRST, data())
    assert party.announce(who, upload).writer.written == 0


def test_without_a_digest_nothing_is_kept_of_an_upload(party):
    before = len(open_files(os.getpid()))
    party.begin(FIRST, data(by_digest=False))
    assert len(open_files(os.getpid())) == before
    assert party.announce(FIRST, data(by_digest=False)).writer.written == 0


def test_a_session_that_seems_alive_is_ended_by_the_one_that_goes_on(party):
    lost, found = Session(), Session()
    arrival = party.announce(FIRST, data(), lost)
    arrival.writer.write(CONTENT[:5])
    assert party.announce(FIRST, data(), found).writer.written == 5
    assert lost.ended_by is TAKEN_OVER
    # Its own end comes later, and is none of the upload's.
    party.arrivals.broke_off(arrival, lost, now=100.0)
    assert arrival.sender is found


def test_two_sessions_without_a_digest_do_not_take_from_each_other(party):
    party.announce(FIRST, data(by_digest=False))
    duplicate = party.announce, FIRST, data(by_digest=False)
    assert refusal(*duplicate) is RefusalReason.DUPLICATE_PACKAGE


def test_what_broke_off_keeps_its_place_and_its_size(party):
    party = Party(limits={"total_input_bytes": len(CONTENT) + 3})
    party.begin(FIRST, data())
    assert refusal(party.announce, SECOND, data(0, b"four")) is RefusalReason.TOO_LARGE
    assert party.announce(SECOND, data(0, b"abc"))


def test_what_broke_off_gives_way_to_what_its_principal_sends_instead(party):
    before = len(open_files(os.getpid()))
    party.begin(FIRST, data(0))
    party.begin(FIRST, data(1))
    instead = party.announce(FIRST, data(2))
    assert len(open_files(os.getpid())) == before + 1
    party.announce(FIRST, data(3))
    assert instead.writer.written == 0
    assert len(open_files(os.getpid())) == before + 2
    assert refusal(party.announce, FIRST, data(4)) is RefusalReason.NOT_EXPECTED


def test_what_would_be_refused_anyway_costs_nothing_that_was_kept(party):
    party = Party(limits={"input_bytes": len(CONTENT)})
    party.begin(FIRST, data())
    assert refusal(party.announce, FIRST, data(0, CONTENT + b"!")) is RefusalReason.TOO_LARGE
    assert party.announce(FIRST, data()).writer.written == 5


def test_nobody_elses_upload_gives_way(party):
    party = Party(limits={"total_input_bytes": len(CONTENT)})
    party.begin(FIRST, data())
    assert refusal(party.announce, SECOND, data()) is RefusalReason.TOO_LARGE
    assert party.announce(FIRST, data()).writer.written == 5


def test_a_program_is_gone_on_with_like_any_upload():
    party = Party(loaded=False)
    party.begin(AUTHOR, program(), PROGRAM[:5])
    assert party.announce(AUTHOR, program()).writer.written == 5
    undigested = Upload(ContentKind.PROGRAM, 0, len(PROGRAM))
    assert refusal(party.announce, AUTHOR, undigested) is RefusalReason.BUSY


def test_a_program_that_is_not_the_policys_is_refused_before_it_comes():
    party = Party(loaded=False)
    another = Upload(ContentKind.PROGRAM, 0, 5, Digest.of(b"other").value)
    assert refusal(party.announce, AUTHOR, another) is RefusalReason.WRONG_PROGRAM


def test_what_broke_off_is_forgotten_after_a_while_and_its_place_is_free(party):
    before = len(open_files(os.getpid()))
    arrival = party.begin(FIRST, data())
    party.arrivals.forget(100.0 + KEPT_S - 1)
    assert party.computation.provision.holds(arrival.slot)
    party.arrivals.forget(100.0 + KEPT_S)
    assert not party.computation.provision.holds(arrival.slot)
    assert len(open_files(os.getpid())) == before
    again = party.announce(FIRST, data())
    again.writer.write(CONTENT)
    assert again is not arrival


def test_what_arrives_is_never_forgotten(party):
    arrival = party.begin(FIRST, data())
    party.announce(FIRST, data())
    party.arrivals.forget(1e9)
    assert party.computation.provision.holds(arrival.slot)


def test_what_a_computation_waits_for_no_more_is_dropped(party):
    before = len(open_files(os.getpid()))
    party.begin(FIRST, data())
    party.computation.keeper_lost("keeper")
    party.arrivals.forget(101.0)
    assert len(open_files(os.getpid())) == before
    assert refusal(party.announce, FIRST, data()) is RefusalReason.WRONG_STATE


def test_what_a_computation_waits_for_no_more_is_not_gone_on_with(party):
    party.begin(FIRST, data())
    party.computation.keeper_lost("keeper")
    assert refusal(party.announce, FIRST, data()) is RefusalReason.WRONG_STATE


def test_a_program_that_a_computation_waits_for_no_more_is_dropped():
    party = Party(loaded=False)
    before = len(open_files(os.getpid()))
    party.begin(AUTHOR, program(), PROGRAM[:5])
    party.computation.keeper_lost("keeper")
    party.arrivals.forget(101.0)
    assert len(open_files(os.getpid())) == before


def test_without_all_consents_only_the_program_may_come_and_go_on():
    party = Party(loaded=False, consent="all")
    party.begin(AUTHOR, program(), PROGRAM[:5])
    arrival = party.announce(AUTHOR, program())
    party.arrivals.arrived(arrival)
    arrival.writer.close()
    party.computation.provision.check_program(arrival.slot, content_of(PROGRAM))
    party.computation.provision.program_loaded()
    consents, identities = party.computation.consents, party.computation.policy.identities
    assert refusal(party.announce, FIRST, data()) is RefusalReason.CONSENT_MISSING
    for client_id in range(3):
        consents.give(identities[AUTHOR], consent_to(party.computation.policy, client_id))
    broken = party.begin(FIRST, data())
    consents.revoke(identities[SECOND])
    assert refusal(party.announce, FIRST, data()) is RefusalReason.CONSENT_MISSING
    consents.give(identities[SECOND], consent_to(party.computation.policy, SECOND))
    assert party.announce(FIRST, data()) is broken


def provided(party: Party, who: int, upload: Upload, content: bytes = CONTENT) -> None:
    arrival = party.announce(who, upload)
    party.arrivals.arrived(arrival)
    arrival.writer.close()
    party.computation.provision.provide(arrival.slot, content_of(content))


INSTEAD = b"another secret"


def instead(*, replace: bool = True) -> Upload:
    return dataclasses.replace(data(0, INSTEAD), replace=replace)


def test_what_comes_instead_of_an_input_is_gone_on_with_by_who_says_so(party):
    provided(party, FIRST, data())
    broken = party.begin(FIRST, instead(), INSTEAD[:5])
    assert refusal(party.announce, FIRST, instead(replace=False)) is RefusalReason.DUPLICATE_PACKAGE
    assert party.announce(FIRST, instead()) is broken


def test_what_comes_instead_is_not_gone_on_with_when_it_is_too_late(party):
    for number in (0, 1):
        provided(party, FIRST, data(number))
    provided(party, SECOND, data())
    broken = party.begin(FIRST, instead(), INSTEAD[:5])
    party.computation.request_result(party.computation.policy.identities[AUTHOR])
    assert refusal(party.announce, FIRST, instead()) is RefusalReason.WRONG_STATE
    assert broken.sender is None
    party.computation.run_failed(RefusalReason.TRAPPED, "unreachable")
    assert party.announce(FIRST, instead()) is broken


def test_what_comes_instead_of_a_stream_ends_with_its_round():
    party = Party(data=(), streams=[FIRST], rounds=2)
    first = Upload(ContentKind.STREAM, 0, len(CONTENT), Digest.of(CONTENT).value)
    provided(party, FIRST, first)
    session = Session()
    late = party.announce(FIRST, Upload(ContentKind.STREAM, 0, 5, replace=True), session)
    reader = party.computation.policy.identities[AUTHOR]
    party.computation.request_result(reader)
    party.computation.run_finished(RunResult(0, None, b"receipt"))
    assert party.computation.next_round(reader)
    party.arrivals.round_begun()
    assert session.ended_by.answer.reason is RefusalReason.WRONG_STATE
    assert late.writer.descriptor == -1
    provided(party, FIRST, first)


def test_the_end_drops_everything(party):
    before = len(open_files(os.getpid()))
    party.begin(FIRST, data())
    party.announce(SECOND, data())
    party.arrivals.close()
    assert len(open_files(os.getpid())) == before


def test_an_upload_that_cannot_be_kept_is_refused_and_its_place_is_free(party):
    with no_more_files():
        assert refusal(party.announce, FIRST, data()) is RefusalReason.TOO_LARGE
    assert party.announce(FIRST, data()).writer.written == 0
