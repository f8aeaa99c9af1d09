"""Sonora's door, with real isolates behind it and a bridge that may do what it likes."""

import dataclasses
import math
import os
import signal
import socket
import stat
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from colima import decode, frame, read_frame, runtime
from colima.isolate import LetIn
from colima.sonora import (
    FROM_SONORA,
    TO_SONORA,
    Ended,
    Failed,
    IsolateEnding,
    Launch,
    Launched,
    MintToken,
    Release,
    Token,
)
from psa_attestation.tokens.instance_id import instance_id_of
from psa_attestation.tokens.runtime import RuntimeClaims
from psa_attestation.tokens.token import verify_token
from sonora import server as module
from sonora.bridge_access import BridgeAccess, Peer
from sonora.enrolled_key import EnrolledKey
from sonora.enrolment import OwnEnrolment
from sonora.errors import SonoraError
from sonora.server import BridgeSocket, Sonora, SonoraServer
from sonora.users import User, find_user, own_user
from support import runtime_guests as guests
from support.enrolment import new_key
from support.isolate_rig import Rig, new_party
from support.patience import PATIENCE_S
from support.processes import children, descendants, eventually, runs
from support.users import BRIDGE, SONORA, STRANGER, as_user, needs_root, open_folder
from veracruz_utils.digest import Digest
from veracruz_utils.errors import UnreachableError
from veracruz_utils.policy import RUNTIME_LAYERS, Policy, Role

KEY = new_key()
INSTANCE = instance_id_of(KEY.public_key())
CHALLENGE = bytes(range(32))
OURS = BridgeAccess(own_user())


class Bridge:
    """The other end of Sonora's socket."""

    def __init__(self, path) -> None:
        self.channel = socket.socket(socket.AF_UNIX)
        self.channel.settimeout(PATIENCE_S)
        self.channel.connect(str(path))

    def say(self, message) -> None:
        self.channel.sendall(frame(TO_SONORA.encode(message)))

    def hear(self):
        """The next message; None when Sonora has closed the connection."""
        try:
            payload = read_frame(self.channel.recv, limit=2**20)
        except ConnectionResetError:
            return None
        return None if payload is None else FROM_SONORA.decode(payload)

    def launch(self, policy: bytes) -> tuple[Launched, socket.socket]:
        self.say(Launch(policy))
        launched = self.hear()
        assert isinstance(launched, Launched), launched
        data, (control,), _, _ = socket.recv_fds(self.channel, 1, 1)
        assert len(data) == 1
        return launched, socket.socket(fileno=control)

    def release(self) -> None:
        """End the isolate."""
        self.say(Release())
        assert self.hear() is None

    def close(self) -> None:
        self.channel.close()


class Door:
    """A running server; `enrolled` may be replaced."""

    def __init__(self, isolates, path, access=None) -> None:
        self.path = path
        self.launcher = isolates.launcher
        enrolled = EnrolledKey(lambda: OwnEnrolment(KEY, INSTANCE, math.inf, math.inf))
        self.sonora = Sonora(self.launcher, enrolled, version="7.8")
        self.server = SonoraServer(BridgeSocket(path, access or OURS), self.sonora)
        self._thread = threading.Thread(target=self.server.serve_forever, args=[0.01])
        self._thread.start()

    @contextmanager
    def bridge(self):
        one = Bridge(self.path)
        try:
            yield one
        finally:
            one.close()

    def fronts(self) -> list[int]:
        return [each for each in children(self.launcher.zygote.process.pid) if runs(each)]

    def front(self) -> int:
        """The only isolate there is, once others are gone."""
        assert eventually(lambda: len(self.fronts()) == 1)
        return self.fronts()[0]

    def stop(self) -> None:
        self.server.stop()
        self._thread.join()


@pytest.fixture
def door(isolates, tmp_path):
    one = Door(isolates, tmp_path / "sonora.sock")
    yield one
    one.stop()
    assert eventually(lambda: one.fronts() == [])


@pytest.fixture
def parties():
    return [new_party("only")]


@pytest.fixture
def policy(isolates, parties):
    roles = [Role.PI_PROVIDER, Role.RESULT_READER]
    return isolates.policy([(parties[0], roles)], program=guests.HELLO)


def rig_of(launched: Launched, control, policy: bytes, parties) -> Rig:
    seen = SimpleNamespace(control=control, certificate_digest=launched.certificate_digest)
    return Rig(seen, Policy.parse(policy, at=datetime.now(UTC)), parties)


def works(door, policy) -> bool:
    """Whether another bridge gets its isolate and its token."""
    with door.bridge() as bridge:
        _, control = bridge.launch(policy)
        bridge.say(MintToken(CHALLENGE))
        with control:
            vouched = isinstance(bridge.hear(), Token)
        bridge.release()
        return vouched


def test_a_bridge_gets_an_isolate_that_serves_and_ends_with_its_quorum(door, policy, parties):
    with door.bridge() as bridge:
        launched, control = bridge.launch(policy)
        assert launched.platform == "linux-software-root"
        assert launched.measurement == door.launcher.measurement
        assert launched.policy_digest == Digest.of(policy).value
        rig = rig_of(launched, control, policy, parties)
        with rig.session(0) as only:
            assert only.program(guests.HELLO) == runtime.Done()
            assert only.result()[1] == b"hello"
            assert only.ask(runtime.Shutdown()) == runtime.Done()
        assert bridge.hear() == Ended(IsolateEnding.QUORUM)
        assert bridge.hear() is None
        control.settimeout(PATIENCE_S)
        assert decode(LetIn, read_frame(control.recv)) == LetIn(1)
        assert control.recv(1) == b""
        control.close()


def test_a_token_vouches_for_this_isolate_over_this_challenge(door, policy):
    with door.bridge() as bridge:
        launched, control = bridge.launch(policy)
        for challenge in (CHALLENGE, bytes(32)):
            bridge.say(MintToken(challenge))
            token = bridge.hear().token
            claims = verify_token(token, key_for={INSTANCE: KEY.public_key()}.get, nonce=challenge)
            assert RuntimeClaims.of(claims) == RuntimeClaims(
                platform="linux-software-root",
                measurement=door.launcher.measurement,
                version="7.8",
                certificate_digest=launched.certificate_digest,
                policy_digest=launched.policy_digest,
                instance_id=INSTANCE,
                challenge=challenge,
                isolation=RUNTIME_LAYERS | door.launcher.layers,
            )
        control.close()


def test_a_refused_policy_is_answered_with_its_reason(door, policy):
    with door.bridge() as bridge:
        bridge.say(Launch(policy.replace(b'"JIT"', b'"AOT"')))
        answer = bridge.hear()
        assert isinstance(answer, Failed)
        assert "execution_strategy" in answer.reason
        assert bridge.hear() is None
    assert works(door, policy)


@pytest.mark.parametrize(
    "words",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        frame(b"garbage"),
        frame(b""),
        (2**31).to_bytes(4, "little"),
        frame(TO_SONORA.encode(MintToken(CHALLENGE))),
    ],
)
def test_a_first_message_that_is_no_launch_ends_the_connection(door, policy, words):
    with door.bridge() as bridge:
        bridge.channel.sendall(words)
        assert bridge.hear() is None
    assert works(door, policy)


@pytest.mark.parametrize("words", [frame(b"garbage"), (2**20).to_bytes(4, "little"), frame(b"")])
def test_garbage_after_the_launch_ends_the_isolate(door, policy, words):
    with door.bridge() as bridge:
        _, control = bridge.launch(policy)
        bridge.channel.sendall(words)
        control.settimeout(PATIENCE_S)
        assert control.recv(1) == b""
        control.close()
    assert eventually(lambda: door.fronts() == [])
    assert works(door, policy)


def test_a_second_launch_on_one_connection_ends_both(door, policy):
    with door.bridge() as bridge:
        _, control = bridge.launch(policy)
        bridge.say(Launch(policy))
        assert bridge.hear() is None
        control.close()
        assert eventually(lambda: door.fronts() == [])
    assert works(door, policy)


@pytest.mark.parametrize("trickle", [False, True])
def test_who_does_not_launch_in_time_is_disconnected(door, policy, monkeypatch, trickle):
    monkeypatch.setattr(module, "_FIRST_MESSAGE_S", 0.4)
    message = iter(frame(TO_SONORA.encode(Launch(policy))))
    with door.bridge() as bridge:
        bridge.channel.settimeout(0.05 if trickle else PATIENCE_S)

        def disconnected() -> bool:
            try:
                if trickle:
                    bridge.channel.sendall(bytes([next(message)]))
                return bridge.channel.recv(1) == b""
            except TimeoutError:
                return False
            except (BrokenPipeError, ConnectionResetError):
                return True

        assert eventually(disconnected)


def test_a_launched_bridge_may_be_silent_for_longer(door, policy, monkeypatch):
    monkeypatch.setattr(module, "_FIRST_MESSAGE_S", 1.0)
    with door.bridge() as bridge:
        _, control = bridge.launch(policy)
        bridge.channel.settimeout(1.5)
        with pytest.raises(TimeoutError):
            bridge.channel.recv(1)
        bridge.channel.settimeout(PATIENCE_S)
        bridge.say(MintToken(CHALLENGE))
        assert isinstance(bridge.hear(), Token)
        control.close()


def test_a_bridge_that_says_so_ends_its_isolate(door, policy):
    with door.bridge() as bridge:
        _, control = bridge.launch(policy)
        front = door.front()
        processes = [front, *descendants(front)]
        bridge.release()
    with control:
        control.settimeout(PATIENCE_S)
        assert control.recv(1) == b""
    assert eventually(lambda: not [each for each in processes if runs(each)])


def leave(door, policy, parties) -> Launched:
    """A bridge that goes without a word, when its isolate has the program."""
    with door.bridge() as bridge:
        launched, control = bridge.launch(policy)
        assert not launched.found_again
        with control, rig_of(launched, control, policy, parties).session(0) as only:
            assert only.program(guests.HELLO) == runtime.Done()
    return launched


def test_a_bridge_that_went_without_a_word_leaves_its_isolate_to_the_next(door, policy, parties):
    left = leave(door, policy, parties)
    with door.bridge() as bridge:
        found, control = bridge.launch(policy)
        assert found == dataclasses.replace(left, found_again=True)
        bridge.say(MintToken(CHALLENGE))
        claims = verify_token(
            bridge.hear().token, key_for={INSTANCE: KEY.public_key()}.get, nonce=CHALLENGE
        )
        assert RuntimeClaims.of(claims).certificate_digest == left.certificate_digest
        with control, rig_of(found, control, policy, parties).session(0) as only:
            assert only.result()[1] == b"hello"
        bridge.release()
    assert eventually(lambda: door.fronts() == [])


def test_another_policy_has_another_isolate(door, policy, parties):
    leave(door, policy, parties)
    with door.bridge() as other, door.bridge() as finder:
        different, control = other.launch(policy + b"\n")
        assert not different.found_again
        found, control_of_finder = finder.launch(policy)
        assert found.found_again
        assert different.certificate_digest != found.certificate_digest
        with control, control_of_finder:
            for bridge in (other, finder):
                bridge.release()


def test_a_bridge_beside_another_serves_the_same_isolate_and_the_last_one_ends_it(
    door, policy, parties
):
    with door.bridge() as one, door.bridge() as two:
        launched, control_of_one = one.launch(policy)
        found, control_of_two = two.launch(policy)
        assert found == dataclasses.replace(launched, found_again=True)
        with control_of_two, rig_of(found, control_of_two, policy, parties).session(0) as only:
            with control_of_one:
                with rig_of(launched, control_of_one, policy, parties).session(0) as author:
                    assert author.program(guests.HELLO) == runtime.Done()
                one.release()
            assert only.result()[1] == b"hello"
            two.say(MintToken(CHALLENGE))
            assert isinstance(two.hear(), Token)
            two.release()
    assert eventually(lambda: door.fronts() == [])


def test_all_bridges_are_told_how_their_isolate_ended(door, policy):
    with door.bridge() as one, door.bridge() as two:
        controls = [each.launch(policy)[1] for each in (one, two)]
        os.kill(door.front(), signal.SIGKILL)
        for each in (one, two):
            assert each.hear() == Ended(IsolateEnding.FAILURE)
            assert each.hear() is None
        for control in controls:
            control.close()
    assert eventually(lambda: door.server.holders._holdings == [])


def test_a_bridge_whose_end_nobody_has_seen_yet_is_gone_all_the_same(door, policy):
    asked, answer = threading.Event(), threading.Event()

    def key():
        asked.set()
        assert answer.wait(PATIENCE_S)
        return KEY

    door.sonora._enrolled = SimpleNamespace(key=key)
    with door.bridge() as bridge:
        left, control = bridge.launch(policy)
        bridge.say(MintToken(CHALLENGE))
        assert asked.wait(PATIENCE_S)  # its thread is busy, and reads nothing
        control.close()
    with door.bridge() as bridge:
        found, control = bridge.launch(policy)
        assert found == dataclasses.replace(left, found_again=True)
        answer.set()
        bridge.say(MintToken(CHALLENGE))
        assert isinstance(bridge.hear(), Token)
        control.close()
        bridge.release()


def test_an_isolate_that_ends_while_it_is_held_is_forgotten(door, policy, parties):
    leave(door, policy, parties)
    os.kill(door.front(), signal.SIGKILL)
    assert eventually(lambda: door.fronts() == [])
    assert eventually(lambda: door.server.holders._holdings == [])
    with door.bridge() as bridge:
        fresh, control = bridge.launch(policy)
        assert not fresh.found_again
        control.close()
        bridge.release()


def test_held_isolates_count_and_the_refusal_of_another_says_so(door, policy, parties, monkeypatch):
    monkeypatch.setattr("sonora.linux_launcher.MAX_ISOLATES", 1)
    leave(door, policy, parties)
    assert eventually(lambda: any(each.isolate.held for each in door.server.holders._holdings))
    with door.bridge() as bridge:
        bridge.say(Launch(policy + b"\n"))
        refused = bridge.hear()
        assert isinstance(refused, Failed)
        assert "1 isolates run already, 1 of them without a bridge" in refused.reason
    with door.bridge() as bridge:
        found, control = bridge.launch(policy)
        assert found.found_again
        control.close()
        bridge.release()
    assert works(door, policy + b"\n")


def test_sonora_takes_what_it_holds_along(isolates, tmp_path, policy, parties):
    door = Door(isolates, tmp_path / "sonora.sock")
    leave(door, policy, parties)
    door.stop()
    assert eventually(lambda: door.fronts() == [])


def test_an_isolate_that_fails_is_reported_once_as_failed(door, policy):
    with door.bridge() as bridge:
        _, control = bridge.launch(policy)
        front = door.front()
        os.kill(front, signal.SIGKILL)
        assert bridge.hear() == Ended(IsolateEnding.FAILURE)
        assert bridge.hear() is None
        control.close()


def test_a_token_that_cannot_be_minted_is_answered_and_the_next_may_be(door, policy):
    answers = [UnreachableError("tabasco cannot be reached"), None]

    def key():
        if (error := answers.pop(0)) is not None:
            raise error
        return KEY

    door.sonora._enrolled = SimpleNamespace(key=key)
    with door.bridge() as bridge:
        _, control = bridge.launch(policy)
        bridge.say(MintToken(CHALLENGE))
        assert bridge.hear() == Failed("tabasco cannot be reached")
        bridge.say(MintToken(CHALLENGE))
        assert isinstance(bridge.hear(), Token)
        control.close()


def ask_without_end(bridge: Bridge) -> None:
    """Ask for tokens and take none, until no request is taken any more."""
    for _ in range(100_000):
        bridge.say(MintToken(CHALLENGE))


def test_a_bridge_that_takes_no_answers_holds_up_nobody_else(door, policy):
    with door.bridge() as stuck:
        _, control = stuck.launch(policy)
        front = door.front()
        stuck.channel.settimeout(0.3)
        with pytest.raises(TimeoutError):
            ask_without_end(stuck)
        os.kill(front, signal.SIGKILL)
        # Not before: a bridge beside it would have the isolate, and hear of its end.
        (holding,) = door.server.holders._holdings
        assert holding.isolate.ended.wait(PATIENCE_S)
        assert works(door, policy)
        with door.bridge() as other:
            _, another = other.launch(policy)
            front = door.front()
            os.kill(front, signal.SIGKILL)
            assert other.hear() == Ended(IsolateEnding.FAILURE)
            another.close()
        control.close()


def test_more_connections_than_allowed_are_refused_until_one_ends(door, policy, monkeypatch):
    monkeypatch.setattr(module, "_MAX_CONNECTIONS", 2)
    with ExitStack() as stack:
        first, _ = [stack.enter_context(door.bridge()) for _ in range(2)]
        assert eventually(lambda: len(door.server._connections) == 2)
        with door.bridge() as third:
            assert third.hear() is None
        first.close()
        assert eventually(lambda: len(door.server._connections) < 2)
        assert works(door, policy)


def test_the_socket_is_for_its_owner_alone(door):
    assert stat.S_IMODE(door.path.stat().st_mode) == 0o600


@pytest.fixture
def shared(isolates):
    """A door for another user as well, in a folder that it can reach."""
    with open_folder() as folder:
        access = BridgeAccess(own_user(), user=find_user(f"{BRIDGE}:{BRIDGE}"))
        one = Door(isolates, folder / "sonora.sock", access)
        yield one
        one.stop()
    assert eventually(lambda: one.fronts() == [])


def token_as(number: int, path, policy: bytes) -> str:
    """The token, or what else a user gets who connects and asks for an isolate and a token."""

    def act() -> str:
        bridge = Bridge(path)
        bridge.launch(policy)
        bridge.say(MintToken(CHALLENGE))
        return bridge.hear().token.hex()

    return as_user(number, act)


@needs_root
def test_a_bridge_of_another_user_gets_its_isolate_and_its_token(shared, policy):
    token = bytes.fromhex(token_as(BRIDGE, shared.path, policy))
    claims = verify_token(token, key_for={INSTANCE: KEY.public_key()}.get, nonce=CHALLENGE)
    assert RuntimeClaims.of(claims).policy_digest == Digest.of(policy).value


@needs_root
def test_who_else_connects_is_closed_before_anything_is_read_and_logged(shared, policy, caplog):
    shared.path.chmod(0o777)  # whatever became of the file
    said = token_as(STRANGER, shared.path, policy)
    assert said.startswith(("BrokenPipeError", "ConnectionResetError", "AssertionError: None"))
    assert eventually(lambda: f"of user {STRANGER}" in caplog.text)
    assert shared.fronts() == []
    assert works(shared, policy)


@needs_root
def test_strangers_who_try_again_and_again_fill_no_log(shared, policy, caplog):
    shared.path.chmod(0o777)

    def knock() -> None:
        for _ in range(100):
            with socket.socket(socket.AF_UNIX) as channel:
                channel.connect(str(shared.path))
                channel.recv(1)

    assert as_user(STRANGER, knock) == "None"
    assert works(shared, policy)
    refused = [line for line in caplog.messages if "connection refused" in line]
    assert 1 <= len(refused) <= 10


@needs_root
@pytest.mark.parametrize(
    "attempt",
    [
        lambda door, sonora: os.kill(sonora, 0),
        lambda door, sonora: os.open(f"/proc/{sonora}/mem", os.O_RDONLY),
        lambda door, sonora: list(Path(f"/proc/{sonora}/fd").iterdir()),
        lambda door, sonora: os.kill(children(door.launcher.zygote.process.pid)[0], 0),
        lambda door, sonora: signal.pidfd_send_signal(os.pidfd_open(sonora), 0),
        lambda door, sonora: list(door.path.parent.iterdir()),
        lambda door, sonora: door.path.unlink(),
        lambda door, sonora: door.path.chmod(0o777),
        lambda door, sonora: (door.path.parent / "another.sock").touch(),
    ],
)  # fmt: skip
def test_a_bridge_of_another_user_can_do_nothing_but_speak(shared, policy, attempt):
    """Beside the socket there is nothing of Sonora's that it can open, signal or change."""
    with shared.bridge() as ours:
        _, control = ours.launch(policy)
        sonora = os.getpid()
        assert as_user(BRIDGE, lambda: attempt(shared, sonora)).startswith("PermissionError")
        control.close()


@needs_root
def test_an_isolate_is_separate_only_from_a_bridge_of_another_user(isolates, policy):
    """Sonora here is root, who is separate from nobody; `separates` has the other cases."""
    owner = User("sonora", SONORA, SONORA, frozenset({SONORA}))
    access = BridgeAccess(owner, user=find_user(f"{BRIDGE}:{BRIDGE}"))
    cases = {BRIDGE: True, SONORA: False, 0: False}
    assert {uid: access.separates(Peer(1, uid, frozenset())) for uid in cases} == cases
    root = BridgeAccess(find_user("0"), user=find_user(f"{BRIDGE}:{BRIDGE}"))
    assert not root.separates(Peer(1, BRIDGE, frozenset()))


def test_stopping_ends_every_isolate_and_removes_the_socket(isolates, tmp_path, policy):
    door = Door(isolates, tmp_path / "sonora.sock")
    with door.bridge() as bridge:
        _, control = bridge.launch(policy)
        door.stop()
        control.settimeout(PATIENCE_S)
        assert control.recv(1) == b""
        control.close()
    assert eventually(lambda: door.fronts() == [])
    assert not door.path.exists()


def test_a_socket_that_nobody_listens_on_is_replaced(isolates, tmp_path, policy):
    path = tmp_path / "sonora.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    door = Door(isolates, path)
    assert works(door, policy)
    door.stop()


def test_a_socket_that_another_listens_on_is_left_alone(door, policy):
    with pytest.raises(SonoraError, match=r"another sonora listens on .*; stop it or choose"):
        BridgeSocket(door.path, OURS)
    assert works(door, policy)


def test_a_path_that_cannot_be_a_socket_is_named_with_the_reason(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SonoraError, match=r"cannot listen on .*file: Address already in use"):
        BridgeSocket(tmp_path / "file", OURS)
    with pytest.raises(SonoraError, match=r"cannot listen on .*: AF_UNIX path too long"):
        BridgeSocket(tmp_path / ("x" * 120), OURS)
    with pytest.raises(SonoraError, match=r"cannot listen on .*: No such file or directory"):
        BridgeSocket(tmp_path / "no" / "folder", OURS)
