"""A front in a thread of the test's own process, whose guest is played by the test."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

from baja import EndpointConfig, KeyAndCertificate, ServerContext
from colima import frame, isolate, read_frame
from colima.isolate import IsolateExit
from mexico_city.code_exchange import CodeExchange
from mexico_city.computation import Computation
from mexico_city.front import Front
from mexico_city.guest_link import GuestLink
from mexico_city.lifetime import Lifetime
from mexico_city.receipts import ReceiptBook
from mexico_city.runtime import Runtime
from platform_services import LinuxRandomSource
from platform_services.descriptors import receive_descriptors
from psa_attestation.receipts.receipt import Receipt
from psa_attestation.receipts.signing import SignedReceipt, sign_receipt
from support.isolate_rig import Rig, new_party
from support.patience import PATIENCE_S
from support.played_keeper import PlayedKeeper
from veracruz_utils.policy import Policy


class LocalGuest:
    """What the front takes for its guest: a process that sleeps, the test at its channel."""

    def __init__(self, policy: Policy) -> None:
        self.keeper = PlayedKeeper()
        front, self.played = self.keeper.first()
        self.link = GuestLink(self.keeper.link, front, policy.limits)

    @property
    def channel(self) -> socket.socket:
        return self.played.channel

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        return self.played.process

    def renewed(self) -> None:
        """From now on be the next guest that the front asked for."""
        self.played = self.keeper.guest()

    def hear(self) -> tuple[isolate.ToGuest, list[int]]:
        """The front's next message and its descriptors, which are the test's to close."""
        payload = read_frame(self.channel.recv, limit=isolate.MAX_FRAME_BYTES)
        message = isolate.TO_GUEST.decode(payload)
        if isinstance(message, isolate.Load):
            return message, receive_descriptors(self.channel, 2)
        count = len(message.inputs) + len(message.streams) + message.has_previous + 1
        return message, receive_descriptors(self.channel, count)

    def say(self, answer: isolate.FromGuest) -> None:
        self.channel.sendall(frame(isolate.FROM_GUEST.encode(answer)))

    def load(self) -> None:
        """Take the program."""
        _, descriptors = self.hear()
        close_all(descriptors)
        self.say(isolate.Loaded(0))

    def run(self, output: bytes) -> None:
        """Take the inputs and give this output."""
        _, descriptors = self.hear()
        view = memoryview(output)
        while view:
            view = view[os.write(descriptors[-1], view) :]
        close_all(descriptors)
        self.say(isolate.Finished(0, wrote_output=True, output_size=len(output), run_ms=1, fuel=0))

    def close(self) -> None:
        self.link.kill()
        self.keeper.close()


class LocalFront(Rig):
    """The front and its surroundings; sessions as in any other rig."""

    def __init__(self, policy: Policy, parties: Sequence[KeyAndCertificate]) -> None:
        control, control_inside = socket.socketpair()
        self.private, private_inside = socket.socketpair()
        self.guest = LocalGuest(policy)
        identity = new_party("runtime.veracruz")
        launched = SimpleNamespace(control=control, certificate_digest=identity.digest.value)
        super().__init__(launched, policy, parties)

        def sign(receipt: Receipt) -> SignedReceipt:
            key, certificate = identity.private_key, identity.certificate
            return sign_receipt(receipt, key, certificate, salt=bytes(32))

        self.code = CodeExchange(policy, private_inside)
        receipts = ReceiptBook(policy, sign, measurement=bytes(32), layers=())
        self.runtime = Runtime(
            Computation(policy, LinuxRandomSource()), self.guest.link, self.code, receipts
        )
        config = EndpointConfig(policy.ciphersuite, identity.private_key, identity.certificate)
        accepted = [each.certificate for each in policy.identities]
        self.front = Front(
            self.runtime,
            ServerContext(config, accepted=accepted),
            Lifetime(policy, wall=datetime.now(UTC), now=time.monotonic()),
            control=control_inside,
            private=private_inside,
        )
        self._inside = (control_inside, private_inside)
        self.endings: list[IsolateExit] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ended(self) -> IsolateExit | None:
        """How the front ended; None when it goes on."""
        self._thread.join(PATIENCE_S)
        return self.endings[0] if self.endings else None

    def close(self) -> None:
        self.private.close()
        self._thread.join(PATIENCE_S)
        self.guest.close()
        for channel in (self.isolate.control, *self._inside):
            channel.close()

    def _run(self) -> None:
        self.endings.append(self.front.run())


@contextmanager
def local_front(maker, roles, **terms):
    """A front for new parties, one for each list of roles."""
    parties = [new_party(f"party-{number}") for number in range(len(roles))]
    raw = maker.policy(list(zip(parties, roles, strict=True)), **terms)
    front = LocalFront(Policy.parse(raw, at=datetime.now(UTC)), parties)
    try:
        yield front
    finally:
        front.close()


def close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
