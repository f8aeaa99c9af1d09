"""Who may connect to Sonora's socket: its own user, and one more user or group.

Twice over. The socket's file lets nobody else in: by its mode, its group, or an access control list
of one entry. And of who connects the kernel says at the door who it is, whatever became of the
file. The folder of the socket is only looked at: that of the keys is never opened for a bridge.
"""

import contextlib
import errno
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final, Self

from sonora.errors import SonoraError
from sonora.users import ROOT, User, can_traverse
from veracruz_shells.log import LineLimit
from veracruz_utils.frozen import frozen

REFUSALS: Final = 10
"""Refused connections that are logged in `REFUSAL_WINDOW_S`."""
REFUSAL_WINDOW_S: Final = 60.0
_PEERCRED: Final = struct.Struct("@iII")
"""`struct ucred`."""
_SO_PEERGROUPS: Final = 59
_GROUPS_BYTES: Final = 1024
"""Room for 256 groups; Python asks for no more of an option."""
_ACL: Final = "system.posix_acl_access"
_ACL_VERSION: Final = 2
_ACL_ENTRY: Final = struct.Struct("<HHI")
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_READ_WRITE: Final = 6
_NO_ID: Final = 2**32 - 1


@frozen
class Peer:
    """A process that connected, as the kernel names it."""

    process_id: int
    uid: int
    groups: frozenset[int]

    @classmethod
    def of(cls, channel: socket.socket) -> Self:
        """Who connected this Unix socket, at the time when it did.

        Raises:
            OSError: the kernel does not say.
        """
        credentials = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
        process_id, uid, gid = _PEERCRED.unpack(credentials)
        groups = b""
        with contextlib.suppress(OSError):  # it has more than there is room for: one counts
            groups = channel.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
        others = struct.unpack(f"@{len(groups) // 4}I", groups)
        return cls(process_id, uid, frozenset({gid, *others}))


@frozen
class BridgeAccess:
    """Who may connect besides Sonora's own user; by default nobody.

    Attributes:
        owner: whom Sonora runs as.
        user: one more user.
        group: or one group.
    """

    owner: User
    user: User | None = None
    group: int | None = None

    def __post_init__(self) -> None:
        if self.user is not None and self.user.uid in {self.owner.uid, ROOT}:
            raise SonoraError(
                f"the bridge is to run as {self.user}, who is root or Sonora's own user: "
                "give it a user of its own"
            )

    @property
    def separate(self) -> bool:
        """Whether a bridge may be somebody else than Sonora, and Sonora is not root."""
        return self.owner.uid != ROOT and (self.user is not None or self.group is not None)

    def admits(self, peer: Peer) -> bool:
        """Whether this process may speak with Sonora."""
        if peer.uid == self.owner.uid:
            return True
        if self.user is not None:
            return peer.uid == self.user.uid
        return self.group is not None and self.group in peer.groups

    def separates(self, peer: Peer) -> bool:
        """Whether this peer is somebody else than Sonora, and neither of them is root."""
        return ROOT not in {self.owner.uid, peer.uid} and peer.uid != self.owner.uid

    def require_reachable(self, folder: Path) -> None:
        """Refuse a folder that keeps the bridge out.

        Raises:
            SonoraError: it, or one above it, does.
        """
        if self.user is None and self.group is None:
            return
        closed = can_traverse(self.user, self.group, folder)
        if closed is not None:
            raise SonoraError(
                f"the bridge cannot reach a socket in {folder}: {closed} is closed to it. Choose "
                "another --socket, in a folder without keys (mkdir -m 711 /run/veracruz)"
            )

    def grant(self, path: Path) -> None:
        """Let who may connect open this socket, which is closed to all but us so far.

        Raises:
            SonoraError: the file system or the kernel does not let us.
        """
        try:
            # By a descriptor: who can write to the folder could put a link in the socket's place,
            # and have root open something else.
            descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self._grant(f"/proc/self/fd/{descriptor}", os.fstat(descriptor))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SonoraError(f"{path} cannot be opened for the bridge: {_why(error)}") from error

    def _grant(self, path: str, facts: os.stat_result) -> None:
        if not stat.S_ISSOCK(facts.st_mode):
            raise FileNotFoundError(errno.ENOENT, "somebody put another file in its place")
        group = self.owner.gid if self.group is None else self.group
        if (facts.st_uid, facts.st_gid) != (self.owner.uid, group):
            os.chown(path, self.owner.uid, group)
        if self.group is not None:
            Path(path).chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IWGRP)
        elif self.user is not None:
            os.setxattr(path, _ACL, _acl_for(self.user.uid))


class RefusalLog:
    """How many refused connections are worth a line: `most` in a window of time, counted beyond.

    A user who may not connect can try as often as it likes, and must not fill a disk by it.
    """

    def __init__(self, most: int = REFUSALS, window_s: float = REFUSAL_WINDOW_S) -> None:
        self._limit = LineLimit(most, window_s)

    def line(self, peer: Peer, now: float | None = None) -> str | None:
        """What to log of this refusal, if anything."""
        unlogged = self._limit.take(now)
        if unlogged is None:
            return None
        more = f"; {unlogged} more before it" if unlogged else ""
        return f"connection refused: process {peer.process_id} of user {peer.uid}{more}"


def _acl_for(uid: int) -> bytes:
    """Read and write for the owner and this user, nothing for anybody else (acl(5), xattr form)."""
    entries = (
        (_USER_OBJ, _READ_WRITE, _NO_ID),
        (_USER, _READ_WRITE, uid),
        (_GROUP_OBJ, 0, _NO_ID),
        (_MASK, _READ_WRITE, _NO_ID),
        (_OTHER, 0, _NO_ID),
    )
    return struct.pack("<I", _ACL_VERSION) + b"".join(_ACL_ENTRY.pack(*each) for each in entries)


def _why(error: OSError) -> str:
    if error.errno == errno.EOPNOTSUPP:
        return (
            "its file system has no access control lists; use --bridge-group, "
            "or a --socket on another file system, such as in /run"
        )
    if error.errno == errno.EPERM:
        return "Sonora's user is not in that group; add it (usermod -aG), or start as root"
    return str(error.strerror)
