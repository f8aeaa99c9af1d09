"""One computation: what the policy allows, what is in, and what comes next.

Every method either does what was asked or raises `DeniedError` and has changed nothing. The
role is checked first, then the state, then the particulars. There is no input or output here: what
the guest has to do comes back as a value (`Job`), and what it answered goes in by `program_loaded`,
`run_finished` and so on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from colima.runtime import (
    ComputationState,
    ContentKind,
    FailureReport,
    RefusalReason,
    TrapFrame,
    Upload,
)
from mexico_city.consents import Consents
from mexico_city.content import Content, content_of
from mexico_city.disclosure import Disclosure
from mexico_city.errors import DeniedError
from mexico_city.inputs import Inputs, Package, Slot
from mexico_city.lifecycle import NEXT, LifecycleEvent
from platform_services import PlatformError, RandomSource
from platform_services.seeded import SEED_BYTES
from psa_attestation.receipts.receipt import commit
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    DATA_SENDERS,
    PROGRAM_SENDERS,
    RESULT_READERS,
    STREAM_SENDERS,
    Policy,
    PolicyIdentity,
    Role,
)
from veracruz_utils.secret import Secret

_SENDS: Final = {
    ContentKind.PROGRAM: (ComputationState.INITIAL, PROGRAM_SENDERS),
    ContentKind.DATA: (ComputationState.DATA_SOURCES_LOADING, DATA_SENDERS),
    ContentKind.STREAM: (ComputationState.STREAM_SOURCES_LOADING, STREAM_SENDERS),
}
_SALT_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Job:
    """One run: what the guest needs for it.

    Attributes:
        inputs: what the program reads, in its order.
        streams: the same of this round's stream items.
        previous: the result of the round before; None in the first.
        seed: of the program's random numbers, if the policy says `deterministic`; else empty.
    """

    inputs: Sequence[Package]
    streams: Sequence[Package]
    previous: Content | None
    seed: bytes = b""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended; `output` is None when the program wrote none."""

    return_code: int
    output: Content | None
    receipt: bytes


class Computation:
    """The state of one computation under one policy."""

    def __init__(self, policy: Policy, random: RandomSource) -> None:
        self.policy = policy
        self.state = ComputationState.INITIAL
        self.round = 1
        self.running = False
        self.failure = ""
        self._frames: tuple[TrapFrame, ...] = ()
        self._message = ""
        self.outcome: RunResult | None = None
        self.program_digest: Digest | None = None
        self._random = random
        self._guest_lost = False
        self._previous: Content | None = None
        self._program_reserved = False
        self._data = Inputs(policy.data_provision_order)
        self._streams = Inputs(policy.streaming_order)
        self._asked_for_shutdown: set[int] = set()
        self.consents = Consents(policy)
        self.disclosure = Disclosure(policy, random)

    # What principals send.

    def reserve(self, identity: PolicyIdentity, upload: Upload) -> Slot:
        """A place for what `identity` is about to send.

        Raises:
            DeniedError: wrong role, too early or too late, without the consents that the policy
                asks for, too much, or not expected.
        """
        state, roles = _SENDS[upload.kind]
        _require_role(identity, roles)
        self._require_state(state)
        if upload.kind is not ContentKind.PROGRAM:
            self.consents.require()
        self._require_room(identity, upload)
        if upload.kind is ContentKind.PROGRAM and upload.digest:
            self._require_program(Digest(upload.digest))
        slot = Slot(upload.kind, identity.client_id, upload.package_id, upload.size)
        if slot.kind is not ContentKind.PROGRAM:
            self._inputs(slot.kind).reserve(slot)
        elif self._program_reserved:
            raise DeniedError(
                RefusalReason.BUSY, found="another upload of the program is under way"
            )
        else:
            self._program_reserved = True
        return slot

    def release(self, slot: Slot) -> None:
        """The upload is not coming, or was refused at its end."""
        if slot.kind is ContentKind.PROGRAM:
            self._program_reserved = False
        else:
            self._inputs(slot.kind).release(slot)

    def hold(self, slot: Slot) -> None:
        """Keep a place again that was released a moment ago."""
        if slot.kind is ContentKind.PROGRAM:
            self._program_reserved = True
        else:
            self._inputs(slot.kind).hold(slot)

    def holds(self, slot: Slot) -> bool:
        """Whether a place is kept for this upload."""
        if slot.kind is ContentKind.PROGRAM:
            return self._program_reserved and self.state is ComputationState.INITIAL
        return self._inputs(slot.kind).holds(slot)

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
            and self.state is not ComputationState.ERROR
            and self.program_digest is not None
            and self.program_digest.value == upload.digest
        )

    def provide(self, slot: Slot, content: Content) -> Package:
        """An input is in.

        Raises:
            DeniedError: the computation failed in the meantime, or there is no salt to be had; the
                slot is given back.
        """
        state, _ = _SENDS[slot.kind]
        self._require_state(state)
        try:
            salt = self._draw(_SALT_BYTES, "a commitment")
        except DeniedError:
            self.release(slot)
            raise
        package = Package(slot, content, Secret(salt), commit(salt, content.digest.value))
        self._inputs(slot.kind).fill(package)
        self._settle()
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
        self._require_state(ComputationState.INITIAL)

    def program_loaded(self) -> None:
        """The guest has compiled the program; nobody needs its bytes any more."""
        self.program_digest = self.policy.program_digest
        self._apply(LifecycleEvent.PROGRAM_LOADED)
        self._settle()

    def program_refused(self, code: str) -> DeniedError:
        """The guest will not run this program, and the policy allows no other."""
        self._fail(LifecycleEvent.PROGRAM_REFUSED, f"the program was refused: {code}")
        return DeniedError(RefusalReason.PROGRAM_REFUSED, found=code)

    # What readers ask.

    def request_result(self, identity: PolicyIdentity) -> RunResult | Job | None:
        """The outcome if there is one, a job if the program has to run, None while it runs.

        Raises:
            DeniedError: not a reader, not everything is in, a consent was taken back, or its result
                could not be released.
        """
        _require_role(identity, RESULT_READERS)
        if self.state is ComputationState.FINISHED_EXECUTING:
            return self.outcome
        self._require_state(ComputationState.READY_TO_EXECUTE)
        if self.running:
            return None
        self.consents.require()
        inputs, streams = self._data.in_order(), self._streams.in_order()
        self.disclosure.require_run(inputs, streams)
        seed = self._draw(SEED_BYTES, "a seed") if self.policy.conduct.deterministic else b""
        self.consents.bind()
        self.running = True
        self._message = ""  # that of an earlier round says nothing of this one
        return Job(inputs, streams, self._previous, seed)

    def run_finished(self, outcome: RunResult, message: str = "") -> None:
        """Record a run that returned; its message is kept under `debug` alone."""
        if self.policy.debug:
            self._message = message
        self.running = False
        self.outcome = outcome
        self._apply(LifecycleEvent.RUN_FINISHED)

    def run_failed(
        self, reason: RefusalReason, code: str, frames: Sequence[TrapFrame] = (), message: str = ""
    ) -> DeniedError:
        """Record a run that ended early; where, and its message, are kept under `debug` alone."""
        self.running = False
        if self.policy.debug:
            self._frames, self._message = tuple(frames), message
        self._fail(LifecycleEvent.RUN_FAILED, _describe(reason, code))
        return DeniedError(reason, found=code)

    def guest_lost(
        self, code: str, *, reason: RefusalReason = RefusalReason.GUEST_LOST
    ) -> DeniedError:
        """Record the end of the guest process; a finished round keeps its result."""
        self.running = False
        self._guest_lost = True
        if self.state is not ComputationState.ERROR:
            self._fail(LifecycleEvent.GUEST_LOST, _describe(reason, code))
        return DeniedError(reason, found=code)

    def failure_report(self, identity: PolicyIdentity) -> FailureReport:
        """Why the computation failed, for the program's provider; with `debug`, how it ended.

        Raises:
            DeniedError: not the program's provider, or nothing to report yet.
        """
        _require_role(identity, PROGRAM_SENDERS)
        if self.policy.debug and self.state is ComputationState.FINISHED_EXECUTING:
            assert self.outcome is not None
            code = self.outcome.return_code
            return FailureReport(f"returned: {code}" if code else "", (), self._message)
        self._require_state(ComputationState.ERROR)
        return FailureReport(self.failure, self._frames, self._message)

    def next_round(self, identity: PolicyIdentity) -> None:
        """Begin another round with this one's output as its previous result.

        Raises:
            DeniedError: not a reader, no finished round, or no guest to run another.
        """
        _require_role(identity, RESULT_READERS)
        self._require_state(ComputationState.FINISHED_EXECUTING)
        if self._guest_lost:
            raise DeniedError(RefusalReason.GUEST_LOST, found="no guest process for another round")
        assert self.outcome is not None
        # Empty, not absent: a program tells its first round by there being no previous result.
        previous = self.outcome.output or content_of(b"")
        if self._previous is not None:
            self._previous.close()
        self._previous = previous
        self.outcome = None
        self._streams.close()
        # A vote is about the round that its reader saw, and must not end a later one.
        self._asked_for_shutdown.clear()
        self.round += 1
        self._apply(LifecycleEvent.ROUND_BEGUN)
        self._settle()

    def shutdown(self, identity: PolicyIdentity) -> bool:
        """Count this reader's request; whether every reader has now asked.

        Raises:
            DeniedError: not a reader.
        """
        _require_role(identity, RESULT_READERS)
        self._asked_for_shutdown.add(identity.client_id)
        return self._asked_for_shutdown >= self.policy.result_readers

    def close(self) -> None:
        """Drop every secret."""
        self._data.close()
        self._streams.close()
        if self._previous is not None:
            self._previous.close()
        if self.outcome is not None and self.outcome.output is not None:
            self.outcome.output.close()

    # Inside.

    def _draw(self, size: int, purpose: str) -> bytes:
        try:
            return self._random.fill(size)
        except PlatformError as error:
            raise DeniedError(
                RefusalReason.BUSY, found=f"no random bytes for {purpose}", expected="try again"
            ) from error

    def _inputs(self, kind: ContentKind) -> Inputs:
        return self._data if kind is ContentKind.DATA else self._streams

    def _require_state(self, expected: ComputationState) -> None:
        if self.state is not expected:
            found = self.state.name + (f" ({self.failure})" if self.failure else "")
            raise DeniedError(RefusalReason.WRONG_STATE, found=found[:160], expected=expected.name)

    def _require_program(self, digest: Digest) -> None:
        if digest != self.policy.program_digest:
            raise DeniedError(
                RefusalReason.WRONG_PROGRAM,
                found=f"a program with digest {digest}",
                expected=str(self.policy.program_digest),
            )

    def _require_room(self, identity: PolicyIdentity, upload: Upload) -> None:
        limits = self.policy.limits
        if upload.kind is ContentKind.PROGRAM:
            _require_at_most("program_bytes", limits.program_bytes, upload.size)
            return
        _require_at_most("input_bytes", limits.input_bytes, upload.size)
        _require_place_size(self.policy, identity, upload)
        # What others have only announced counts: it is going to be here beside this.
        total = self._data.size + self._streams.size + upload.size
        _require_at_most("total_input_bytes", limits.total_input_bytes, total, " of inputs in all")

    def _apply(self, event: LifecycleEvent) -> None:
        self.state = NEXT[self.state, event]

    def _settle(self) -> None:
        """Pass through the loading states that have nothing left to load."""
        if self.state is ComputationState.DATA_SOURCES_LOADING and self._data.complete:
            self._apply(LifecycleEvent.DATA_COMPLETE)
        if self.state is ComputationState.STREAM_SOURCES_LOADING and self._streams.complete:
            self._apply(LifecycleEvent.STREAMS_COMPLETE)

    def _fail(self, event: LifecycleEvent, failure: str) -> None:
        self._apply(event)
        if self.state is ComputationState.ERROR:
            self.failure = failure
            self.close()  # nothing leaves this state: what came in is of no more use


def _describe(reason: RefusalReason, code: str) -> str:
    return f"{reason.name.lower().replace('_', ' ')}: {code}"


def _require_place_size(policy: Policy, identity: PolicyIdentity, upload: Upload) -> None:
    """Refuse what is larger than the policy allows for the place that it is going to fill.

    A principal's packages fill its places in rising order. Which one a package is going to fill is
    only known of numbers below their count, so that no other will do where the sizes differ.

    Raises:
        DeniedError: it is larger, or its number does not tell its place.
    """
    data = upload.kind is ContentKind.DATA
    order = policy.data_provision_order if data else policy.streaming_order
    terms = policy.inputs if data else policy.streams
    own = [index for index, client in enumerate(order) if client == identity.client_id]
    sizes = {terms[index].most_bytes for index in own}
    if upload.package_id >= len(own) and len(sizes) > 1:
        raise DeniedError(
            RefusalReason.NOT_EXPECTED,
            found=f"package {upload.package_id} of {identity.label}",
            expected=f"0 to {len(own) - 1}: its places take different sizes",
        )
    if own:
        index = own[min(upload.package_id, len(own) - 1)]
        most = terms[index].most_bytes
        if most is not None:
            name = f"{'inputs' if data else 'streams'}[{index}].bytes"
            _require_at_most(name, most, upload.size)


def _require_at_most(limit: str, most: int, found: int, of: str = "") -> None:
    if found > most:
        raise DeniedError(
            RefusalReason.TOO_LARGE, found=f"{found} bytes{of}", expected=f"{limit} <= {most}"
        )


def _require_role(identity: PolicyIdentity, roles: frozenset[Role]) -> None:
    if not roles & identity.roles:
        raise DeniedError(
            RefusalReason.WRONG_ROLE,
            found=f"client {identity.client_id} is " + ", ".join(sorted(identity.roles)),
            expected=" or ".join(sorted(roles)),
        )
