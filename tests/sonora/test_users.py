"""Users found by name and number, and root given up for good."""

import ctypes
import os
from functools import partial
from pathlib import Path

import pytest

from sonora import users
from sonora.errors import SonoraError
from sonora.users import User, become, can_traverse, find_group, find_user, own_user, require_owned
from support.users import SONORA, STRANGER, as_user, needs_root, open_folder

NOBODY = User("nobody", SONORA, SONORA, frozenset({SONORA, 61010}))


def test_a_user_is_found_by_name_and_by_number():
    root = find_user("root")
    assert (root.uid, root.gid, str(root)) == (0, 0, "root")
    assert 0 in root.groups
    assert find_user("0") == root
    assert own_user().uid == os.getuid()


def test_a_number_without_an_account_comes_with_its_group():
    found = find_user("4294960000:61999")
    assert found == User("4294960000:61999", 4294960000, 61999, frozenset({61999}))
    with pytest.raises(SonoraError, match=r"or give its group as well: 4294960000:GID"):
        find_user("4294960000")


@needs_root
def test_a_process_without_an_account_is_known_by_its_numbers():
    assert as_user(STRANGER, own_user) == f"{STRANGER}:{STRANGER}"


@pytest.mark.parametrize("find", [find_user, find_group])
def test_who_is_not_there_is_named_with_the_way_to_make_it(find):
    with pytest.raises(SonoraError, match=r"there is no \w+ 'no-such-one'; make one: \w+add"):
        find("no-such-one")
    with pytest.raises(SonoraError, match="is no number of a user or group"):
        find("4294967295")
    with pytest.raises(SonoraError):
        find("-1")


def test_a_group_is_found_by_name_and_by_number():
    assert find_group("root") == 0
    assert find_group("61999") == 61999


def becoming(user: User, then=lambda: "done") -> str:
    """What a process that root started says after it became `user`."""

    def act() -> object:
        users._require_readable = lambda _: None  # our interpreter may be root's own
        become(user)
        return then()

    return as_user(0, act)


@needs_root
def test_root_is_given_up_for_good():
    def facts() -> object:
        status = Path("/proc/self/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return (
            os.getresuid(), os.getresgid(), sorted(os.getgroups()),
            *(int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")),
            fields["NoNewPrivs"].strip(), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
        )  # fmt: skip

    ids = (SONORA,) * 3
    assert becoming(NOBODY, facts) == str((ids, ids, [SONORA, 61010], 0, 0, 0, 0, "1", 0))


@needs_root
@pytest.mark.parametrize(
    "back",
    [
        lambda: os.setuid(0),
        lambda: os.seteuid(0),
        lambda: os.setresuid(-1, -1, 0),
        lambda: os.setgid(0),
        lambda: os.setgroups([0]),
        lambda: Path("/etc/shadow").read_bytes(),
        lambda: os.kill(1, 0),
        lambda: os.chroot("/"),
    ],
)
def test_there_is_no_way_back(back):
    assert becoming(NOBODY, back).startswith("PermissionError")


@needs_root
def test_a_half_given_up_root_is_noticed(monkeypatch):
    """The saved id is kept: exactly what setresuid is there to prevent."""
    monkeypatch.setattr(users, "_give_up_root", lambda user: os.seteuid(user.uid))
    assert becoming(NOBODY) == "SonoraError: root could not be given up: the ids are mixed"

    def keep_capabilities(user: User) -> None:
        ctypes.CDLL(None).prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
        os.setgroups([])
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)

    monkeypatch.setattr(users, "_give_up_root", keep_capabilities)
    assert "root could not be given up: CapPrm is" in becoming(NOBODY)


@needs_root
def test_who_is_not_root_becomes_nobody_else_but_may_be_itself():
    assert "only root can become nobody, this is 61003:61003: start Sonora as that user" in as_user(
        STRANGER, partial(become, NOBODY)
    )
    root = find_user("root")
    assert "only root can become root" in as_user(STRANGER, partial(become, root))

    def itself() -> str:
        users._require_readable = lambda _: None
        become(User("itself", STRANGER, STRANGER, frozenset({STRANGER})))
        return "done"

    assert as_user(STRANGER, itself) == "done"


def test_a_python_that_the_user_cannot_read_is_named(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: path != Path(users.__file__))
    with pytest.raises(SonoraError, match=r"nobody cannot read .*users.py: install Veracruz"):
        users._require_readable(NOBODY)


def test_a_folder_of_keys_that_is_somebody_elses_comes_with_the_remedy(tmp_path):
    own = own_user()
    (tmp_path / "key").touch()
    require_owned(tmp_path, own)
    other = User("other", os.getuid() + 1, 0, frozenset())
    require_owned(tmp_path / "not-there-yet", other)
    with pytest.raises(SonoraError, match=f"belongs to {own}, .*: chown -R other {tmp_path}"):
        require_owned(tmp_path, other)


@needs_root
def test_a_key_of_somebody_elses_in_a_folder_of_ones_own_is_named(tmp_path):
    (tmp_path / "key").touch()
    os.chown(tmp_path, SONORA, SONORA)
    with pytest.raises(SonoraError, match=f"{tmp_path}/key belongs to root"):
        require_owned(tmp_path, NOBODY)


@needs_root
@pytest.mark.parametrize(
    ("mode", "who", "open_to"),
    [
        (0o711, (STRANGER, STRANGER), True),
        (0o710, (STRANGER, STRANGER), False),
        (0o710, (STRANGER, SONORA), True),
        (0o710, (SONORA, STRANGER), True),
        (0o701, (STRANGER, SONORA), False),
        (0o700, (SONORA, STRANGER), True),
        (0o011, (SONORA, SONORA), False),
    ],
)
def test_what_is_said_of_a_folder_is_what_the_kernel_does(mode, who, open_to):
    """The folder is of user and group SONORA; `who` is the number and a further group."""
    uid, group = who
    with open_folder() as top:
        folder = top / "folder"
        (folder / "below").mkdir(parents=True)
        folder.chmod(mode)
        os.chown(folder, SONORA, SONORA)
        tried = as_user(uid, (folder / "below").stat, groups=(group,))
        assert tried.startswith("PermissionError") is not open_to
        user = User("somebody", uid, uid, frozenset({uid, group}))
        assert can_traverse(user, None, folder / "below") == (None if open_to else folder)


@needs_root
def test_a_group_alone_is_held_against_the_folders_too():
    with open_folder() as top:
        folder = top / "folder"
        folder.mkdir(mode=0o710)
        assert can_traverse(None, SONORA, folder) == folder
        os.chown(folder, -1, SONORA)
        assert can_traverse(None, SONORA, folder) is None
