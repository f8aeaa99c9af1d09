"""Computations to measure: Tabasco and Sonora as warm services, and a bridge per computation."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server
from typing import Self

from durango import Attestation, Identity, Principal, TransportKind, attest
from sonora.doctor import layers_of_this_host
from sonora.evidence.software import SoftwareRoot
from sonora.image.local import local_image
from tabasco.registry.state import StateDirectory
from veracruz.services import Service
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    RUNTIME_LAYERS,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    Policy,
    PolicyIdentity,
    Role,
    Strategy,
)
from veracruz_utils.policy.rendering import render_policy
from veracruz_utils.public_keys import der_of


@dataclass(frozen=True, slots=True)
class Computation:
    """A bridge that is up and its isolate, and who takes part.

    Attributes:
        policy: what they agreed on.
        parties: by client id.
        bridge: the Sinaloa of this computation.
    """

    policy: Policy
    parties: Sequence[Identity]
    bridge: Service

    def attest(self) -> Attestation:
        """One principal's satisfaction about the isolate."""
        return attest(self.policy)

    def connect(
        self,
        client_id: int,
        attestation: Attestation | None = None,
        transport: TransportKind = TransportKind.AUTO,
    ) -> Principal:
        """A session of one of the parties."""
        found = attestation or self.attest()
        return Principal.connect(self.policy, self.parties[client_id], found, transport=transport)


class Deployment:
    """Tabasco and Sonora, up and acquainted for as long as the `with` block lasts.

    Attributes:
        measurement: of the runtime that Sonora launches.
        sonora: the service.
        socket: where it listens for bridges.
    """

    def __init__(self, *sonora_options: str) -> None:
        self._sonora_options = sonora_options

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="veracruz-bench-"))
            self._folder = Path(folder)
            self.socket = self._folder / "sonora.sock"
            root = SoftwareRoot.create(self._folder / "sonora")
            tabasco = self._serve(
                stack, "tabasco", "--listen", "127.0.0.1:0",
                "--state", str(self._folder / "tabasco"), "--trust-root", str(root),
            )  # fmt: skip
            image = local_image()
            self.measurement = image.measurement.value
            self._tabasco = tabasco.wait_ready()
            self.sonora = self._serve(
                stack, "sonora", "--tabasco", self._tabasco, "--listen", "127.0.0.1:0",
                "--state", str(self._folder / "sonora"), "--socket", str(self.socket),
                "--image", str(image.folder), *self._sonora_options,
            )  # fmt: skip
            self.sonora.wait_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def policy(
        self,
        roles: Sequence[Sequence[Role]],
        *,
        program: bytes,
        data: Sequence[int] = (),
        streams: Sequence[int] = (),
    ) -> tuple[bytes, list[Identity]]:
        """A policy for as many new parties as there are lists of roles, and the parties.

        Args:
            roles: of each party.
            program: the one that may run.
            data: the data provision order.
            streams: the streaming order.
        """
        now = datetime.now(UTC)
        parties = [
            Identity.create(f"party-{number}", not_before=now, lifetime=timedelta(days=1))
            for number in range(len(roles))
        ]
        tabasco_key = StateDirectory(self._folder / "tabasco").result_key().public_key()
        text = render_policy(
            at=now,
            identities=[
                PolicyIdentity(number, party.certificate, frozenset(roles[number]))
                for number, party in enumerate(parties)
            ],
            sinaloa=Address("127.0.0.1", _free_port()),
            tabasco=Address.parse(self._tabasco),
            tabasco_key=der_of(tabasco_key),
            expires_at=now + timedelta(days=1),
            ciphersuite=TLS_1_3_SUITES[0],
            platforms=[AcceptedPlatform(LINUX_SOFTWARE, frozenset({self.measurement}))],
            program_digest=Digest.of(program),
            strategy=Strategy.JIT,
            isolation=RUNTIME_LAYERS & layers_of_this_host(),
            data_provision_order=data,
            streaming_order=streams,
        )
        return text, parties

    @contextmanager
    def computation(
        self,
        roles: Sequence[Sequence[Role]],
        *,
        program: bytes,
        data: Sequence[int] = (),
        streams: Sequence[int] = (),
        bulk: bool = False,
    ) -> Iterator[Computation]:
        """A bridge with an isolate of its own; for the arguments see `policy`.

        With `bulk` it has a port for sessions over bare TCP.
        """
        text, parties = self.policy(roles, program=program, data=data, streams=streams)
        with self.serving(text, parties, bulk=bulk) as computation:
            yield computation

    @contextmanager
    def serving(
        self, text: bytes, parties: Sequence[Identity], *, bulk: bool = False
    ) -> Iterator[Computation]:
        """The same for a policy that there is already."""
        file = self._folder / "policy.json"
        file.write_bytes(text)
        more = ["--bulk-listen", "127.0.0.1:0"] if bulk else []
        with Service(
            "sinaloa", ["serve", str(file), "--sonora", str(self.socket), *more]
        ) as bridge:
            bridge.wait_ready()
            yield Computation(Policy.parse(text, at=datetime.now(UTC)), parties, bridge)

    def _serve(self, stack: ExitStack, program: str, *options: str) -> Service:
        service = Service(program, ["serve", *options], cwd=self._folder)
        return stack.enter_context(service)


def _free_port() -> int:
    """A port that nothing listens on now; the policy has to name it before the bridge starts."""
    with create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
