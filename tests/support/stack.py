"""Veracruz as it runs: real processes on loopback, principals with files of their own.

A `Stack` is the trust that computations share: Tabasco and Sonora, one process each, and the
measurement of the runtime. `Stack.computation` starts a Sinaloa for one policy and gives the hands
of its principals: the library (`connect`, `attest`), the command line (`durango`) and, for what no
honest client does, the bare wire (`caller`, `raw_stream`).
"""

import json
import os
import signal
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from baja import EndpointConfig
from baja.client import ClientEndpoint
from colima import runtime
from durango import Attestation, Identity, Principal, attest
from jalisco import Connection, SinaloaTransport
from sonora.doctor import layers_of_this_host
from sonora.evidence.software import SoftwareRoot
from sonora.image.local import local_image
from support import command_server
from support.patience import PATIENCE_S
from support.processes import children, guest_of
from support.runtime_guests import HELLO
from tabasco.registry.state import StateDirectory
from veracruz import Service
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    RUNTIME_LAYERS,
    TLS_1_2_SUITES,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    CipherSuite,
    IsolationLayer,
    Limits,
    PinnedRegister,
    Policy,
    PolicyFormat,
    PolicyIdentity,
    Role,
    Strategy,
)
from veracruz_utils.policy.rendering import render_policy
from veracruz_utils.public_keys import der_of

SCRIPTS = Path(sysconfig.get_path("scripts"))
DAY = timedelta(days=1)
PI, DATA, RESULT = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER
Roles = Sequence[Role]


@cache
def runtime_layers_here() -> frozenset[IsolationLayer]:
    """What the runtime brings about by itself, as far as this host allows it."""
    return RUNTIME_LAYERS & layers_of_this_host()


def new_party(name: str = "party", *, lifetime: timedelta = DAY) -> Identity:
    """A principal: a P-256 key and a certificate that is good from now on."""
    return Identity.create(name, not_before=datetime.now(UTC), lifetime=lifetime)


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object it printed."""
        return json.loads(self.out)

    def refused(self, status: int, *words: str) -> str:
        """What it said on standard error; it failed with this status and named all of this."""
        assert self.status == status, (self.status, self.out, self.err)
        for word in words:
            assert word in self.err, (word, self.err)
        assert self.out == ""
        assert "Traceback" not in self.err
        assert "internal error" not in self.err
        return self.err

    def done(self) -> "Finished":
        """Itself; it succeeded."""
        assert self.status == 0, (self.status, self.out, self.err)
        return self


def run(
    program: str,
    *arguments: object,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    scripts: Path | None = None,
) -> Finished:
    """A command of ours as a user runs it, to its end."""
    done = subprocess.run(
        [scripts / program if scripts else command_server.script(program), *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@dataclass
class Caller:
    """A session without a client's good manners: any message, any bytes."""

    connection: Connection

    def ask(self, request: runtime.Request) -> runtime.Response:
        self.begin(request)
        return self.answer()

    def begin(self, request: runtime.Request) -> None:
        """Ask, and do not wait for the answer."""
        self.connection.send_frame(runtime.REQUEST.encode(request))

    def answer(self) -> runtime.Response:
        return runtime.RESPONSE.decode(self.connection.receive_frame(timeout_s=PATIENCE_S))

    def refusal(self, request: runtime.Request) -> runtime.Refused:
        answer = self.ask(request)
        assert isinstance(answer, runtime.Refused), answer
        return answer

    def upload(
        self, kind: runtime.ContentKind, content: bytes, package_id: int = 0
    ) -> runtime.Response:
        answer = self.ask(runtime.Upload(kind, package_id, len(content)))
        if answer != runtime.Proceed():
            return answer
        self.connection.send_content(content)
        return self.answer()

    def send_bytes(self, data: bytes) -> None:
        """Plaintext as it stands, frame or not."""
        self.connection.send_content(data)

    def ask_state(self) -> runtime.StateIs:
        found = self.ask(runtime.GetState())
        assert isinstance(found, runtime.StateIs)
        return found

    def state(self) -> runtime.ComputationState:
        return self.ask_state().state


@dataclass
class Computation:
    """One policy, the bridge that was started with it, and everybody who is in it."""

    stack: "Stack"
    policy: Policy
    parties: Sequence[Identity]
    program: bytes
    folder: Path
    sonora: Service
    bridges: ExitStack
    sinaloa: Service = field(init=False)
    front: int = field(init=False)
    """The process of the isolate's front."""

    @property
    def address(self) -> Address:
        """Where its bridge listens, which is a free port and not what the policy says."""
        return Address.parse(self.sinaloa.address)

    @property
    def tabasco_key(self) -> bytes | None:
        """What principals have to be given beside a policy of 2021."""
        return self.stack.tabasco_key if self.policy.tabasco_key is None else None

    # The library.

    def attest(self, policy: Policy | None = None, *, via: Address | None = None) -> Attestation:
        return attest(
            policy or self.policy, tabasco_key=self.tabasco_key, sinaloa=via or self.address
        )

    @contextmanager
    def connect(
        self,
        client: int | Identity,
        attestation: Attestation | None = None,
        *,
        via: Address | None = None,
        patience_s: float = 0,
    ) -> Iterator[Principal]:
        with Principal.connect(
            self.policy,
            self.party(client),
            attestation or self.attest(),
            sinaloa=via or self.address,
            timeout_s=PATIENCE_S,
            patience_s=patience_s,
        ) as principal:
            yield principal

    def send_program(self, client: int = 0) -> None:
        with self.connect(client) as author:
            assert author.send_program(self.program) == self.policy.program_digest

    def send_data(self, client: int, content: bytes, package_id: int = 0) -> None:
        with self.connect(client) as provider:
            provider.send_data(package_id, content)

    def result(self, client: int) -> bytes | None:
        with self.connect(client) as reader:
            return reader.result()[0]

    def state(self, client: int = 0) -> runtime.ComputationState:
        with self.connect(client) as principal:
            return principal.state().state

    def shut_down(self, *clients: int) -> int:
        """The exit status of the bridge, after all of these asked for shutdown."""
        for client in clients:
            with self.connect(client) as reader:
                reader.shutdown()
        return self.sinaloa.wait(PATIENCE_S)

    # The command line.

    def durango(self, command: str, *arguments: object, client: int | None = None) -> Finished:
        """`durango COMMAND POLICY ARGUMENTS`, of this client if it is one's own."""
        words = self._words(command, *arguments, client=client)
        return run("durango", *words, cwd=self.folder)

    def command(self, command: str, *arguments: object, client: int) -> list[str]:
        """The same, to be run as a process of its own."""
        return [
            str(SCRIPTS / "durango"),
            *map(str, self._words(command, *arguments, client=client)),
        ]

    def _words(self, command: str, *arguments: object, client: int | None) -> list[object]:
        where = ["--sinaloa", self.address]
        if self.tabasco_key is not None:
            where += ["--tabasco-key", self.stack.tabasco_key_file]
        who = [] if client is None else self.who(client)
        return [*command.split(), self.policy_file, *arguments, *where, *who]

    def who(self, client: int | Identity) -> list[object]:
        """The options that name a principal's files, which are written now."""
        party = self.party(client)
        name = self.folder / party.digest.short
        certificate, key = name.with_suffix(".cert.pem"), name.with_suffix(".key.pem")
        certificate.write_bytes(party.certificate_pem())
        key.touch(mode=0o600)
        key.write_bytes(party.key_pem())
        return ["--certificate", certificate, "--key", key]

    @property
    def policy_file(self) -> Path:
        return self.folder / "policy.json"

    def file(self, content: bytes, name: str = "content") -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    # The bare wire.

    @contextmanager
    def caller(self, client: int | Identity) -> Iterator[Caller]:
        """A session for whatever may be said in one."""
        party = self.party(client)
        endpoint = ClientEndpoint(
            EndpointConfig(self.policy.ciphersuite, party.private_key, party.certificate),
            server_certificate_digest=self.attest().certificate_digest,
            server_name="runtime.veracruz",
        )
        with Connection.open(self.transport(), endpoint, timeout_s=PATIENCE_S) as connection:
            yield Caller(connection)

    def transport(self) -> SinaloaTransport:
        """A stream to the isolate, for whatever bytes."""
        return SinaloaTransport(str(self.address))

    # The processes.

    def start_bridge(self, listen: str = "127.0.0.1:0", *options: str) -> None:
        """The bridge; another one, when there was one before."""
        words = ["--listen", listen, "--sonora", self.sonora.address, *options]
        bridge = Service("sinaloa", ["serve", str(self.policy_file), *words])
        self.sinaloa = self.bridges.enter_context(bridge)
        self.sinaloa.wait_ready()

    def kill_bridge(self) -> None:
        """End the bridge without a word."""
        os.kill(self.sinaloa.process_id, signal.SIGKILL)
        self.sinaloa.wait(PATIENCE_S)

    @property
    def guest(self) -> int:
        """The process of the isolate's guest."""
        return guest_of(self.front)

    def party(self, client: int | Identity) -> Identity:
        return self.parties[client] if isinstance(client, int) else client


class Stack:
    """Tabasco and Sonora in a folder, and what principals know of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._services = ExitStack()
        self._made = 0
        self.tabasco_address = Address("127.0.0.1", 0)
        self.root = SoftwareRoot.create(folder / "sonora")
        self.start_tabasco()
        self.image = local_image()
        self.measurement = self.image.measurement.value
        self.sonora = self.start_sonora()
        self.sonora.wait_ready()
        self.sonora_said = self.sonora.last_words  # before later lines push it out
        key = StateDirectory(folder / "tabasco").result_key().public_key()
        self.tabasco_key = der_of(key)
        self.tabasco_key_file = folder / "tabasco.pem"
        self.tabasco_key_file.write_text(
            run("tabasco", "public-key", "--state", folder / "tabasco").done().out
        )

    def serve(self, program: str, *arguments: object) -> Service:
        """A service that ends with the stack."""
        service = Service(program, ["serve", *map(str, arguments)])
        return self._services.enter_context(service)

    def start_tabasco(self) -> None:
        """The attestation service; once more, when it was ended, there and with all it knew."""
        self.tabasco = self.serve(
            "tabasco", "--state", self.folder / "tabasco", "--listen", self.tabasco_address,
            "--trust-root", self.root,
        )  # fmt: skip
        self.tabasco_address = Address.parse(self.tabasco.wait_ready())

    def start_sonora(self, name: str = "sonora.sock", *arguments: object) -> Service:
        """A root isolate on this socket; the stack's own unless told otherwise."""
        return self.serve(
            "sonora", "--state", self.folder / "sonora", "--tabasco", self.tabasco_address,
            "--socket", self.folder / name, "--image", self.image.folder, *arguments,
        )  # fmt: skip

    @property
    def socket(self) -> Path:
        return self.folder / "sonora.sock"

    def policy(
        self,
        members: Sequence[tuple[Identity, Roles]],
        *,
        program: bytes,
        data: Sequence[int] = (),
        streams: Sequence[int] = (),
        strategy: Strategy = Strategy.JIT,
        policy_format: PolicyFormat = PolicyFormat.CURRENT,
        suite: CipherSuite | None = None,
        limits: Limits | None = None,
        debug: bool = False,
        port: int = 3011,
        tabasco: Address | None = None,
        measurement: bytes | None = None,
        platform: str = LINUX_SOFTWARE,
        machine: Sequence[PinnedRegister] = (),
        expires_in: timedelta = DAY,
        isolation: frozenset[IsolationLayer] | None = None,
        terms: Mapping[str, object] | None = None,
    ) -> bytes:
        """A policy that this stack can serve on this host, unless told otherwise."""
        now = datetime.now(UTC)
        current = policy_format is PolicyFormat.CURRENT
        return render_policy(
            at=now,
            identities=[
                PolicyIdentity(number, party.certificate, frozenset(roles))
                for number, (party, roles) in enumerate(members)
            ],
            sinaloa=Address("127.0.0.1", port),
            tabasco=tabasco or self.tabasco_address,
            tabasco_key=self.tabasco_key if current else None,
            expires_at=now + expires_in,
            ciphersuite=suite or (TLS_1_3_SUITES if current else TLS_1_2_SUITES)[0],
            platforms=[
                AcceptedPlatform(
                    platform, frozenset({measurement or self.measurement}), tuple(machine)
                )
            ],
            data_provision_order=data,
            streaming_order=streams,
            program_digest=Digest.of(program),
            strategy=strategy,
            limits=limits,
            debug=debug,
            isolation=isolation or (runtime_layers_here() if current else None),
            terms=terms,
            policy_format=policy_format,
        )

    @contextmanager
    def computation(
        self,
        *roles: Roles,
        program: bytes,
        parties: Sequence[Identity] | None = None,
        sonora: Service | None = None,
        **terms: Any,
    ) -> Iterator[Computation]:
        """A computation of as many principals as there are lists of roles, bridge and all."""
        parties = parties or [new_party(f"party-{number}") for number in range(len(roles))]
        raw = self.policy(list(zip(parties, roles, strict=True)), program=program, **terms)
        with self.serving(raw, parties, program, sonora=sonora) as computation:
            yield computation

    @contextmanager
    def serving(
        self,
        raw: bytes,
        parties: Sequence[Identity],
        program: bytes,
        *,
        sonora: Service | None = None,
    ) -> Iterator[Computation]:
        """The computation of exactly this policy, behind a Sonora of its own if one is given."""
        sonora = sonora or self.sonora
        (zygote,) = children(sonora.process_id)
        others = children(zygote)
        self._made += 1
        folder = self.folder / f"computation-{self._made}"
        folder.mkdir()
        policy = Policy.parse(raw, at=datetime.now(UTC))
        with ExitStack() as bridges:
            computation = Computation(self, policy, parties, program, folder, sonora, bridges)
            computation.policy_file.write_bytes(raw)
            computation.start_bridge()
            (computation.front,) = set(children(zygote)) - set(others)
            yield computation

    def serve_somebody(self, *, sonora: Service | None = None) -> None:
        """A whole computation, to see that what was before it has broken nothing."""
        with self.computation([PI, RESULT], program=HELLO, sonora=sonora) as computation:
            computation.send_program()
            assert computation.result(0) == b"hello"
            assert computation.shut_down(0) == 0

    def close(self) -> None:
        """End what is left."""
        self._services.close()


def below(process_id: int) -> list[int]:
    """All processes that this one has started, and those that they have."""
    mine = children(process_id)
    return [*mine, *(other for each in mine for other in below(each))]


def session_members(session_id: int) -> list[int]:
    """The running processes of a session (setsid), wherever they are in the tree."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session_id and fields[0] not in {"Z", "X"}:
            members.append(int(entry.name))
    return members
