"""Uploads that are on their way, and those that broke off and may be gone on with.

An upload that was announced with the digest of its content outlives its session. What is there of
it stays for a while, with its place, until the same principal announces the same content for the
same place: from then on it arrives there, even if the session before has not noticed its own end.
It gives way when its principal sends something else. Nothing of it is an input before all of it is
here and is what was announced.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from colima.runtime import RefusalReason, Upload
from mexico_city.content import ContentWriter
from mexico_city.errors import DeniedError
from mexico_city.inputs import Slot
from mexico_city.provision import Provision
from veracruz_utils.policy import PolicyIdentity

KEPT_S: Final = 900.0
"""How long what is there of an upload is kept when its session is over."""
TAKEN_OVER: Final = DeniedError(
    RefusalReason.BUSY, found="another session of yours goes on with this upload"
)
NO_ROOM: Final = DeniedError(RefusalReason.TOO_LARGE, expected="content that fits the isolate")


class Sender(Protocol):
    """Who sends an upload: a session of its principal."""

    def end(self, why: DeniedError, *, at_once: bool) -> None:
        """Take nothing more."""


@dataclass(slots=True, eq=False)
class Arrival:
    """An upload, and what is there of it.

    Attributes:
        slot: its place, which is reserved.
        digest: SHA-256 of what was announced; empty when none was.
        writer: what is there.
        sender: whose bytes are taken; None when it broke off.
        broke_off_at: when that was, in seconds of the monotonic clock.
    """

    slot: Slot
    digest: bytes
    writer: ContentWriter
    sender: Sender | None
    broke_off_at: float = 0.0

    def is_of(self, client_id: int, upload: Upload) -> bool:
        """Whether this is what a principal announces, to the byte, and may replace what it does."""
        if not self.digest or (self.slot.replaces and not upload.replace):
            return False
        slot = Slot(upload.kind, client_id, upload.package_id, upload.size)
        return (self.slot, self.digest) == (slot, upload.digest)


class ArrivingUploads:
    """All uploads of a computation that are not in yet."""

    def __init__(self, provision: Provision) -> None:
        self._provision = provision
        self._arrivals: list[Arrival] = []

    def announce(self, identity: PolicyIdentity, upload: Upload, sender: Sender) -> Arrival:
        """Where the content goes that `sender` has announced, and how much of it is there.

        Raises:
            DeniedError: it may not come; nothing has changed.
        """
        self._forget_homeless()
        for arrival in self._arrivals:
            if arrival.is_of(identity.client_id, upload):
                self._provision.require_wanted(arrival.slot)
                return self._go_on(arrival, sender)
        slot = self._reserve(identity, upload)
        try:
            writer = ContentWriter(upload.size)
        except OSError:
            self._provision.release(slot)
            raise NO_ROOM from None
        arrival = Arrival(slot, upload.digest, writer, sender)
        self._arrivals.append(arrival)
        return arrival

    def arrived(self, arrival: Arrival) -> None:
        """All of it is here, and somebody else's to keep."""
        self._arrivals.remove(arrival)

    def give_up(self, arrival: Arrival) -> None:
        """It is not coming, and gives its place back."""
        self._drop(arrival)
        self._provision.release(arrival.slot)

    def broke_off(self, arrival: Arrival, sender: Sender, now: float) -> None:
        """A session is over before its upload; `now` in seconds of the monotonic clock."""
        if arrival.sender is not sender:
            return  # another session goes on with it
        if not arrival.digest:
            self.give_up(arrival)
            return
        arrival.sender = None
        arrival.broke_off_at = now

    def forget(self, now: float) -> None:
        """Give up what broke off long ago, or has no place any more; to be asked now and again."""
        self._forget_homeless()
        for arrival in self._broken_off():
            if now >= arrival.broke_off_at + KEPT_S:
                self.give_up(arrival)

    def round_begun(self) -> None:
        """End what was on its way to places of the round before."""
        for arrival in list(self._arrivals):
            if not self._provision.holds(arrival.slot):
                sender, arrival.sender = arrival.sender, None
                self._drop(arrival)
                if sender is not None:
                    sender.end(self._provision.gone_on, at_once=True)

    def close(self) -> None:
        """Drop everything."""
        for arrival in list(self._arrivals):
            self._drop(arrival)

    def _go_on(self, arrival: Arrival, sender: Sender) -> Arrival:
        before, arrival.sender = arrival.sender, sender
        if before is not None:
            before.end(TAKEN_OVER, at_once=True)
        return arrival

    def _reserve(self, identity: PolicyIdentity, upload: Upload) -> Slot:
        """A place, if need be one of those that were kept."""
        try:
            return self._provision.reserve(identity, upload)
        except DeniedError:
            theirs = (upload.kind, identity.client_id)
            kept = [
                each
                for each in self._broken_off()
                if (each.slot.kind, each.slot.client_id) == theirs
            ]
        for arrival in kept:
            self._provision.release(arrival.slot)
        try:
            slot = self._provision.reserve(identity, upload)
        except DeniedError:
            for arrival in kept:
                self._provision.hold(arrival.slot)
            raise
        for arrival in kept:
            self._drop(arrival)
        return slot

    def _broken_off(self) -> list[Arrival]:
        return [each for each in self._arrivals if each.sender is None]

    def _forget_homeless(self) -> None:
        """Drop what the computation does not wait for any more: it failed, or went on."""
        for arrival in self._broken_off():
            if not self._provision.holds(arrival.slot):
                self._drop(arrival)

    def _drop(self, arrival: Arrival) -> None:
        self._arrivals.remove(arrival)
        arrival.writer.close()
