"""Who sits at the page, and where everybody else is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from durango.aio import AsyncPrincipal, attest
from durango.evidence import Attestation
from durango.identity import Identity, require_member
from veracruz_shells.tls_files import ClientFiles
from veracruz_utils.address import Address
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy, PolicyIdentity


@frozen
class Seat:
    """A principal at its own machine.

    Attributes:
        policy: its own copy.
        identity: who it is; one of the policy's.
        tabasco_key: DER, for policies that name none.
        sinaloa: where the bridge is, if not where the policy says.
        tabasco: where the attestation service is, if not where the policy says.
        tabasco_tls: how to speak TLS with that; None for plain text.
        timeout_s: for each question and answer.
        folder: where openings and receipts are kept besides; None keeps them in memory alone.
    """

    policy: Policy
    identity: Identity
    tabasco_key: bytes | None = None
    sinaloa: Address | None = None
    tabasco: Address | None = None
    tabasco_tls: ClientFiles | None = None
    timeout_s: float = 60.0
    folder: Path | None = None

    @property
    def member(self) -> PolicyIdentity:
        """Which of the policy's principals this is.

        Raises:
            NotAuthorisedError: none.
        """
        return require_member(self.policy, self.identity)

    async def attest(self) -> Attestation:
        """The isolate, through the gate.

        Raises:
            VeracruzError: as for `durango.attest`.
        """
        return await attest(
            self.policy,
            tabasco_key=self.tabasco_key,
            sinaloa=self.sinaloa,
            tabasco=self.tabasco,
            tabasco_tls=self.tabasco_tls,
            timeout_s=self.timeout_s,
        )

    @asynccontextmanager
    async def connect(
        self, attestation: Attestation, *, patience_s: float | None = None
    ) -> AsyncIterator[AsyncPrincipal]:
        """A session with the isolate.

        Args:
            attestation: of it.
            patience_s: how long to try again when the connection breaks; `timeout_s` if not given.

        Raises:
            VeracruzError: as for `AsyncPrincipal.connect`.
        """
        async with AsyncPrincipal.connect(
            self.policy,
            self.identity,
            attestation,
            sinaloa=self.sinaloa,
            timeout_s=self.timeout_s,
            patience_s=patience_s,
        ) as session:
            yield session
