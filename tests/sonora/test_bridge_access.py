"""Who may connect to Sonora's socket, by its file and by the kernel's word at the door."""

import errno
import os
import socket
import stat
from contextlib import closing

import pytest

from sonora import bridge_access as module
from sonora.bridge_access import BridgeAccess, Peer, RefusalLog
from sonora.errors import SonoraError
from sonora.server import BridgeSocket
from sonora.users import User, own_user
from support.users import BRIDGE, SONORA, STRANGER, as_user, needs_root, open_folder

OWN = own_user()


def user(number: int) -> User:
    return User(str(number), number, number, frozenset({number}))


def peer(uid: int, *groups: int) -> Peer:
    return Peer(1, uid, frozenset({uid, *groups}))


def connecting(path, number: int, *, groups: tuple[int, ...] = ()) -> str:
    """What a user gets who connects."""

    def connect() -> str:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(str(path))
        return "connected"

    return as_user(number, connect, groups=groups)


def test_by_default_only_sonoras_own_user_is_admitted():
    access = BridgeAccess(user(SONORA))
    assert access.admits(peer(SONORA))
    for other in (0, BRIDGE, STRANGER):
        assert not access.admits(peer(other, SONORA))
    assert not access.separate


def test_one_more_user_is_admitted_and_nobody_of_its_group():
    access = BridgeAccess(user(SONORA), user=user(BRIDGE))
    assert access.admits(peer(SONORA))
    assert access.admits(peer(BRIDGE))
    assert not access.admits(peer(STRANGER, BRIDGE))
    assert not access.admits(peer(0))
    assert access.separate


def test_the_members_of_one_group_are_admitted():
    access = BridgeAccess(user(SONORA), group=BRIDGE)
    assert access.admits(peer(STRANGER, BRIDGE))
    assert access.admits(peer(BRIDGE))
    assert not access.admits(peer(STRANGER))
    assert access.separate


def test_a_sonora_that_is_root_is_separate_from_nobody():
    assert not BridgeAccess(user(0), user=user(BRIDGE)).separate


@pytest.mark.parametrize("number", [0, SONORA])
def test_a_bridge_that_is_root_or_sonora_itself_is_refused(number):
    with pytest.raises(SonoraError, match="give it a user of its own"):
        BridgeAccess(user(SONORA), user=user(number))


def test_the_kernel_says_who_connected(tmp_path):
    with (
        closing(BridgeSocket(tmp_path / "socket", BridgeAccess(OWN))) as door,
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.connect(str(door.path))
        with door.listener.accept()[0] as accepted:
            found = Peer.of(accepted)
    assert found.process_id == os.getpid()
    assert found.uid == os.getuid()
    assert found.groups == {os.getgid(), *os.getgroups()}


@needs_root
def test_the_kernel_says_the_groups_of_who_connected():
    with (
        open_folder() as folder,
        closing(BridgeSocket(folder / "socket", BridgeAccess(OWN))) as door,
    ):
        door.path.chmod(0o777)
        assert connecting(door.path, STRANGER, groups=(BRIDGE, 7)) == "connected"
        with door.listener.accept()[0] as accepted:
            found = Peer.of(accepted)
    assert (found.uid, found.groups) == (STRANGER, {STRANGER, BRIDGE, 7})


def test_more_groups_than_there_is_room_for_are_not_counted():
    class Crowded(socket.socket):
        def getsockopt(self, level, option, *size):
            if option == module._SO_PEERGROUPS:
                raise OSError(errno.ERANGE, "")
            return super().getsockopt(level, option, *size)

    ours, theirs = socket.socketpair()
    with theirs, Crowded(fileno=ours.detach()) as crowded:
        assert Peer.of(crowded).groups == {os.getgid()}


@needs_root
def test_the_file_lets_in_one_more_user_alone():
    with open_folder() as folder:
        access = BridgeAccess(user(SONORA), user=user(BRIDGE))
        with closing(BridgeSocket(folder / "socket", access)) as door:
            facts = door.path.stat()
            assert (facts.st_uid, facts.st_gid) == (SONORA, SONORA)
            assert stat.S_IMODE(facts.st_mode) & 0o007 == 0
            assert connecting(door.path, BRIDGE) == "connected"
            assert connecting(door.path, SONORA) == "connected"
            for groups in ((), (SONORA,), (BRIDGE,)):
                assert "Permission denied" in connecting(door.path, STRANGER, groups=groups)


@needs_root
def test_the_file_lets_in_one_group_alone():
    with open_folder() as folder:
        access = BridgeAccess(user(SONORA), group=BRIDGE)
        with closing(BridgeSocket(folder / "socket", access)) as door:
            facts = door.path.stat()
            assert (facts.st_uid, facts.st_gid) == (SONORA, BRIDGE)
            assert stat.S_IMODE(facts.st_mode) == 0o660
            assert connecting(door.path, STRANGER, groups=(BRIDGE,)) == "connected"
            assert "Permission denied" in connecting(door.path, STRANGER, groups=(SONORA,))


@needs_root
def test_who_is_not_root_lets_in_another_user_all_the_same():
    def open_door() -> str:
        access = BridgeAccess(user(SONORA), user=user(BRIDGE))
        with closing(BridgeSocket(folder / "socket", access)) as door:
            return f"{stat.S_IMODE(door.path.stat().st_mode):o}"

    with open_folder() as folder:
        os.chown(folder, SONORA, SONORA)
        assert as_user(SONORA, open_door) == "660"  # of the list, the owner and the bridge
        assert not (folder / "socket").exists()


@needs_root
def test_a_group_that_sonora_is_not_in_is_named_with_the_remedy():
    def open_door() -> None:
        BridgeSocket(folder / "socket", BridgeAccess(user(SONORA), group=BRIDGE))

    with open_folder() as folder:
        os.chown(folder, SONORA, SONORA)
        said = as_user(SONORA, open_door)
        assert "Sonora's user is not in that group; add it (usermod -aG), or start as" in said
        assert not (folder / "socket").exists()


def test_a_file_system_without_access_control_lists_comes_with_the_remedy(monkeypatch):
    def none(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "setxattr", none)
    with (
        open_folder() as folder,
        pytest.raises(SonoraError, match="no access control lists; use --bridge-group"),
    ):
        BridgeSocket(folder / "socket", BridgeAccess(OWN, user=user(BRIDGE)))


def test_a_folder_that_is_closed_to_the_bridge_is_never_opened_for_it():
    with open_folder() as folder:
        keys = folder / "keys"
        keys.mkdir(mode=0o700)
        with pytest.raises(SonoraError, match=rf"{keys} is closed to it. Choose another --socket"):
            BridgeSocket(keys / "socket", BridgeAccess(OWN, user=user(BRIDGE)))
        assert stat.S_IMODE(keys.stat().st_mode) == 0o700
        assert list(keys.iterdir()) == []


def test_a_link_in_the_place_of_the_socket_is_not_followed(tmp_path):
    (tmp_path / "victim").touch(mode=0o600)
    (tmp_path / "socket").symlink_to(tmp_path / "victim")
    with pytest.raises(SonoraError, match="somebody put another file in its place"):
        BridgeAccess(OWN, group=os.getgid()).grant(tmp_path / "socket")
    assert stat.S_IMODE((tmp_path / "victim").stat().st_mode) == 0o600


def test_refusals_are_logged_so_often_and_then_counted():
    log = RefusalLog(most=2, window_s=10)
    stranger = Peer(17, STRANGER, frozenset({STRANGER}))
    said = "connection refused: process 17 of user 61003"
    assert [log.line(stranger, now) for now in (0, 1, 2, 3)] == [said, said, None, None]
    assert log.line(stranger, 10) == f"{said}; 2 more before it"
    assert log.line(stranger, 30) == said
