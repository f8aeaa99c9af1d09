"""The demonstration: four principals intersect two lists of people that neither owner shows.

Real services in processes of their own on loopback, real TLS, the client library behind the
`durango` command. Everything lives in one temporary folder and ends with the `with` block, however
that is left.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from durango import (
    Attestation,
    CommitmentOpening,
    FetchedResult,
    Identity,
    Principal,
    attest,
    parse_tabasco_key,
)
from sdk.examples import programs
from sdk.examples.named_types import SCHEMAS
from sdk.examples.people import Person, generate_people, people_csv
from sonora.image.source import RuntimeImage, installed_archive
from veracruz.errors import ServiceError
from veracruz.local import LocalServices
from veracruz.services import Service
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.encoding.tables import decode_table, encode_table
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    RUNTIME_LAYERS,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    IsolationLayer,
    Policy,
    PolicyIdentity,
    Role,
    Strategy,
)
from veracruz_utils.policy.rendering import render_policy

if TYPE_CHECKING:
    from veracruz.pages import OnPageLink

PROGRAM: Final = "private-set-intersection"
FIRST_ROWS: Final = 5
_PEOPLE: Final = SCHEMAS["people"].kind
_ROLES: Final = {
    "author": Role.PI_PROVIDER,
    "north": Role.DATA_PROVIDER,
    "south": Role.DATA_PROVIDER,
    "reader": Role.RESULT_READER,
}
"""Who takes part, in the order of their client ids: each has one role and no other."""

OnStep = Callable[[str, float], None]
"""Called with what a step did, in one line, and how long it took in seconds."""


@dataclass(slots=True)
class DemoReport:
    """What the demonstration found out."""

    policy_digest: Digest
    program_digest: Digest
    measurement: bytes
    intersection: list[str] = field(default_factory=list)
    result_digest: Digest | None = None
    seconds: float = 0.0

    @property
    def size(self) -> int:
        """How many people are on both lists."""
        return len(self.intersection) - 1


class Demo:
    """The parts of the demonstration, in order; `run` does them all."""

    def __init__(self, on_step: OnStep) -> None:
        self._on_step = on_step
        self._services = LocalServices()
        self._parties: dict[str, Identity] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._services.stop()

    def run(self) -> DemoReport:
        """Do all of it."""
        begun = time.monotonic()
        measurement = self._start_delegate()
        policy = self._write_policy(measurement)
        sinaloa = self._start_bridge(policy)
        report = DemoReport(policy.digest, policy.program_digest, measurement)
        openings = self._provide(policy)
        self._read(policy, openings, report)
        self._end(sinaloa)
        report.seconds = time.monotonic() - begun
        return report

    @contextlib.contextmanager
    def show(self, on_link: "OnPageLink") -> Iterator[dict[str, Path]]:
        """Start everything, and a page for each principal, who then do their parts by hand.

        The files that there are to send, by the name of who has them; all of it ends with the
        `with` block.
        """
        from veracruz.pages import Pages  # noqa: PLC0415 - most demonstrations show none

        policy = self._write_policy(self._start_delegate())
        self._start_bridge(policy)
        files = self._write_files()
        with Pages(policy, self._parties, on_link):
            yield files

    def _start_delegate(self) -> bytes:
        """Start the attestation service and the root isolate; the runtime's measurement."""
        self._start_trust()
        image = self._take_image()
        with self._step() as line:
            self._services.start_sonora()
            line.append(f"sonora, the root isolate, is enrolled; its platform is {LINUX_SOFTWARE}:")
            line.append("software, no protection from this machine's owner")
        return image.measurement.value

    def _write_files(self) -> dict[str, Path]:
        """What the principals have: a program, and two lists."""
        program = self._services.folder / f"{PROGRAM}.wasm"
        program.write_bytes(programs.load(PROGRAM))
        files = {"author": program}
        for name, owned in zip(("north", "south"), _lists(), strict=True):
            files[name] = self._services.folder / f"{name}.csv"
            files[name].write_text(people_csv(owned), "utf-8")
        return files

    @contextlib.contextmanager
    def _step(self) -> Iterator[list[str]]:
        """Report a step when it is done: the line is what the block appends."""
        begun = time.monotonic()
        lines: list[str] = []
        yield lines
        self._on_step(" ".join(lines), time.monotonic() - begun)

    def _take_image(self) -> RuntimeImage:
        """The runtime image that the principals accept: the release's, or else one built here."""
        with self._step() as line:
            image = self._services.image
            if installed_archive() is not None:
                line.append(f"took the release's runtime image: {image.measurement.short}")
            else:
                line.append("took a local image, built from this installation alone, which is no")
                line.append(f"release: {image.measurement.short}")
        return image

    def _start_trust(self) -> None:
        """Start Tabasco, which knows the root's key."""
        with self._step() as line:
            address = self._services.start_tabasco()
            line.append(f"tabasco, the attestation service, is ready on {address}")

    def _write_policy(self, measurement: bytes) -> Policy:
        """Make everybody's identity, and the contract between them."""
        with self._step() as line:
            now = datetime.now(UTC)
            for name in _ROLES:
                self._parties[name] = Identity.create(
                    name, not_before=now - timedelta(minutes=5), lifetime=timedelta(days=1)
                )
            line.append(f"made the identities of {', '.join(_ROLES)}")
        with self._step() as line:
            policy = Policy.parse(self._render(measurement, now), at=now)
            line.append(f"wrote the policy {policy.digest.short}: program {PROGRAM}")
            line.append(f"{policy.program_digest.short}, data of north and south,")
            line.append("result for reader alone;")
            line.append(_asked(policy))
        return policy

    def _render(self, measurement: bytes, now: datetime) -> bytes:
        identities = [
            PolicyIdentity(client_id, self._parties[name].certificate, frozenset({role}), name)
            for client_id, (name, role) in enumerate(_ROLES.items())
        ]
        providers = [each.client_id for each in identities if Role.DATA_PROVIDER in each.roles]
        return render_policy(
            at=now,
            identities=identities,
            sinaloa=Address.parse(self._services.free_address()),
            tabasco=Address.parse(self._services.tabasco),
            tabasco_key=parse_tabasco_key(
                self._services.tabasco_key.encode(), name="the key of tabasco"
            ),
            expires_at=now + timedelta(days=1),
            ciphersuite=TLS_1_3_SUITES[0],
            platforms=[AcceptedPlatform(LINUX_SOFTWARE, frozenset({measurement}))],
            data_provision_order=providers,
            program_digest=Digest.of(programs.load(PROGRAM)),
            strategy=Strategy.JIT,
            # So that there is something to see on every machine; real policies ask for all.
            isolation=frozenset(map(IsolationLayer, self._services.isolation)),
            terms={
                "inputs": [{"type": str(_PEOPLE)} for _ in providers],
                "result": {"type": str(_PEOPLE)},
            },
        )

    def _start_bridge(self, policy: Policy) -> Service:
        with self._step() as line:
            sinaloa = self._services.start_bridge(policy)
            line.append(f"sinaloa, the bridge, is ready on {policy.sinaloa}; its isolate runs")
        return sinaloa

    def _attest(self, name: str, policy: Policy) -> Attestation:
        """One principal satisfies itself, with its own challenge and its own policy."""
        with self._step() as line:
            attestation = attest(policy)
            line.append(f"{name} checked the isolate against its own policy file: fresh challenge,")
            line.append(f"Tabasco's key, platform {attestation.platform},")
            line.append(f"measurement {attestation.measurement.hex()[:12]},")
            line.append(f"policy {attestation.policy_digest.short},")
            line.append(f"{len(attestation.isolation)} layers of isolation;")
            line.append(f"TLS is pinned to certificate {attestation.certificate_digest.short}")
        return attestation

    def _provide(self, policy: Policy) -> list[CommitmentOpening]:
        """The author sends the program, the owners their lists."""
        attestation = self._attest("author", policy)
        with self._step() as line:
            with Principal.connect(policy, self._parties["author"], attestation) as author:
                digest = author.send_program(programs.load(PROGRAM))
            line.append(
                f"author sent the program over TLS; its digest {digest.short} is the policy's"
            )
        openings = []
        for name, owned in zip(("north", "south"), _lists(), strict=True):
            attestation = self._attest(name, policy)
            with self._step() as line:
                people = encode_table(_PEOPLE, people_csv(owned).encode(), header=True)
                with Principal.connect(policy, self._parties[name], attestation) as owner:
                    openings.append(owner.send_data(0, people))
                line.append(f"{name} sent {len(owned)} people ({len(people)} bytes) over TLS")
        return openings

    def _read(self, policy: Policy, openings: list[CommitmentOpening], report: DemoReport) -> None:
        """The reader has the program run, fetches the result and checks the receipt."""
        attestation = self._attest("reader", policy)
        with Principal.connect(policy, self._parties["reader"], attestation) as reader:
            with self._step() as line:
                result, outcome = reader.result()
                _require_inputs(outcome, openings)
                line.append("reader had the program run and fetched the result:")
                line.append(f"{outcome.output_size} bytes, {outcome.output_digest};")
                line.append(f"the receipt names this policy, program, {len(openings)} inputs")
                line.append("and this output")
            reader.shutdown()
        rows = decode_table(_PEOPLE, result or b"", header=True)
        report.intersection = rows.splitlines()
        report.result_digest = outcome.output_digest

    def _end(self, sinaloa: Service) -> None:
        """The only reader asked for shutdown: the isolate ends, and the bridge with it."""
        with self._step() as line:
            status = sinaloa.wait(15)
            if status != 0:
                raise ServiceError(f"sinaloa ended with status {status}: {sinaloa.last_words}")
            self._services.stop()
            line.append("the isolate ended with its last reader; all services are stopped")


def _lists() -> tuple[list[Person], list[Person]]:
    """The lists of north and south."""
    return generate_people(seed=1, size=4000, overlap=1200)


def _require_inputs(outcome: FetchedResult, openings: list[CommitmentOpening]) -> None:
    """Every input that was provided is one that the receipt names."""
    named = {each.commitment for each in outcome.receipt.inputs}
    if named != {opening.commitment for opening in openings}:
        raise ServiceError("the receipt names other inputs than were provided")


def _asked(policy: Policy) -> str:
    """Which layers of isolation a policy asks for, and which this machine does not give."""
    missing = RUNTIME_LAYERS - policy.isolation
    if not missing:
        return "all layers of isolation are asked for"
    return (
        f"of the layers of isolation this machine does not give {', '.join(sorted(missing))}, "
        "so they are not asked for: see sonora doctor"
    )
