"""The bridge's side of Sonora's protocol."""

import asyncio
import contextlib
import socket
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colima import frame
from colima.sonora import FROM_SONORA, Ended, Failed, IsolateEnding, Token
from sinaloa import End, IsolateLink, SinaloaError, SonoraUnreachableError
from sinaloa import isolate as module
from support.patience import PATIENCE_S
from support.sinaloa_fakes import FakeSonora, launched_with, open_descriptors, refuse


def ending_of(isolate: IsolateLink) -> End | None:
    over = threading.Event()
    isolate.when_ended(over.set)
    assert over.wait(PATIENCE_S)
    return isolate.end


def test_an_isolate_holds_exactly_the_policy(sonora):
    with IsolateLink.launch(sonora.path, b"the policy") as isolate:
        assert sonora.policies == [b"the policy"]
        assert isolate.launched == launched_with(b"the policy")
        assert isolate.end is None


def test_a_session_reaches_the_isolate(sonora):
    with (
        IsolateLink.launch(sonora.path, b"policy") as isolate,
        asyncio.run(isolate.open_session()) as one,
        asyncio.run(isolate.open_session()) as two,
    ):
        for each in (one, two):
            each.settimeout(PATIENCE_S)
        one.sendall(b"hello")
        two.sendall(b"world")
        assert (one.recv(100), two.recv(100)) == (b"hello", b"world")


def test_a_token_is_over_the_challenge(sonora):
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        for byte in range(3):
            challenge = bytes([byte]) * 32
            assert asyncio.run(isolate.attest(challenge)) == b"t" + challenge


def test_answers_reach_who_asked(sonora):
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        tokens: dict[bytes, bytes] = {}

        def ask(challenge: bytes) -> None:
            tokens[challenge] = asyncio.run(isolate.attest(challenge))

        threads = [threading.Thread(target=ask, args=(bytes([n]) * 32,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tokens == {bytes([n]) * 32: b"t" + bytes([n]) * 32 for n in range(20)}


def test_a_late_answer_is_not_taken_for_the_next(sonora, monkeypatch):
    monkeypatch.setattr(module, "_TOKEN_S", 0.05)
    sonora.vouch = lambda challenge: None
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        with pytest.raises(SonoraUnreachableError, match="did not answer"):
            asyncio.run(isolate.attest(bytes(32)))
        monkeypatch.setattr(module, "_TOKEN_S", 10)

        def vouch_for_both(challenge: bytes) -> Token:
            sonora.say(Token(b"late"))
            return Token(b"in time")

        sonora.vouch = vouch_for_both
        assert asyncio.run(isolate.attest(bytes(32))) == b"in time"


def test_a_refusal_to_vouch_is_passed_on(sonora):
    sonora.vouch = lambda challenge: Failed("tabasco refuses\nthis root")
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        with pytest.raises(SinaloaError) as caught:
            asyncio.run(isolate.attest(bytes(32)))
        assert str(caught.value) == (
            "sonora does not vouch for the isolate: 'tabasco refuses\\nthis root'"
        )
        sonora.vouch = lambda challenge: Token(b"now it does")
        assert asyncio.run(isolate.attest(bytes(32))) == b"now it does"


@pytest.mark.parametrize(
    ("ending", "end"), [(ending, End[ending.name]) for ending in IsolateEnding]
)
def test_sonora_says_how_the_isolate_ended(sonora, ending, end):
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        sonora.end_isolate(ending)
        assert ending_of(isolate) is end
        with pytest.raises(SinaloaError, match=end.value):
            asyncio.run(isolate.open_session())
        with pytest.raises(SinaloaError, match=end.value):
            asyncio.run(isolate.attest(bytes(32)))


def test_closing_ends_the_isolate_for_good(sonora):
    with IsolateLink.launch(sonora.path, b"policy"):
        assert not sonora.released
    assert sonora.released


def test_an_end_before_anyone_asks_is_told_when_someone_does(sonora):
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        sonora.end_isolate(IsolateEnding.QUORUM)
        isolate._watcher.join(PATIENCE_S)
        assert ending_of(isolate) is End.QUORUM


def test_an_end_nobody_explains_is_a_failure(sonora, monkeypatch):
    monkeypatch.setattr(module, "_END_S", 0.1)
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        sonora.end_isolate(IsolateEnding.QUORUM, told=False)
        assert ending_of(isolate) is End.FAILURE


def test_sonora_going_away_ends_everything(sonora):
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        sonora.drop_bridges()
        assert ending_of(isolate) is End.SONORA_GONE
        with pytest.raises(SonoraUnreachableError):
            asyncio.run(isolate.open_session())
        with pytest.raises(SonoraUnreachableError):
            asyncio.run(isolate.attest(bytes(32)))


def test_who_waits_for_a_token_learns_of_the_end(sonora):
    asked = threading.Event()
    sonora.vouch = lambda challenge: asked.set()
    with IsolateLink.launch(sonora.path, b"policy") as isolate:

        def end() -> None:
            assert asked.wait(PATIENCE_S)
            sonora.drop_bridges()

        thread = threading.Thread(target=end)
        thread.start()
        with pytest.raises(SonoraUnreachableError, match="went away"):
            asyncio.run(isolate.attest(bytes(32)))
        thread.join()


def test_closing_ends_the_isolate(sonora):
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        called = []
        isolate.when_ended(lambda: called.append(1))
    assert sonora.bridge_gone.wait(PATIENCE_S)
    sonora.isolates[0].join()
    assert called == []
    isolate.close()


def test_closing_does_not_wait_for_a_sonora_that_is_stuck(sonora, monkeypatch):
    monkeypatch.setattr(module, "_END_S", 0.1)
    forever = threading.Event()
    sonora.vouch = lambda challenge: forever.wait(PATIENCE_S) and None
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        monkeypatch.setattr(module, "_TOKEN_S", 0.05)
        with pytest.raises(SonoraUnreachableError):
            asyncio.run(isolate.attest(bytes(32)))
    forever.set()


def test_nobody_there_is_told_with_the_remedy(tmp_path):
    with pytest.raises(SonoraUnreachableError) as caught:
        IsolateLink.launch(tmp_path / "no.sock", b"policy")
    assert str(caught.value) == (
        f"sonora at {tmp_path}/no.sock cannot be reached (no such file or directory): "
        "start it with 'sonora serve', or name its socket with --sonora"
    )
    assert caught.value.exit_code == 4


def test_a_sonora_that_lets_this_user_not_in_is_told_with_the_remedy(monkeypatch, tmp_path):
    def refused(_socket, _path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(
        module.socket, "socket", type("Closed", (socket.socket,), {"connect": refused})
    )
    with pytest.raises(SonoraUnreachableError, match="is closed to this user: start it with --br"):
        IsolateLink.launch(tmp_path / "sonora.sock", b"policy")


@pytest.mark.parametrize("name", ["stale.sock", "a file", "n" * 200, "a\0b"])
def test_what_is_no_listening_socket_is_unreachable(tmp_path, name):
    if name == "stale.sock":
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(tmp_path / name))
    elif name == "a file":
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(SonoraUnreachableError, match="start it"):
        IsolateLink.launch(tmp_path / name, b"policy")


def test_a_refusal_to_launch_is_passed_on(sonora):
    sonora.launch = refuse
    with pytest.raises(SinaloaError, match="launches no isolate: '16 isolates run already"):
        IsolateLink.launch(sonora.path, b"policy")


def test_a_sonora_that_hangs_is_given_up(sonora):
    sonora.launch = lambda connection, policy: None
    with pytest.raises(SonoraUnreachableError, match=r"launched no isolate within 0.1 s.*--launch"):
        IsolateLink.launch(sonora.path, b"policy", timeout_s=0.1)


def test_a_sonora_that_vanishes_is_told(sonora):
    def vanish(connection: socket.socket, policy: bytes) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    sonora.launch = vanish
    with pytest.raises(SonoraUnreachableError, match="went away"):
        IsolateLink.launch(sonora.path, b"policy")


def launched(policy: bytes) -> bytes:
    return frame(FROM_SONORA.encode(launched_with(policy)))


def without_a_socket(connection: socket.socket, policy: bytes) -> None:
    connection.sendall(launched(policy) + b"\0")


def with_a_file(connection: socket.socket, policy: bytes) -> None:
    connection.sendall(launched(policy))
    with open("/dev/null", "rb") as file:  # noqa: PTH123 - any descriptor will do
        socket.send_fds(connection, [b"\0"], [file.fileno()])


def with_two_sockets(connection: socket.socket, policy: bytes) -> None:
    connection.sendall(launched(policy))
    one, two = socket.socketpair()
    with one, two:
        socket.send_fds(connection, [b"\0"], [one.fileno(), two.fileno()])


def with_an_enormous_frame(connection: socket.socket, policy: bytes) -> None:
    connection.sendall(b"\xff\xff\xff\xff")


def with_something_else(connection: socket.socket, policy: bytes) -> None:
    connection.sendall(frame(FROM_SONORA.encode(Token(b"token"))))


def with_a_greeting(connection: socket.socket, policy: bytes) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n".ljust(4000))


@pytest.mark.parametrize(
    "answer",
    [
        without_a_socket,
        with_a_file,
        with_two_sockets,
        with_an_enormous_frame,
        with_something_else,
        with_a_greeting,
    ],
)
def test_what_is_no_sonora_is_told_and_leaves_no_descriptor(sonora, answer):
    sonora.launch = answer
    before = open_descriptors()
    with pytest.raises(SinaloaError, match="does not speak Sonora's protocol"):
        IsolateLink.launch(sonora.path, b"policy")
    assert sonora.bridge_gone.wait(PATIENCE_S)
    assert open_descriptors() <= before


@given(st.binary(max_size=200))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_answer_gives_an_isolate_or_our_error(tmp_path_factory, answer):
    folder = tmp_path_factory.mktemp("sonora")
    sonora = FakeSonora(folder / "s")

    def reply(connection: socket.socket, policy: bytes) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    sonora.launch = reply
    with pytest.raises(SinaloaError):
        IsolateLink.launch(sonora.path, b"policy")
    sonora.close()


@pytest.mark.parametrize(
    "nonsense",
    [Token(b"nobody asked"), Failed("nobody asked"), launched_with(b"another")],
)
def test_a_sonora_that_breaks_the_protocol_later_is_as_good_as_gone(sonora, nonsense):
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        sonora.say(nonsense)
        assert ending_of(isolate) is End.SONORA_GONE


def test_an_isolate_that_talks_on_its_control_socket_is_done_with(sonora, monkeypatch):
    monkeypatch.setattr(module, "_END_S", 0.1)
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        sonora.isolates[0].control.sendall(b"let me out")
        assert ending_of(isolate) is End.FAILURE


def test_an_isolate_that_takes_no_sessions_is_noticed(sonora, monkeypatch):
    monkeypatch.setattr(module, "_STEP_S", 0.2)
    control, theirs = socket.socketpair()

    def launch_stuck(connection: socket.socket, policy: bytes) -> None:
        connection.sendall(launched(policy))
        with theirs:
            socket.send_fds(connection, [b"\0"], [theirs.fileno()])

    sonora.launch = launch_stuck

    def open_many() -> None:
        with contextlib.ExitStack() as opened:
            for _ in range(100_000):
                opened.enter_context(asyncio.run(isolate.open_session()))

    with control, IsolateLink.launch(sonora.path, b"policy") as isolate:
        with pytest.raises(SinaloaError, match="takes no session"):
            open_many()
        control.shutdown(socket.SHUT_RDWR)


def test_launching_and_closing_leaves_nothing_behind(sonora):
    def once() -> None:
        with (
            IsolateLink.launch(sonora.path, b"policy") as isolate,
            asyncio.run(isolate.open_session()) as session,
        ):
            session.settimeout(PATIENCE_S)
            session.sendall(b"x")
            assert session.recv(1) == b"x"
        assert sonora.bridge_gone.wait(PATIENCE_S)
        sonora.bridge_gone.clear()

    once()
    before = open_descriptors()
    for _ in range(5):
        once()
    assert open_descriptors() <= before


def test_an_ended_message_is_taken_even_if_the_control_socket_is_open(sonora):
    with IsolateLink.launch(sonora.path, b"policy") as isolate:
        sonora.say(Ended(IsolateEnding.QUORUM))
        assert ending_of(isolate) is End.QUORUM
