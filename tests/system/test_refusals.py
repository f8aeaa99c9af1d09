"""What principals must not do, or not now: refused with the cause, and nobody else notices."""

import ssl
import threading
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from colima import frame, runtime
from colima.runtime import ComputationState, ContentKind, RefusalReason, ResponseStatus, Upload
from durango import (
    Identity,
    NotAuthorisedError,
    ProgramFailedError,
    RequestFailedError,
    RequestRefusedError,
)
from jalisco import IsolateRefusedError
from support.patience import PATIENCE_S
from support.policies import pem
from support.runtime_guests import COLLECTOR, ENDLESS, FAILING, HELLO, RANDOM, SILENT, TRAPPING
from support.stack import DATA, PI, RESULT, Computation, Stack, new_party
from support.stdlib_tls import StdlibEnd, client_context, write_pem
from veracruz import ServiceError
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Limits, PolicyError, Strategy

AUTHOR, NORTH, SOUTH, READER = range(4)
SMALL = Limits(program_bytes=64 * 1024, input_bytes=1000, total_input_bytes=1500)


@pytest.fixture(scope="module")
def half_done(stack):
    """A computation that has its program and one of two inputs, and stays so all the time."""
    with stack.computation(
        [PI], [DATA], [DATA], [RESULT], program=COLLECTOR, data=(NORTH, SOUTH), limits=SMALL
    ) as computation:
        computation.send_program(AUTHOR)
        computation.send_data(NORTH, b"north's")
        yield computation


@pytest.fixture
def computation(half_done):
    """The same, for a test that changes nothing and leaves everybody served."""
    yield half_done
    assert half_done.state(SOUTH) is ComputationState.DATA_SOURCES_LOADING


@pytest.fixture
def fresh(stack):
    """A computation that nothing was sent to."""
    with stack.computation(
        [PI], [DATA], [RESULT], program=HELLO, data=(1,), limits=SMALL
    ) as computation:
        yield computation


# By the policy: the role, the program, the size, the place.


@pytest.mark.parametrize(
    ("client", "command", "holder"),
    [
        (
            NORTH,
            "program send",
            "client 1 is DataProvider and may not send program: that takes PiProvider",
        ),
        (
            AUTHOR,
            "data send",
            "client 0 is PiProvider and may not send data: that takes DataProvider",
        ),
    ],
)
def test_a_wrong_role_is_refused_by_the_client_itself(computation, client, command, holder):
    sent = computation.durango(command, computation.file(COLLECTOR), client=client)
    sent.refused(3, holder, "which the policy gives to client")


@pytest.mark.parametrize(
    ("command", "act"),
    [
        ("result get", "read the result"),
        ("round next", "begin another round"),
        ("shutdown", "ask for shutdown"),
    ],
)
def test_what_is_for_readers_is_refused_to_others(computation, command, act):
    options = ["--output", computation.folder / "result"] if command == "result get" else []
    asked = computation.durango(command, *options, client=AUTHOR)
    asked.refused(3, f"may not {act}: that takes ResultReader, which the policy gives to client 3")


@pytest.mark.parametrize(
    ("client", "request_"),
    [
        (NORTH, Upload(ContentKind.PROGRAM, 0, 10)),
        (AUTHOR, Upload(ContentKind.DATA, 0, 10)),
        (READER, Upload(ContentKind.DATA, 0, 10)),
        (AUTHOR, Upload(ContentKind.STREAM, 0, 10)),
        (AUTHOR, runtime.GetResult()),
        (SOUTH, runtime.NextRound()),
        (SOUTH, runtime.Shutdown()),
    ],
)
def test_a_wrong_role_is_refused_by_the_isolate_too(computation, client, request_):
    with computation.caller(client) as caller:
        refused = caller.refusal(request_)
        assert (refused.status, refused.reason) == (
            ResponseStatus.INVALID_ROLE,
            RefusalReason.WRONG_ROLE,
        )
        assert caller.state() is ComputationState.DATA_SOURCES_LOADING


def test_another_program_is_refused_by_the_client_with_both_digests(fresh):
    sent = fresh.durango("program send", fresh.file(RANDOM, "other.wasm"), client=0)
    sent.refused(
        3, "other.wasm", digest(RANDOM), digest(HELLO), "give the file that the policy was made for"
    )


def test_another_program_is_refused_by_the_isolate_and_the_right_one_may_follow(fresh):
    with fresh.caller(0) as author:
        refused = author.upload(ContentKind.PROGRAM, RANDOM)
        assert refused.reason is RefusalReason.WRONG_PROGRAM
        assert refused.expected == digest(HELLO)
        assert author.state() is ComputationState.INITIAL
        assert author.upload(ContentKind.PROGRAM, HELLO) == runtime.Done()


def test_too_much_data_is_refused_by_the_client_with_the_limit(computation):
    sent = computation.durango("data send", computation.file(bytes(1001), "big"), client=SOUTH)
    sent.refused(3, "big has 1001 bytes, the policy allows 1000 (input_bytes)", "send less")


@pytest.mark.parametrize("size", [1001, 1 << 40, (1 << 64) - 1])
def test_too_much_data_is_refused_by_the_isolate_before_it_comes(computation, size):
    with computation.caller(SOUTH) as south:
        refused = south.refusal(Upload(ContentKind.DATA, 0, size))
        assert refused.reason is RefusalReason.TOO_LARGE
        assert refused.expected == "input_bytes <= 1000"


def test_inputs_that_are_too_much_together_are_refused(stack):
    with stack.computation(
        [PI], [DATA], [RESULT], program=HELLO, data=(1, 1), limits=SMALL
    ) as computation:
        computation.send_program()
        computation.send_data(1, bytes(900), 0)
        sent = computation.durango(
            "data send", computation.file(bytes(601)), "--package", 1, client=1
        )
        sent.refused(3, "1501 bytes of inputs in all", "total_input_bytes <= 1500", "send less")
        computation.send_data(1, bytes(600), 1)


def test_a_package_is_taken_once(computation):
    sent = computation.durango("data send", computation.file(b"again"), client=NORTH)
    sent.refused(3, "duplicate package", "package 0 of client 1", "--replace")


def test_a_package_that_the_order_has_no_place_for_is_refused(computation):
    sent = computation.durango("data send", computation.file(b"more"), "--package", 1, client=NORTH)
    sent.refused(3, "not expected: data package 1 of client 1", "the policy's order has no place")


def test_a_datum_is_refused_when_none_is_expected(stack):
    with stack.computation([PI, DATA, RESULT], program=RANDOM) as computation:
        computation.send_program()
        sent = computation.durango("data send", computation.file(b"x"), client=0)
        sent.refused(
            3, "client 0 has no place in the policy's data_provision_order, which names nobody"
        )
        with computation.caller(0) as caller:
            refused = caller.refusal(Upload(ContentKind.DATA, 0, 1))
            assert refused.reason is RefusalReason.WRONG_STATE
            assert (refused.found, refused.expected) == ("READY_TO_EXECUTE", "DATA_SOURCES_LOADING")


# By the state: too early, too late.


def test_a_result_is_refused_before_there_is_a_program(fresh):
    path = fresh.folder / "result"
    asked = fresh.durango("result get", "--output", path, client=2)
    asked.refused(
        1,
        "wrong state: INITIAL, expected READY_TO_EXECUTE",
        "`durango status` says who has to act",
        "--wait",
    )
    assert not path.exists()


def test_a_datum_is_refused_before_there_is_a_program(fresh):
    sent = fresh.durango("data send", fresh.file(b"early"), client=1)
    sent.refused(1, "wrong state: INITIAL, expected DATA_SOURCES_LOADING", "--wait")
    fresh.send_program()
    fresh.send_data(1, b"in time")
    assert fresh.result(2) == b"hello"


def test_whoever_waits_is_served_when_the_others_have_acted(fresh):
    waiting = []
    reader = threading.Thread(
        target=lambda: waiting.append(
            fresh.durango("result get", "--output", fresh.folder / "result", "--wait", 60, client=2)
        )
    )
    reader.start()
    fresh.send_program()
    fresh.send_data(1, b"data")
    reader.join(PATIENCE_S)
    assert waiting[0].done().out.startswith("result in ")
    assert (fresh.folder / "result").read_bytes() == b"hello"


def test_a_program_and_an_input_that_are_in_are_taken_as_sent(computation):
    sent = computation.durango("program send", computation.file(COLLECTOR), client=AUTHOR)
    assert "the isolate has this very program already" in sent.done().err
    content = computation.file(b"north's")
    first, again = (
        computation.durango("data send", content, "--json", client=NORTH).done() for _ in range(2)
    )
    assert "the isolate has this very data already" in again.err
    assert again.json["commitment"] == first.json["commitment"]


def test_a_second_round_waits_for_the_end_of_the_first(computation):
    asked = computation.durango("round next", client=READER)
    asked.refused(1, "DATA_SOURCES_LOADING, expected FINISHED_EXECUTING")


# By the certificate.


def test_an_unknown_certificate_is_refused_by_the_client(computation):
    run_ = computation.durango("status", client=new_party("eve"))
    run_.refused(3, "is not in policy", "give the certificate that the policy was made with")


def test_an_unknown_certificate_is_refused_by_the_isolate(computation):
    eve = new_party("eve")
    with pytest.raises(IsolateRefusedError, match=str(eve.digest)) as caught:
        speak(computation, eve)
    assert caught.value.exit_code == 3
    assert "it is not in the policy, expired, or not the policy's key" in str(caught.value)


def test_a_certificate_of_the_same_name_is_another_certificate(stack):
    parties = [new_party("author"), new_party("reader")]
    with stack.computation([PI], [RESULT], parties=parties, program=HELLO) as computation:
        with pytest.raises(IsolateRefusedError):
            speak(computation, new_party("author"))
        speak(computation, 0)


def test_key_and_certificate_that_were_not_made_together_are_told_apart(computation):
    certificate, key = computation.who(NORTH), computation.who(SOUTH)
    asked = computation.durango("status", *certificate[:2], *key[2:])
    asked.refused(1, "is not the key of", "give the two files that were made together")


@pytest.mark.parametrize("victim", [AUTHOR, NORTH])
def test_a_certificate_shown_with_a_strangers_key_is_refused(computation, tmp_path, victim):
    context = client_context(forged_pair(tmp_path, computation.parties[victim]))
    assert "alert" in talk(computation, context)


def test_the_same_certificate_with_its_own_key_is_let_in(computation, tmp_path):
    north = computation.parties[NORTH]
    context = client_context(write_pem(tmp_path, north.private_key, north.certificate))
    assert talk(computation, context) == "an answer"


@pytest.mark.parametrize("chain", [False, True], ids=["no certificate", "no protocol"])
def test_whoever_shows_no_certificate_or_speaks_something_else_is_refused(
    computation, tmp_path, chain
):
    north = computation.parties[NORTH]
    if chain:
        pair = write_pem(tmp_path, north.private_key, north.certificate)
        context = client_context(pair, protocols=("http/1.1",))
    else:
        context = client_context(None)
    assert "alert" in talk(computation, context)


def test_an_expired_certificate_is_refused_by_client_and_isolate(stack):
    with ExitStack() as cleanup:
        computation, short = start_with_short_lived(stack, cleanup)
        end = x509.load_der_x509_certificate(short.certificate).not_valid_after_utc
        while datetime.now(UTC) <= end + timedelta(seconds=1):
            time.sleep(0.1)
        with pytest.raises(NotAuthorisedError, match=r"expired at .*: make a new identity"):
            speak_through_the_library(computation, short)
        with pytest.raises(IsolateRefusedError, match="it is not in the policy, expired"):
            speak(computation, short)
        speak(computation, 0)
        asked = computation.durango("status", client=short)
        asked.refused(3, "expired")


# By the program: what it does is its readers' to know, and ends nothing but the computation.


def test_a_program_that_reports_an_error_has_no_result_and_says_so_again(stack):
    with stack.computation([PI, RESULT], program=FAILING) as computation:
        computation.send_program()
        for _ in range(2):
            asked = computation.durango(
                "result get", "--output", computation.folder / "result", client=0
            )
            asked.refused(1, "the program returned error code -4 and there is no result")
        with computation.connect(0) as reader, pytest.raises(ProgramFailedError) as caught:
            reader.result()
        assert caught.value.return_code == -4
        assert computation.shut_down(0) == 0


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_program_that_traps_ends_the_computation(stack, strategy):
    with stack.computation([PI, RESULT], program=TRAPPING, strategy=strategy) as computation:
        computation.send_program()
        with computation.connect(0) as reader:
            with pytest.raises(RequestFailedError, match="trapped: unreachable"):
                reader.result()
            for _ in range(2):
                with pytest.raises(RequestFailedError, match="trapped: unreachable"):
                    reader.result(retry=True)
            with pytest.raises(RequestFailedError, match=r"ERROR.*start the computation anew"):
                reader.result()
            assert reader.state().state is ComputationState.ERROR
        assert computation.shut_down(0) == 0


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_program_without_an_end_is_ended_at_the_limit(stack, strategy):
    with stack.computation(
        [PI, RESULT], program=ENDLESS, strategy=strategy, limits=Limits(run_seconds=1)
    ) as computation:
        computation.send_program()
        with computation.connect(0) as reader:
            with pytest.raises(RequestFailedError, match="limit reached: time: agree on a policy"):
                reader.result()
            assert reader.state().state is ComputationState.READY_TO_EXECUTE


def test_a_program_without_a_result_is_told(stack):
    with stack.computation([PI, RESULT], program=SILENT) as computation:
        computation.send_program()
        path = computation.folder / "result"
        asked = computation.durango("result get", "--output", path, client=0)
        asked.refused(1, "the program ended without an error and wrote no result")
        assert not path.exists()


@pytest.mark.parametrize(
    ("program", "code"), [(b"hello", "not-wasm"), (b"\0asm\1\0\0\0", "no-memory")]
)
def test_a_program_that_the_engine_does_not_run_ends_the_computation(stack, program, code):
    with stack.computation([PI, RESULT], program=program) as computation:
        with computation.connect(0) as author, pytest.raises(RequestRefusedError) as caught:
            author.send_program(program)
        assert code in str(caught.value)
        assert "make a policy for a program that runs" in str(caught.value)
        assert computation.state() is ComputationState.ERROR
        assert computation.shut_down(0) == 0


# What the tests above are made of.


def digest(program: bytes) -> str:
    return str(Digest.of(program))


def speak(computation: Computation, who: int | Identity) -> None:
    """Be let in and hear something."""
    with computation.caller(who) as caller:
        caller.state()


def speak_through_the_library(computation: Computation, who: Identity) -> None:
    with computation.connect(who) as principal:
        principal.state()


def forged_pair(folder: Path, victim: Identity) -> Path:
    """The victim's certificate, and a key that says it is its own: only its signatures tell."""
    own = victim.private_key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    secret = victim.private_key.private_numbers().private_value.to_bytes(32)
    stranger = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    forged = own.replace(secret, stranger.to_bytes(32))
    assert forged != own
    path = folder / "forged.pem"
    path.write_text(
        pem(forged, "EC PRIVATE KEY", width=64) + "\n" + victim.certificate_pem().decode()
    )
    return path


def talk(computation: Computation, context: ssl.SSLContext) -> str:
    """What comes of asking for the state by another TLS than ours: an answer, or an alert."""
    client = StdlibEnd(context)
    transport = computation.transport()
    asked = False
    try:
        transport.send(client.advance())
        while data := transport.receive(30):
            reply = client.advance(data)
            if client.connected and not asked:
                asked = True
                reply += client.write(frame(runtime.REQUEST.encode(runtime.GetState())))
            if reply:
                transport.send(reply)
            if client.connected and client.read():
                return "an answer"
    except ssl.SSLError as error:
        return str(error).lower()
    finally:
        transport.close()
    return "silence"


def start_with_short_lived(stack: Stack, cleanup: ExitStack) -> tuple[Computation, Identity]:
    """A computation with a principal (1) whose certificate is about to end."""
    for lifetime_s in (3, 10, 30):  # the isolate must be there first: longer if that took longer
        short = new_party("short", lifetime=timedelta(seconds=lifetime_s))
        with suppress(PolicyError, ServiceError):
            computation = cleanup.enter_context(
                stack.computation(
                    [PI], [RESULT], parties=[new_party("author"), short], program=HELLO
                )
            )
            return computation, short
    pytest.fail("no isolate within half a minute")
