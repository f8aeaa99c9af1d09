"""Users of this machine: found by name or number, and become, once and for good."""

import ctypes
import grp
import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sonora.errors import SonoraError
from sonora.process import protect_this_process
from veracruz_utils.frozen import frozen

ROOT: Final = 0
_PR_SET_NO_NEW_PRIVS: Final = 38
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_MAX_ID: Final = 2**32 - 2
"""The last number is the kernel's word for "leave it as it is"."""


@frozen
class User:
    """A user of this machine.

    Attributes:
        name: its numbers as text, UID:GID, where it has none.
        uid: its number.
        gid: its own group.
        groups: all of its groups.
        home: its home, which may not be there.
    """

    name: str
    uid: int
    gid: int
    groups: frozenset[int]
    home: str = "/nonexistent"

    def __str__(self) -> str:
        return self.name


def find_user(text: str) -> User:
    """The user of this name or number; one without an account is `UID:GID`.

    Raises:
        SonoraError: there is none.
    """
    uid, gid = (_number(part) for part in (text.partition(":")[0], text.partition(":")[2]))
    if uid is not None and gid is not None:
        return User(f"{uid}:{gid}", uid, gid, frozenset({gid}))
    number = _number(text)
    try:
        entry = pwd.getpwnam(text) if number is None else pwd.getpwuid(number)
    except KeyError:
        # The group of the same number would be somebody else's: 27 is sudo, 42 shadow.
        remedy = (
            f"make one: useradd --system {text:.40}"
            if number is None
            else f"make an account of that number, or give its group as well: {text}:GID"
        )
        raise SonoraError(f"there is no user {text!r:.80}; {remedy}") from None
    groups = frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir)


def find_group(text: str) -> int:
    """The number of the group of this name or number.

    Raises:
        SonoraError: there is none.
    """
    number = _number(text)
    if number is not None:
        return number
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        raise SonoraError(
            f"there is no group {text!r:.80}; make one: groupadd --system {text:.40}"
        ) from None


def own_user() -> User:
    """The user that this process runs as."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        return find_user(str(uid))
    except SonoraError:
        return User(f"{uid}:{gid}", uid, gid, frozenset({gid, *os.getgroups()}))


def become(user: User) -> None:
    """Give up root for `user`, for good, in all of this process and all that it starts.

    Raises:
        SonoraError: we are neither root nor `user`, something of root would be left, or `user`
            cannot read what Sonora consists of.
    """
    if os.getresuid() != (user.uid,) * 3:
        _give_up_root(user)
    # No program with a set-user-id bit gives it back.
    if _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise SonoraError("the kernel does not let go of new privileges (no_new_privs)")
    _require_no_way_back(user)
    # To become another user made this process dumpable again, if fs.suid_dumpable is set.
    protect_this_process()
    # What is kept for a user is not kept in root's home.
    os.environ["HOME"] = user.home
    os.environ.pop("XDG_CACHE_HOME", None)
    _require_readable(user)


def require_owned(folder: Path, user: User) -> None:
    """Refuse a folder of keys that is not `user`'s.

    Raises:
        SonoraError: it, or something in it, belongs to somebody else.
    """
    if not folder.exists():
        return  # what needs it says how to make it
    for path in (folder, *folder.iterdir()):
        owner = path.lstat().st_uid
        if owner != user.uid:
            raise SonoraError(
                f"{path} belongs to {_name_of(owner)}, and Sonora is to run as {user}: "
                f"chown -R {user} {folder}"
            )


def can_traverse(user: User | None, group: int | None, folder: Path) -> Path | None:
    """The first folder, from the top, that keeps this user or group out of `folder`; or None.

    By owner, groups and mode alone: an access control list may let in more, so a folder that has
    one is not held against anybody.
    """
    groups = (user.groups if user else frozenset()) | ({group} if group is not None else set())
    for each in reversed([folder.resolve(), *folder.resolve().parents]):
        facts = each.stat()
        if user is not None and facts.st_uid == user.uid:
            needed = 0o100
        elif facts.st_gid in groups:
            needed = 0o010
        else:
            needed = 0o001
        if not facts.st_mode & needed and "system.posix_acl_access" not in os.listxattr(each):
            return each
    return None


def _give_up_root(user: User) -> None:
    if os.geteuid() != ROOT:
        raise SonoraError(
            f"only root can become {user}, this is {own_user()}: "
            "start Sonora as that user and leave --user out"
        )
    if user.uid == ROOT:
        raise SonoraError("--user is for a user that is not root")
    # Groups first: once the user is another one, the kernel lets nobody change them.
    os.setgroups(sorted(user.groups))
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)


def _require_no_way_back(user: User) -> None:
    """Try what only root can, and look at what is left of it."""
    if os.getresuid() != (user.uid,) * 3 or os.getresgid() != (user.gid,) * 3:
        raise SonoraError("root could not be given up: the ids are mixed")
    attempts: tuple[Callable[[], None], ...] = (
        lambda: os.setresuid(-1, ROOT, -1),
        lambda: os.setgroups([]),
    )
    for attempt in attempts:
        try:
            attempt()
        except PermissionError:
            continue
        raise SonoraError("root could not be given up: the kernel gave it back")
    status = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text("utf-8").splitlines()
    )
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        if int(status[name], 16):
            raise SonoraError(f"root could not be given up: {name} is {status[name].strip()}")


def _require_readable(user: User) -> None:
    """Python loads modules when they are first needed, and the zygote is an interpreter anew."""
    for path in (Path(sys.executable), Path(os.__file__), Path(__file__)):
        if not os.access(path, os.R_OK):
            raise SonoraError(
                f"{user} cannot read {path}: install Veracruz, and the Python it runs on, "
                "where every user can read it, such as /usr, /usr/local or /opt"
            )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    if number > _MAX_ID:
        raise SonoraError(f"{text[:40]} is no number of a user or group: the last is {_MAX_ID}")
    return number
