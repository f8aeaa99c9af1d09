"""The keeper: the process of an isolate that makes its guests and ends them.

    zygote ──fork──▶ front ──fork──▶ keeper ──fork──▶ guest, one at a time

A run that failed may be repeated, so a guest that was killed or is not to be trusted any more must
be replaceable. The front cannot fork another: it holds the key by then, and a copy of it would be
in reach of the program. The keeper is forked before there is any secret and never gets one, so what
it forks is as clean as the first guest was.

Over one socket the front asks for a guest, which is answered by a channel to it, or for its end,
which is answered by how it ended. Requests are single bytes, and there is no other. Neither side
says anything unasked.

Why a program gains nothing by the keeper:

- It has no channel to it. A guest closes everything but its own channel before anything else, and
  what the keeper does is asked by the front alone. What a guest can cause is its own end.
- The keeper parses nothing and maps nothing of a guest's. It learns a wait status, four bytes that
  the kernel made, and passes them on.
- It has no key, no input, no output and no program; it has the policy, which is public.
- A guest's system calls and its Landlock domain are inside the keeper's: the guest can neither
  signal nor trace it, and forks nothing.
- A new guest gets the program and the inputs of its run again, and nothing of the last guest.
  So a program that took its guest over keeps nothing from one attempt to the next, and what was
  withdrawn or replaced in between is nowhere. Guests have the addresses of the keeper, as a fork
  has; an attack that has to guess has as many guesses as the policy allows attempts.
- The keeper ends with the front, and the guest with the keeper.

A keeper that is gone, breaks this protocol or does not answer in time is given up: there will be no
other guest, and the computation fails. A program cannot bring that about.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import Final, NoReturn

from mexico_city.errors import RuntimeFailure
from platform_services import PlatformError
from platform_services.descriptors import receive_descriptors, send_descriptors

WALLED_IN: Final = b"\1"
"""The first a guest says on its channel: what is in reach of it is walled in."""
_NEW: Final = b"n"
_END: Final = b"e"
_LEAVE: Final = b"l"
_STATUS_BYTES: Final = 4
_TIMEOUT_S: Final = 10.0
"""For an answer of the keeper; the kernel may take seconds over the memory of a guest."""

BeGuest = Callable[[socket.socket, int], NoReturn]
"""What a guest does with its channel; the number is the keeper's process id."""


class KeeperLostError(Exception):
    """The keeper is gone or not to be trusted: there is no other guest."""


class Keeper:
    """The keeper, as the front sees it.

    Args:
        channel: to the keeper process.

    Attributes:
        alive: whether there may be another guest.
    """

    def __init__(self, channel: socket.socket) -> None:
        self.alive = True
        self._channel = channel
        channel.settimeout(_TIMEOUT_S)

    def ask_for_guest(self) -> None:
        """Have the keeper fork a guest, of which there must be none; `guest_channel` waits for it.

        Raises:
            KeeperLostError: there is none to be had.
        """
        self._say(_NEW)

    def guest_channel(self) -> socket.socket:
        """The channel to the guest that was asked for.

        Raises:
            KeeperLostError: there is none to be had.
        """
        try:
            (descriptor,) = receive_descriptors(self._channel, 1)
        except (OSError, PlatformError) as error:
            raise self._lost() from error
        return socket.socket(fileno=descriptor)

    def end_guest(self) -> int:
        """Kill the guest, if it still runs; its exit code, of which a negative one is a signal.

        Raises:
            KeeperLostError: nobody knows how it ended, or whether.
        """
        self._say(_END)
        answer = b""
        while len(answer) < _STATUS_BYTES:
            try:
                more = self._channel.recv(_STATUS_BYTES - len(answer))
            except OSError as error:
                raise self._lost() from error
            if not more:
                raise self._lost()
            answer += more
        return os.waitstatus_to_exitcode(int.from_bytes(answer, "little"))

    def close(self) -> None:
        """End the keeper and its guest, and wait until they are gone."""
        with contextlib.suppress(KeeperLostError, OSError):  # then it is not waited for
            self._say(_LEAVE)
            while self._channel.recv(_STATUS_BYTES):
                pass
        self._lost()

    def _say(self, request: bytes) -> None:
        if not self.alive:
            raise KeeperLostError
        try:
            self._channel.sendall(request)
        except OSError as error:
            raise self._lost() from error

    def _lost(self) -> KeeperLostError:
        self.alive = False
        self._channel.close()  # a keeper that was only late ends by it
        return KeeperLostError()


def keep_guests(front: socket.socket, be_guest: BeGuest) -> None:
    """Be the keeper until the front has no more use for one.

    Raises:
        RuntimeFailure: the front asked for what cannot be.
        OSError: there is no new process, or the front is gone.
    """
    guest = 0
    while (request := front.recv(1)) not in {b"", _LEAVE}:
        if request == _NEW and not guest:
            guest = _fork_guest(front, be_guest)
        elif request == _END and guest:
            status = _end(guest)
            guest = 0
            front.sendall(status.to_bytes(_STATUS_BYTES, "little"))
        else:
            raise RuntimeFailure("the keeper was asked for what cannot be")
    if guest:
        _end(guest)


def _end(guest: int) -> int:
    """Kill the guest; its wait status."""
    os.kill(guest, signal.SIGKILL)  # one that has ended is there until it is waited for
    _, status = os.waitpid(guest, 0)
    return status


def _fork_guest(front: socket.socket, be_guest: BeGuest) -> int:
    ours, theirs = socket.socketpair()
    keeper = os.getpid()
    process_id = os.fork()
    if process_id == 0:
        be_guest(theirs, keeper)
    theirs.close()
    with ours:
        send_descriptors(front, [ours.fileno()])
    return process_id
