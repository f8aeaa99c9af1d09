"""A whole group and its delegate on one machine, and what each of them does, in order."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Self

from colima.runtime import ContentKind
from durango import Attestation, Principal, VeracruzError, attest, sign_policy
from durango.standing import standing_lines
from veracruz.local import LocalServices
from veracruz.services import Service
from veracruz.simulation.adversaries import ADVERSARIES, Scene
from veracruz.simulation.materials import Filled, Materials
from veracruz.simulation.report import Attempt, Read, Report, Sent
from veracruz.simulation.stand_in import StandIn, stand_in_for
from veracruz_utils.address import Address
from veracruz_utils.policy import PROGRAM_SENDERS, RESULT_READERS, Policy, PolicyIdentity

_END_S: Final = 30.0

OnStep = Callable[[str], object]
"""Called with what was done, in one line."""


class Company:
    """The group, from `with` on until the block is left: nothing of it stays.

    Args:
        original: the policy that is simulated.
        materials: what goes in.
        rounds: how many rounds to do, if the policy lets.
        on_step: is told what was done.
    """

    def __init__(
        self, original: Policy, materials: Materials, *, rounds: int, on_step: OnStep
    ) -> None:
        self._original = original
        self._materials = materials
        self._rounds = rounds
        self._on_step = on_step
        self._services = LocalServices()
        self._attestations: dict[int, Attestation] = {}
        self._sent: list[Sent] = []
        self._read: list[Read] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._services.stop()

    def run(self, adversaries: Sequence[str]) -> Report:
        """Let the adversaries try, then compute.

        Args:
            adversaries: names of `ADVERSARIES`.

        Raises:
            VeracruzError: the services do not start, or an adversary cannot try.
        """
        begun = time.monotonic()
        self._start()
        self._consent()
        attempts = self._try_all(adversaries)
        failure = ""
        try:
            self._compute()
        except VeracruzError as error:
            failure = str(error)
        return Report(
            original=self._original.digest,
            simulated=self._policy.digest,
            replaced=self._stand_in.replaced,
            program=self._materials.program_name,
            program_digest=self._policy.program_digest,
            sent=tuple(self._sent),
            read=tuple(self._read),
            attempts=attempts,
            failure=failure,
            seconds=time.monotonic() - begun,
        )

    def _start(self) -> None:
        self._services.start()
        self._on_step("tabasco and sonora are ready; the root of trust is software")
        self._stand_in: StandIn = stand_in_for(self._original, self._services, at=datetime.now(UTC))
        self._policy = self._stand_in.policy
        self._on_step(
            f"simulated is {self._policy.digest.short}, a stand-in for the policy "
            f"{self._original.digest.short}, which keeps its terms; replaced are"
        )
        for line in self._stand_in.replaced:
            self._on_step(f"    {line}")
        bulk = self._services.free_address()
        self._bulk = Address.parse(bulk)
        self._sinaloa: Service = self._services.start_bridge(self._policy, "--bulk-listen", bulk)
        self._on_step(f"sinaloa, the bridge, is ready on {self._policy.sinaloa}; its isolate runs")

    def _consent(self) -> None:
        """Everybody whose consent counts signs the stand-in, and hands that in."""
        agreement = self._policy.conduct.consent
        for member in self._policy.identities:
            if agreement is not None and member.client_id in agreement.of:
                signed = sign_policy(self._policy, self._stand_in.parties[member.client_id])
                with self._connect(member) as principal:
                    principal.consent(signed)
                self._on_step(f"{member.label} consented to the stand-in")

    def _try_all(self, adversaries: Sequence[str]) -> tuple[Attempt, ...]:
        if not adversaries:
            return ()
        author = self._author
        attempts = []
        with self._connect(author) as observer:
            scene = Scene(
                self._services,
                self._stand_in,
                self._bulk,
                self._attestations[author.client_id],
                self._materials.program,
            )
            for name in adversaries:
                before = observer.state()
                noticed = ADVERSARIES[name].attempt(scene)
                after = observer.state()
                known = standing_lines(before, self._policy)
                lines = [each for each in standing_lines(after, self._policy) if each not in known]
                changed = "" if before == after else "; ".join(lines) or "in what is not shown"
                attempts.append(Attempt(name, ADVERSARIES[name].did, noticed, changed))
                outcome = "was noticed" if attempts[-1].held else "WENT UNNOTICED"
                self._on_step(f"{name} tried its way, and {outcome}")
        return tuple(attempts)

    def _compute(self) -> None:
        author = self._author
        with self._connect(author) as principal:
            digest = principal.send_program(self._materials.program)
        self._on_step(f"{author.label} sent the program {self._materials.program_name}: {digest}")
        self._sent.append(
            Sent(author.label, "program", len(self._materials.program), "as agreed on", 1)
        )
        self._provide(ContentKind.DATA, 1)
        for number in range(1, self._rounds + 1):
            self._provide(ContentKind.STREAM, number)
            self._fetch()
            if number < self._rounds:
                self._begin_round(number + 1)
        for reader in self._readers:
            with self._connect(reader) as principal:
                principal.shutdown()
        self._sinaloa.wait(_END_S)
        self._on_step("every reader asked for the end: the isolate is gone")

    def _provide(self, kind: ContentKind, number: int) -> None:
        """Everybody gives what the policy awaits of them in this round."""
        for member in self._policy.identities:
            own = [
                each
                for each in self._materials.given
                if (each.place.content, each.place.client_id) == (kind, member.client_id)
            ]
            if own:
                with self._connect(member) as principal:
                    for package_id, each in enumerate(own):
                        self._send(principal, member, package_id, each, number)

    def _send(
        self,
        principal: Principal,
        member: PolicyIdentity,
        package_id: int,
        given: Filled,
        number: int,
    ) -> None:
        content, place = given.content(number), given.place
        if place.content is ContentKind.DATA:
            principal.send_data(package_id, content)
        else:
            principal.send_stream(package_id, content)
        self._sent.append(Sent(member.label, place.label, len(content), given.origin, number))
        self._on_step(f"{member.label} sent {place.label}: {len(content)} bytes, {given.origin}")

    def _fetch(self) -> None:
        """Every reader has the result and its receipt; the first of them has the program run."""
        for reader in self._readers:
            with self._connect(reader) as principal:
                result, outcome = principal.result()
            read = Read.of(reader.label, result, outcome, self._policy.result.kind)
            self._read.append(read)
            self._on_step(
                f"{reader.label} fetched the result of round {read.round}, {read.shape}; receipt "
                f"{read.receipt} was verified against attestation, policy and result"
            )

    def _begin_round(self, number: int) -> None:
        """As many readers ask as the policy wants."""
        for reader in self._readers:
            if reader.client_id in self._policy.conduct.next_round.of:
                with self._connect(reader) as principal:
                    awaited = principal.next_round()
                if not awaited:
                    break
        self._on_step(f"round {number} has begun")

    @property
    def _author(self) -> PolicyIdentity:
        return next(each for each in self._policy.identities if each.roles & PROGRAM_SENDERS)

    @property
    def _readers(self) -> list[PolicyIdentity]:
        return [each for each in self._policy.identities if each.roles & RESULT_READERS]

    def _connect(self, member: PolicyIdentity) -> Principal:
        """A session of this member, who has checked the isolate by its own challenge."""
        if member.client_id not in self._attestations:
            self._attestations[member.client_id] = found = attest(self._policy)
            self._on_step(f"{member.label} checked the isolate: {len(found.checks)} checks passed")
        identity = self._stand_in.parties[member.client_id]
        return Principal.connect(self._policy, identity, self._attestations[member.client_id])
