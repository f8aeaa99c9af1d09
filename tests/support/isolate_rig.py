"""Real isolates without services: Sonora's launcher, and principals on plain socket pairs."""

import socket
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from baja import EndpointConfig, KeyAndCertificate, make_certificate
from baja.client import ClientEndpoint
from colima import runtime
from jalisco import Connection, SessionLostError
from sonora.image.local import local_image
from sonora.image.source import RuntimeImage
from sonora.isolates import Isolate
from sonora.linux_launcher import LinuxLauncher
from support.patience import PATIENCE_S
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    Address,
    Limits,
    Policy,
    PolicyIdentity,
    Role,
    Strategy,
    ciphersuite_named,
)
from veracruz_utils.policy.rendering import render_policy

_TABASCO_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)


def new_party(name: str, *, days: float = 1) -> KeyAndCertificate:
    now = datetime.now(UTC)
    return make_certificate(
        name=name, not_before=now - timedelta(hours=1), not_after=now + timedelta(days=days)
    )


ONE_ATTEMPT: dict[str, object] = {"rounds": 1000, "attempts": 1}
"""What a policy here says unless a test has it say something else."""


class SocketTransport:
    """`jalisco.Transport` over a socket of a pair."""

    peer = "the isolate"

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.send_timeout_s = PATIENCE_S

    def send(self, data: bytes) -> None:
        self.channel.settimeout(self.send_timeout_s)
        try:
            self.channel.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise SessionLostError("the isolate is gone") from error

    def receive(self, timeout_s: float) -> bytes:
        self.channel.settimeout(max(timeout_s, 0.001))
        try:
            return self.channel.recv(2**20)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self.channel.close()


@dataclass
class Caller:
    """A principal in a session."""

    connection: Connection

    def ask(self, request: runtime.Request, *, timeout_s: float = PATIENCE_S) -> runtime.Response:
        self.connection.send_frame(runtime.REQUEST.encode(request))
        return self.next_answer(timeout_s=timeout_s)

    def next_answer(self, *, timeout_s: float = PATIENCE_S) -> runtime.Response:
        payload = self.connection.receive_frame(timeout_s=timeout_s, limit=2**20)
        return runtime.RESPONSE.decode(payload)

    def begin_upload(
        self, kind: runtime.ContentKind, size: int, package_id: int = 0, digest: bytes = b""
    ) -> runtime.Response:
        return self.ask(runtime.Upload(kind, package_id, size, digest))

    def upload(
        self,
        kind: runtime.ContentKind,
        content: bytes,
        package_id: int = 0,
        *,
        replace: bool = False,
    ) -> runtime.Response:
        answer = self.ask(runtime.Upload(kind, package_id, len(content), replace=replace))
        if answer != runtime.Proceed():
            return answer
        self.connection.send_content(content)
        return self.next_answer()

    def program(self, module: bytes) -> runtime.Response:
        return self.upload(runtime.ContentKind.PROGRAM, module)

    def data(self, content: bytes, package_id: int = 0) -> runtime.Response:
        return self.upload(runtime.ContentKind.DATA, content, package_id)

    def stream(self, content: bytes, package_id: int = 0) -> runtime.Response:
        return self.upload(runtime.ContentKind.STREAM, content, package_id)

    def result(self, *, timeout_s: float = PATIENCE_S) -> tuple[runtime.Response, bytes]:
        answer = self.ask(runtime.GetResult(), timeout_s=timeout_s)
        return answer, self.content_of(answer)

    def content_of(self, answer: runtime.Response) -> bytes:
        if not isinstance(answer, runtime.ResultIs):
            return b""
        size = answer.size - answer.offset
        return b"".join(self.connection.receive_content(size, timeout_s=PATIENCE_S))

    def standing(self) -> runtime.StateIs:
        answer = self.ask(runtime.GetState())
        assert isinstance(answer, runtime.StateIs)
        return answer

    def stands_in(self) -> tuple[runtime.ComputationState, int, bool]:
        """The state, the round, and whether a run is under way."""
        answer = self.standing()
        return answer.state, answer.round, answer.running

    def state(self) -> runtime.ComputationState:
        return self.standing().state


class Rig:
    """One isolate and whoever talks to it."""

    def __init__(self, launched: Isolate, policy: Policy, parties: Sequence[KeyAndCertificate]):
        self.isolate = launched
        self.policy = policy
        self.parties = parties

    def raw_session(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.isolate.control, [b"\0"], [theirs.fileno()])
        return ours

    def endpoint(self, party: KeyAndCertificate) -> ClientEndpoint:
        config = EndpointConfig(self.policy.ciphersuite, party.private_key, party.certificate)
        digest = Digest(self.isolate.certificate_digest)
        return ClientEndpoint(
            config, server_certificate_digest=digest, server_name="runtime.veracruz"
        )

    @contextmanager
    def session(self, party: int | KeyAndCertificate):
        who = self.parties[party] if isinstance(party, int) else party
        transport = SocketTransport(self.raw_session())
        with Connection.open(transport, self.endpoint(who), timeout_s=PATIENCE_S) as connection:
            yield Caller(connection)


class RigMaker:
    """Launches isolates for policies made to order."""

    def __init__(self, image: RuntimeImage | None = None, **settings: float) -> None:
        self.image = image or local_image()
        self.launcher = LinuxLauncher(self.image, **settings)

    def policy(
        self,
        parties: Sequence[tuple[KeyAndCertificate, Sequence[Role]]],
        *,
        program: bytes,
        data: Sequence[int] = (),
        streams: Sequence[int] = (),
        strategy: Strategy = Strategy.JIT,
        limits: Limits | None = None,
        ciphersuite: str = "TLS_AES_256_GCM_SHA384",
        expires_in: timedelta = timedelta(days=1),
        debug: bool = False,
        terms: Mapping[str, object] | None = None,
    ) -> bytes:
        now = datetime.now(UTC).replace(microsecond=0)
        return render_policy(
            identities=[
                PolicyIdentity(number, party.certificate, frozenset(roles))
                for number, (party, roles) in enumerate(parties)
            ],
            at=now,
            sinaloa=Address("127.0.0.1", 3011),
            tabasco=Address("127.0.0.1", 3010),
            tabasco_key=_TABASCO_KEY,
            expires_at=now + expires_in,
            ciphersuite=ciphersuite_named(ciphersuite, TLS_1_3_SUITES),
            platforms=[AcceptedPlatform(LINUX_SOFTWARE, frozenset({self.launcher.measurement}))],
            data_provision_order=tuple(data),
            streaming_order=tuple(streams),
            program_digest=Digest.of(program),
            strategy=strategy,
            limits=limits or Limits(),
            debug=debug,
            terms=ONE_ATTEMPT | (terms or {}),
        )

    @contextmanager
    def launch(self, policy: bytes, parties: Sequence[KeyAndCertificate]):
        launched = self.launcher.launch(policy)
        try:
            yield Rig(launched, Policy.parse(policy, at=datetime.now(UTC)), parties)
        finally:
            launched.close()

    @contextmanager
    def computation(self, roles: Sequence[Sequence[Role]], **terms):
        """An isolate for as many new parties as there are lists of roles."""
        parties = [new_party(f"party-{number}") for number in range(len(roles))]
        policy = self.policy(list(zip(parties, roles, strict=True)), **terms)
        with self.launch(policy, parties) as rig:
            yield rig

    def close(self) -> None:
        self.launcher.close()
