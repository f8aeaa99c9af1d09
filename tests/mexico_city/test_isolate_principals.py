"""Who is let in, and that nobody who is keeps the others from being served."""

import os
import socket
import threading
import time
import warnings
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta

import pytest

from baja import KeyAndCertificate, make_certificate
from colima import frame, runtime
from colima.framing import MAX_REQUEST_BYTES
from colima.isolate import sessions_of_isolate
from colima.runtime import REQUEST, ComputationState, ContentKind, GetState, RefusalReason
from jalisco import IsolateRefusedError, SessionError
from support import runtime_guests as guests
from support.impostors import thief_of
from support.isolate_rig import new_party
from support.patience import PATIENCE_S
from support.policies import DAY, certificate, document_2021, pem, rsa_key_of, text
from support.processes import eventually, state
from veracruz_utils.digest import Digest
from veracruz_utils.policy import TLS_1_2_SUITES, TLS_1_3_SUITES, Limits, Role, Strategy

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def rig(isolates):
    """An isolate that waits for its program, for tests that leave it as it is."""
    with isolates.computation([[PI], [DATA], [READER]], program=guests.HELLO, data=[1]) as one:
        yield one


def refused(rig, who: KeyAndCertificate) -> bool:
    """Whether the isolate refuses this principal because of its certificate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a key that OpenSSL itself loaded
        with pytest.raises(IsolateRefusedError), rig.session(who) as caller:
            caller.state()
    return True


def served(rig, who: int = 2) -> bool:
    """Whether a principal of the policy gets its answers."""
    with rig.session(who) as caller:
        return caller.state() in ComputationState


def ended(channel: socket.socket) -> bool:
    """Whether the isolate closes this session, after whatever it has to say."""
    channel.settimeout(PATIENCE_S)
    with suppress(ConnectionResetError):
        while channel.recv(4096):
            pass
    return True


@pytest.mark.parametrize("suite", [suite.name for suite in TLS_1_3_SUITES])
def test_a_principal_of_the_policy_is_let_in_with_the_policys_suite(isolates, suite):
    with (
        isolates.computation([[PI, READER]], program=guests.HELLO, ciphersuite=suite) as one,
        one.session(0) as caller,
    ):
        answer = caller.ask(runtime.GetPolicyDigest())
        assert answer.digest == one.policy.digest.value


@pytest.mark.parametrize("suite", [suite.name for suite in TLS_1_2_SUITES])
def test_a_policy_of_2021_is_served_in_tls_1_2_to_clients_with_rsa_keys(isolates, suite):
    now = datetime.now(UTC)
    key = rsa_key_of("client")
    der = certificate("client", key=key, not_before=now - DAY, not_after=now + DAY)
    expiry = {"year": now.year + 1, "month": 1, "day": 1, "hour": 0, "minute": 0}
    raw = text(
        document_2021()
        | {
            "identities": [{"id": 0, "certificate": pem(der), "roles": [PI, READER]}],
            "enclave_cert_expiry": expiry,
            "ciphersuite": suite,
            "mexico_city_hash_linux_software": isolates.launcher.measurement.hex(),
            "data_provision_order": [],
            "streaming_order": [],
            "pi_hash": str(Digest.of(guests.HELLO)),
        }
    )
    with (
        isolates.launch(raw, [KeyAndCertificate(key, der)]) as one,
        one.session(0) as client,
    ):
        assert client.program(guests.HELLO) == runtime.Done()
        assert client.result()[1] == b"hello"
        assert refused(one, new_party("stranger"))


def test_another_suite_than_the_policys_is_not_spoken(isolates, rig):
    other = isolates.policy(
        [(party, [role]) for party, role in zip(rig.parties, (PI, DATA, READER), strict=True)],
        program=guests.HELLO,
        ciphersuite="TLS_CHACHA20_POLY1305_SHA256",
    )
    with isolates.launch(other, rig.parties) as another:
        another.policy, mine = rig.policy, another.policy
        with pytest.raises(SessionError), another.session(0) as caller:
            caller.state()
        another.policy = mine
        assert served(another)


def test_a_stranger_is_refused(rig):
    assert refused(rig, new_party("stranger"))
    assert served(rig)


def test_a_strangers_certificate_with_a_principals_key_is_refused(rig):
    key = rig.parties[0].private_key
    borrowed = KeyAndCertificate(key, _certificate_for(key))
    assert refused(rig, borrowed)
    assert served(rig)


def _certificate_for(key) -> bytes:
    """Another certificate of the same key."""
    now = datetime.now(UTC)
    return make_certificate(
        name="party-0", not_before=now - timedelta(1), not_after=now + timedelta(1), key=key
    ).certificate


def test_a_principals_certificate_with_a_strangers_key_is_refused(rig):
    assert refused(rig, thief_of(rig.parties[0]))
    assert served(rig)


def test_a_certificate_that_expired_since_the_policy_was_made_is_refused(isolates):
    brief, lasting = new_party("brief", days=3 / 86400), new_party("lasting")
    policy = isolates.policy([(brief, [PI]), (lasting, [READER])], program=guests.HELLO)
    with isolates.launch(policy, [brief, lasting]) as one:
        time.sleep(3.1)
        assert refused(one, brief)
        assert served(one, 1)


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" * 9, os.urandom(50_000)]
)
def test_garbage_instead_of_tls_ends_its_session_alone(rig, garbage):
    with rig.raw_session() as channel:
        with suppress(BrokenPipeError, ConnectionResetError):
            channel.sendall(garbage)
        assert ended(channel)
    assert served(rig)


def test_a_forged_record_ends_its_session_alone(rig):
    with rig.session(1) as caller:
        caller.state()
        caller.connection._transport.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(SessionError):
            caller.next_answer()
    assert served(rig)


def test_a_frame_over_the_limit_is_refused_before_it_comes(rig):
    with rig.session(1) as caller:
        caller.connection.send_content((MAX_REQUEST_BYTES + 1).to_bytes(4, "little"))
        assert caller.next_answer().reason is RefusalReason.BAD_REQUEST
        with pytest.raises(SessionError):
            caller.next_answer()
    assert served(rig)


def test_a_frame_of_garbage_is_refused_and_the_session_ended(rig):
    with rig.session(1) as caller:
        caller.connection.send_frame(b"garbage")
        assert caller.next_answer().reason is RefusalReason.BAD_REQUEST
        with pytest.raises(SessionError):
            caller.next_answer()
    assert served(rig)


def test_a_truncated_frame_is_waited_for_and_then_forgotten(rig):
    with rig.session(1) as caller:
        caller.connection.send_content(frame(REQUEST.encode(GetState()))[:-1])
        assert served(rig)
    assert served(rig)


def test_a_principal_may_have_two_sessions_and_is_one_principal_in_both(isolates):
    with (
        isolates.computation([[PI], [DATA], [READER]], program=guests.COLLECTOR, data=[1]) as one,
        one.session(0) as author,
        one.session(1) as here,
        one.session(1) as there,
    ):
        author.program(guests.COLLECTOR)
        assert here.begin_upload(ContentKind.DATA, 4) == runtime.Proceed()
        assert there.data(b"also").reason is RefusalReason.DUPLICATE_PACKAGE
        assert there.data(b"also", 1).reason is RefusalReason.NOT_EXPECTED
        here.connection.send_content(b"four")
        assert isinstance(here.next_answer(), runtime.Accepted)
        assert there.state() is ComputationState.READY_TO_EXECUTE


@pytest.mark.parametrize("kind", [ContentKind.PROGRAM, ContentKind.DATA])
def test_who_vanishes_mid_upload_leaves_its_place_free(isolates, kind):
    with (
        isolates.computation([[PI], [DATA], [READER]], program=guests.COLLECTOR, data=[1]) as one,
        one.session(0) as author,
        one.session(1) as provider,
    ):
        if kind is ContentKind.DATA:
            author.program(guests.COLLECTOR)
        who = 0 if kind is ContentKind.PROGRAM else 1
        with one.session(who) as vanishing:
            assert vanishing.begin_upload(kind, 5 * MIB) == runtime.Proceed()
            vanishing.connection.send_content(bytes(MIB))
            vanishing.connection._transport.channel.shutdown(socket.SHUT_RDWR)
        if kind is ContentKind.PROGRAM:
            assert eventually(lambda: author.program(guests.COLLECTOR) == runtime.Done())
        assert eventually(lambda: isinstance(provider.data(b"again"), runtime.Accepted))
        assert provider.state() is ComputationState.READY_TO_EXECUTE


def test_a_large_result_keeps_nobody_waiting_who_asks_meanwhile(isolates):
    size = 24 * MIB
    program = guests.writing(size)
    with (
        isolates.computation([[PI], [READER]], program=program) as one,
        one.session(0) as author,
        one.session(1) as reader,
        one.session(1) as other,
    ):
        author.program(program)
        answer = reader.ask(runtime.GetResult())
        pieces = reader.connection.receive_content(answer.size, timeout_s=PATIENCE_S)
        received = 0
        for piece in pieces:
            received += len(piece)
            assert not any(piece)
            assert other.state() is ComputationState.FINISHED_EXECUTING
        assert received == size


def test_a_reader_that_reads_nothing_keeps_nobody_waiting(isolates):
    program = guests.writing(8 * MIB)
    with (
        isolates.computation([[PI], [READER]], program=program) as one,
        one.session(0) as author,
        one.session(1) as stuck,
        one.session(1) as other,
    ):
        author.program(program)
        stuck.connection.send_frame(REQUEST.encode(runtime.GetResult()))
        assert len(other.result()[1]) == 8 * MIB
        assert author.state() is ComputationState.FINISHED_EXECUTING


def test_a_bridge_that_makes_its_sockets_block_blocks_nothing(isolates):
    program = guests.writing(8 * MIB)
    with (
        isolates.computation([[PI], [READER]], program=program) as one,
        one.session(0) as author,
        one.session(1) as other,
    ):
        author.program(program)
        shared = []
        plain_session = one.raw_session

        def session_with_a_second_owner():
            ours, theirs = socket.socketpair()
            socket.send_fds(one.isolate.control, [b"\0"], [theirs.fileno()])
            shared.append(theirs)
            return ours

        one.raw_session = session_with_a_second_owner
        with one.session(1) as stuck:
            stuck.state()
            os.set_blocking(shared[0].fileno(), True)
            stuck.connection.send_frame(REQUEST.encode(runtime.GetResult()))
            assert len(other.result()[1]) == 8 * MIB
        shared[0].close()
        one.raw_session = plain_session


def test_a_flood_of_requests_is_answered_in_turn_with_others(rig):
    request = frame(REQUEST.encode(GetState()))
    with rig.session(1) as flooding, rig.session(2) as other:
        flooding.connection.send_content(request * 5000)
        assert other.state() is ComputationState.INITIAL
        for _ in range(5000):
            assert isinstance(flooding.next_answer(), runtime.StateIs)


def test_a_flood_of_requests_whose_answers_nobody_takes_leaves_the_front_at_rest(isolates):
    with (
        isolates.computation([[PI, READER]], program=guests.HELLO) as one,
        one.session(0) as flooding,
        one.session(0) as other,
    ):
        flooding.state()
        flooding.connection._transport.send_timeout_s = 0.5
        with pytest.raises(SessionError):
            flooding.connection.send_content(frame(REQUEST.encode(GetState())) * 200_000)
        assert other.state() is ComputationState.INITIAL
        front = one.isolate.process_id
        assert eventually(lambda: all(state(front) == "S" for _ in range(50)))
        assert other.state() is ComputationState.INITIAL


@pytest.mark.parametrize("strategy", list(Strategy))
def test_everybody_is_served_while_the_program_runs_to_its_limit(isolates, strategy):
    with (
        isolates.computation(
            [[PI], [READER], [READER]],
            program=guests.ENDLESS,
            strategy=strategy,
            limits=Limits(run_seconds=1),
        ) as one,
        one.session(0) as author,
        one.session(1) as first,
        one.session(2) as second,
    ):
        author.program(guests.ENDLESS)
        for reader in (first, second):
            reader.connection.send_frame(REQUEST.encode(runtime.GetResult()))
        running = (ComputationState.READY_TO_EXECUTE, 1, True)
        assert eventually(lambda: author.stands_in() == running)
        with one.session(1) as another:
            assert another.ask(GetState()).running
        for reader in (first, second):
            answer = reader.next_answer()
            assert (answer.reason, answer.found) == (RefusalReason.LIMIT_REACHED, "time")
        assert author.state() is ComputationState.ERROR


def test_two_large_uploads_at_once_both_arrive(isolates):
    contents = [os.urandom(6 * MIB) for _ in range(2)]
    with (
        isolates.computation(
            [[PI], [DATA], [DATA, READER]], program=guests.COLLECTOR, data=[1, 2]
        ) as one,
        one.session(0) as author,
        one.session(1) as first,
        one.session(2) as second,
    ):
        author.program(guests.COLLECTOR)
        callers = zip((first, second), contents, strict=True)
        threads = [threading.Thread(target=each.data, args=[data]) for each, data in callers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _, output = second.result()
        assert guests.Collected.parse(output, count=2).items == tuple(contents)


def test_silent_sessions_give_way_to_a_principal_when_all_places_are_taken(isolates):
    with (
        isolates.computation([[PI, READER]], program=guests.HELLO) as one,
        ExitStack() as stack,
        one.session(0) as before,
    ):
        silent = [stack.enter_context(one.raw_session()) for _ in range(sessions_of_isolate(1))]
        assert before.state() is ComputationState.INITIAL
        assert ended(silent[0])
        assert served(one, 0)
        assert ended(silent[1])
        with pytest.raises(BlockingIOError):
            silent[-1].recv(1, socket.MSG_DONTWAIT)
