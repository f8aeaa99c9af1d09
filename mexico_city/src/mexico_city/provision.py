"""What principals provide: the program and the inputs, who may send, replace or take back which.

Every method either does what was asked or raises `DeniedError` and has changed nothing. The
role is checked first, then the state, then the particulars.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Final

from colima.runtime import (
    ComputationState,
    ContentKind,
    Filling,
    InputPlace,
    RefusalReason,
    Upload,
    Withdraw,
)
from mexico_city.consents import Consents
from mexico_city.content import Content
from mexico_city.errors import DeniedError
from mexico_city.inputs import Inputs, Package, Slot
from mexico_city.lifecycle import LifecycleEvent
from mexico_city.randomness import draw
from mexico_city.room import require_role, require_room
from mexico_city.stage import ComputationStage
from platform_services import RandomSource
from psa_attestation.receipts.receipt import commit
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    DATA_SENDERS,
    PROGRAM_SENDERS,
    STREAM_SENDERS,
    Policy,
    PolicyIdentity,
)
from veracruz_utils.secret import Secret

_SENDS: Final = {
    ContentKind.PROGRAM: (ComputationState.INITIAL, PROGRAM_SENDERS),
    ContentKind.DATA: (ComputationState.DATA_SOURCES_LOADING, DATA_SENDERS),
    ContentKind.STREAM: (ComputationState.STREAM_SOURCES_LOADING, STREAM_SENDERS),
}
_ENDS: Final = {
    # Data may be withdrawn while it comes; then it is there before they are once more.
    ContentKind.STREAM: {ComputationState.DATA_SOURCES_LOADING},
}
"""When else an upload of a kind that is under way may end."""
_SALT_BYTES: Final = 32
_CHANGES: Final = {
    ContentKind.DATA: {
        ComputationState.DATA_SOURCES_LOADING,
        ComputationState.STREAM_SOURCES_LOADING,
        ComputationState.READY_TO_EXECUTE,
    },
    # Streams may be there before the data are once more.
    ContentKind.STREAM: {
        ComputationState.DATA_SOURCES_LOADING,
        ComputationState.STREAM_SOURCES_LOADING,
        ComputationState.READY_TO_EXECUTE,
    },
}
"""When inputs of a kind that are in may be replaced or withdrawn."""


class Provision:
    """The places that the policy gives for the program and the inputs, and what is in them.

    Args:
        policy: what the principals agreed on.
        stage: where the computation stands; a place that is filled moves it.
        consents: without which no input is taken.
        random: for salts.
        host_time: the host's clock, for people: nothing is decided by it.

    Attributes:
        data: the inputs that stay for all rounds.
        streams: those of this round.
        program_digest: of the program, once it is loaded.
    """

    def __init__(
        self,
        policy: Policy,
        stage: ComputationStage,
        consents: Consents,
        random: RandomSource,
        host_time: Callable[[], float] = time.time,
    ) -> None:
        self.data = Inputs(policy.data_provision_order)
        self.streams = Inputs(policy.streaming_order)
        self.program_digest: Digest | None = None
        self._policy = policy
        self._stage = stage
        self._consents = consents
        self._random = random
        self._host_time = host_time
        self._program: Slot | None = None
        self._program_since = 0

    def reserve(self, identity: PolicyIdentity, upload: Upload) -> Slot:
        """A place for what `identity` is about to send.

        Raises:
            DeniedError: wrong role, too early or too late, without the consents that the policy
                asks for, too much, or not expected.
        """
        state, roles = _SENDS[upload.kind]
        require_role(identity, roles)
        slot = Slot(upload.kind, identity.client_id, upload.package_id, upload.size)
        if upload.kind is ContentKind.PROGRAM:
            self._stage.require(state)
            self._reserve_program(identity, upload, slot)
            return slot
        inputs = self._inputs(upload.kind)
        if inputs.find(identity.client_id, upload.package_id) is None or not upload.replace:
            if not self._is_duplicate(slot):
                self._stage.require(state)
        else:
            self._require_changeable(upload.kind)
            slot = dataclasses.replace(slot, replaces=True)
        self._consents.require()
        # What others have only announced counts: it is going to be here beside this. What is in
        # the place itself does not: the program is never given both.
        require_room(self._policy, identity, upload, self._size_beside(slot))
        inputs.reserve(slot, identity.label)
        return slot

    def withdraw(self, identity: PolicyIdentity, request: Withdraw) -> None:
        """Forget an own input; its place is empty again.

        Raises:
            DeniedError: wrong role, too late, or it is not in.
        """
        if request.kind is ContentKind.PROGRAM:
            raise DeniedError(
                RefusalReason.NOT_EXPECTED, found="the program", expected="an input to withdraw"
            )
        require_role(identity, _SENDS[request.kind][1])
        self._require_changeable(request.kind)
        if not self._inputs(request.kind).remove(identity.client_id, request.package_id):
            kind = request.kind.name.lower()
            raise DeniedError(
                RefusalReason.NOT_EXPECTED,
                found=f"{kind} package {request.package_id} of {identity.label} is not in",
                expected="one that is in",
            )
        data = request.kind is ContentKind.DATA
        event = LifecycleEvent.DATA_WITHDRAWN if data else LifecycleEvent.STREAM_WITHDRAWN
        self._stage.apply(event)

    def release(self, slot: Slot) -> None:
        """The upload is not coming, or was refused at its end."""
        if slot.kind is ContentKind.PROGRAM:
            if self._program is slot:
                self._program = None
        else:
            self._inputs(slot.kind).release(slot)

    def hold(self, slot: Slot) -> None:
        """Keep a place again that was released a moment ago."""
        if slot.kind is ContentKind.PROGRAM:
            self._program = slot
        else:
            self._inputs(slot.kind).hold(slot)

    def holds(self, slot: Slot) -> bool:
        """Whether a place is kept for this upload."""
        if slot.kind is ContentKind.PROGRAM:
            return self._program is slot and self._stage.state is ComputationState.INITIAL
        return self._inputs(slot.kind).holds(slot)

    def require_wanted(self, slot: Slot) -> None:
        """Refuse to go on with an upload that would be refused by now if it were announced.

        Raises:
            DeniedError: it is too late, or a consent was taken back.
        """
        self._require_time(slot)
        if slot.kind is not ContentKind.PROGRAM:
            self._consents.require()

    @property
    def gone_on(self) -> DeniedError:
        """Why an upload is not taken any more whose place is not kept."""
        return DeniedError(
            RefusalReason.WRONG_STATE,
            found=f"{self._stage.where()}, round {self._stage.round}"[:160],
            expected="an upload that was announced in this round",
        )

    def find(self, identity: PolicyIdentity, upload: Upload) -> Package | None:
        """The input that is in and is just what `identity` announces, by its digest."""
        if upload.kind is ContentKind.PROGRAM:
            return None
        package = self._inputs(upload.kind).find(identity.client_id, upload.package_id)
        if package is None or package.content.digest.value != upload.digest:
            return None
        return package

    def has_program(self, identity: PolicyIdentity, upload: Upload) -> bool:
        """Whether the program that `identity` announces, by digest, is in, and is its to send."""
        return (
            upload.kind is ContentKind.PROGRAM
            and bool(PROGRAM_SENDERS & identity.roles)
            and self._stage.state is not ComputationState.ERROR
            and self.program_digest is not None
            and self.program_digest.value == upload.digest
        )

    def provide(self, slot: Slot, content: Content) -> Package:
        """An input is in.

        Raises:
            DeniedError: the computation failed or went on in the meantime, its place is not kept
                any more, or there is no salt to be had; the slot is given back.
        """
        try:
            self._require_time(slot)
            if not self.holds(slot):
                raise self.gone_on
            salt = draw(self._random, _SALT_BYTES, "a commitment")
        except DeniedError:
            self.release(slot)
            raise
        since = self._now()
        package = Package(slot, content, Secret(salt), commit(salt, content.digest.value), since)
        self._inputs(slot.kind).fill(package)
        self._stage.attempts.stale = True
        self.settle()
        return package

    def check_program(self, slot: Slot, content: Content) -> None:
        """The program has arrived: it is the policy's, or it is refused and the slot given back.

        Raises:
            DeniedError: its digest is not the policy's, or the computation failed in the meantime.
        """
        # The file is sealed: nobody can change it between this check and the guest's use of it.
        try:
            self._require_program(content.digest)
        except DeniedError:
            self.release(slot)
            raise
        self._stage.require(ComputationState.INITIAL)

    def program_loaded(self) -> None:
        """A guest has compiled the program."""
        self.program_digest = self._policy.program_digest
        self._program_since = self._now()
        self._stage.apply(LifecycleEvent.PROGRAM_LOADED)
        self.settle()

    def require_nothing_better(self) -> None:
        """Refuse another run if waiting for an input to change promises more.

        Raises:
            DeniedError: one is being replaced, or the last run has to be kept for one.
        """
        if self.data.replacing or self.streams.replacing:
            raise DeniedError(
                RefusalReason.BUSY,
                found="an input is being replaced",
                expected="another run when the new one is in",
            )
        repairable = any(
            self._inputs(kind).expected and self._changeable(kind)
            for kind in (ContentKind.DATA, ContentKind.STREAM)
        )
        if repairable and self._stage.attempts.one_left and not self._stage.attempts.stale:
            raise DeniedError(
                RefusalReason.ATTEMPTS_USED,
                found="one attempt is left in this round",
                expected="an input that has changed since the last",
            )

    def settle(self) -> None:
        """Pass through the loading states that have nothing left to load."""
        if self._stage.state is ComputationState.DATA_SOURCES_LOADING and self.data.complete:
            self._stage.apply(LifecycleEvent.DATA_COMPLETE)
        if self._stage.state is ComputationState.STREAM_SOURCES_LOADING and self.streams.complete:
            self._stage.apply(LifecycleEvent.STREAMS_COMPLETE)

    @property
    def places(self) -> tuple[InputPlace, ...]:
        """The program's place and those of the orders, and what is in them."""
        providers = [each for each in self._policy.identities if each.roles & PROGRAM_SENDERS]
        program = InputPlace(ContentKind.PROGRAM, 0, providers[0].client_id, Filling.MISSING)
        if self._program is not None:
            program = dataclasses.replace(
                program,
                client_id=self._program.client_id,
                filling=Filling.FILLED if self.program_digest else Filling.ARRIVING,
                size=self._program.size,
                since=self._program_since,
            )
        data = _places(ContentKind.DATA, self.data)
        return (program, *data, *_places(ContentKind.STREAM, self.streams))

    def close(self) -> None:
        """Drop every secret."""
        self.data.close()
        self.streams.close()

    # Inside.

    def _reserve_program(self, identity: PolicyIdentity, upload: Upload, slot: Slot) -> None:
        require_room(self._policy, identity, upload, 0)
        if upload.digest:
            self._require_program(Digest(upload.digest))
        if self._program is not None:
            raise DeniedError(
                RefusalReason.BUSY, found="another upload of the program is under way"
            )
        self._program = slot

    def _inputs(self, kind: ContentKind) -> Inputs:
        return self.data if kind is ContentKind.DATA else self.streams

    def _size_beside(self, slot: Slot) -> int:
        """Bytes of inputs that are in or on their way in all places but this one."""
        return sum(
            inputs.size(beside=slot if kind is slot.kind else None)
            for kind, inputs in (
                (ContentKind.DATA, self.data),
                (ContentKind.STREAM, self.streams),
            )
        )

    def _is_duplicate(self, slot: Slot) -> bool:
        """Whether it is refused for being in, which says more than the state does."""
        there = self._inputs(slot.kind).find(slot.client_id, slot.package_id)
        return there is not None and self._changeable(slot.kind)

    def _changeable(self, kind: ContentKind) -> bool:
        """Whether inputs of this kind that are in have still been in no result."""
        used = kind is ContentKind.DATA and self._stage.round > 1
        return self._stage.state in _CHANGES[kind] and not self._stage.running and not used

    def _require_time(self, slot: Slot) -> None:
        """Refuse what does not come in time for its place."""
        if slot.replaces:
            self._require_changeable(slot.kind)
        elif self._stage.state not in _ENDS.get(slot.kind, ()):
            self._stage.require(_SENDS[slot.kind][0])

    def _require_changeable(self, kind: ContentKind) -> None:
        if self._changeable(kind):
            return
        where = f"{self._stage.where()}, round {self._stage.round}"
        found = "a run is under way" if self._stage.running else where
        what = "data" if kind is ContentKind.DATA else "streams"
        raise DeniedError(
            RefusalReason.WRONG_STATE,
            found=found[:160],
            expected=f"{what} that are in no result yet, and no run under way",
        )

    def _require_program(self, digest: Digest) -> None:
        if digest != self._policy.program_digest:
            raise DeniedError(
                RefusalReason.WRONG_PROGRAM,
                found=f"a program with digest {digest}",
                expected=str(self._policy.program_digest),
            )

    def _now(self) -> int:
        """Seconds after 1970."""
        return max(0, int(self._host_time()))


def _places(kind: ContentKind, inputs: Inputs) -> list[InputPlace]:
    found = []
    for index, (client_id, there) in enumerate(inputs.places()):
        place = InputPlace(kind, index, client_id, Filling.MISSING)
        if isinstance(there, Package):
            place = InputPlace(
                kind,
                index,
                client_id,
                Filling.FILLED,
                there.slot.package_id,
                there.content.size,
                there.since,
            )
        elif there is not None:
            place = InputPlace(kind, index, client_id, Filling.ARRIVING, *there)
        found.append(place)
    return found
