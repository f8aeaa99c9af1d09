"""A keeper of the test's own process: its guests sleep, and the test speaks for them."""

import contextlib
import queue
import socket
import subprocess
import threading

from mexico_city.keeper import WALLED_IN, Keeper
from platform_services.descriptors import send_descriptors
from support.patience import PATIENCE_S


class PlayedGuest:
    """A process that sleeps, or does as it is told, and the guest's end of its channel."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.front_end, self.channel = socket.socketpair()
        self.channel.settimeout(PATIENCE_S)
        self.process = subprocess.Popen(command or ("/bin/sleep", "600"))

    def end(self) -> int:
        """Kill it as a keeper does; its wait status."""
        self.process.kill()
        code = self.process.wait()
        return -code if code < 0 else code << 8

    def close(self) -> None:
        self.end()
        self.channel.close()


class PlayedKeeper:
    """What the front takes for its keeper.

    Attributes:
        link: the front's side.
        guests: those that were asked for and not yet looked at, in order.
    """

    def __init__(self, *command: str, walled_in: bytes = WALLED_IN) -> None:
        front, self._channel = socket.socketpair()
        self.link = Keeper(front)
        self.guests: queue.Queue[PlayedGuest] = queue.Queue()
        self._command = command
        self._walled_in = walled_in
        self._made: list[PlayedGuest] = []
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def guest(self) -> PlayedGuest:
        """The next guest that the front asked for."""
        return self.guests.get(timeout=PATIENCE_S)

    def first(self) -> tuple[socket.socket, PlayedGuest]:
        """The front's channel to a guest that is walled in, and the guest."""
        self.link.ask_for_guest()
        channel = self.link.guest_channel()
        assert channel.recv(1) == WALLED_IN
        return channel, self.guest()

    def vanish(self) -> None:
        """Be gone, with every guest."""
        with contextlib.suppress(OSError):  # it was gone
            self._channel.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_S)
        self._channel.close()
        for each in self._made:
            each.close()

    def close(self) -> None:
        self.link.close()
        self.vanish()

    def _keep(self) -> None:
        while (request := self._channel.recv(1)) not in {b"", b"l"}:
            if request == b"n":
                guest = PlayedGuest(self._command)
                self._made.append(guest)
                guest.channel.sendall(self._walled_in)
                send_descriptors(self._channel, [guest.front_end.fileno()])
                guest.front_end.close()
                self.guests.put(guest)
            else:
                status = self._made[-1].end()
                self._channel.sendall(status.to_bytes(4, "little"))
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
