"""The adversaries: each tries one thing for real, and tells by whose words it was noticed.

Each has what it would have in life: an own machine between the principals and the isolate, a
certificate, a member's key, a bridge. None has a principal's library do what that refuses to do.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from baja import EndpointConfig
from baja.client import ClientEndpoint
from colima import encode, runtime
from colima import sinaloa as bridge
from colima.runtime import ContentKind, RefusalReason
from durango import (
    Attestation,
    GateError,
    Identity,
    Principal,
    RefusedError,
    SessionError,
    TransportKind,
    UnreachableError,
    attest,
)
from durango.principal import SERVER_NAME
from durango.refusals import describe_refusal
from jalisco import Connection, IsolateRefusedError, SinaloaTransport
from sonora.image.source import RuntimeImage
from veracruz.local import LocalServices
from veracruz.simulation.dishonesty import lying_bridge, tamperer
from veracruz.simulation.report import Noticed
from veracruz.simulation.stand_in import StandIn
from veracruz_image import MANIFEST, ROOT, Manifest, found_in, open_folder
from veracruz_shells.channels import open_channel, unary
from veracruz_shells.grpc_setup import grpc
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import PROGRAM_SENDERS, Policy

_ANSWER_S: Final = 30.0
_DAY: Final = timedelta(days=1)
_EMPTY_SECTION: Final = b"\x00\x02\x01x"
"""A custom section that means nothing: with it a module does the same, and is another one."""


@frozen
class Scene:
    """Where an adversary finds itself.

    Attributes:
        services: what runs on this machine.
        stand_in: the policy, and everybody's identity.
        bulk: where the bridge takes sessions over bare TCP.
        attestation: of the honest isolate, which everybody can have.
        program: the program that was agreed on.
    """

    services: LocalServices
    stand_in: StandIn
    bulk: Address
    attestation: Attestation
    program: bytes = field(repr=False)

    @property
    def policy(self) -> Policy:
        """The policy that is simulated."""
        return self.stand_in.policy

    @property
    def author(self) -> tuple[str, Identity]:
        """The program's provider, by name."""
        (author,) = (each for each in self.policy.identities if each.roles & PROGRAM_SENDERS)
        return author.label, self.stand_in.parties[author.client_id]


@frozen
class Adversary:
    """One of them.

    Attributes:
        did: what it does, in a sentence.
        attempt: does it; who noticed, nobody if it went through.
    """

    did: str
    attempt: Callable[[Scene], tuple[Noticed, ...]]


def _tampering_bridge(scene: Scene) -> tuple[Noticed, ...]:
    """A byte in each direction: of a request, and of an answer."""
    name, identity = scene.author
    found = []
    for upward in (True, False):
        with (
            tamperer(scene.bulk) as way,
            Principal.connect(
                scene.policy,
                identity,
                scene.attestation,
                transport=TransportKind.TCP,
                bulk=way.address,
                patience_s=0,
            ) as principal,
        ):
            principal.state()  # all is well so far
            way.alter_next(upward=upward)
            try:
                principal.state()
            except SessionError as error:
                if isinstance(error, UnreachableError):
                    return ()  # it broke, which says nothing of who noticed
                who = "the isolate" if upward else name
                found.append(Noticed(who, "the integrity of TLS records", str(error)))
            else:
                return ()
    return tuple(found)


def _stranger(scene: Scene) -> tuple[Noticed, ...]:
    stranger = Identity.create("stranger", not_before=datetime.now(UTC), lifetime=_DAY)
    try:
        with _session(scene, stranger) as connection:
            _ask(connection, runtime.GetState())
    except IsolateRefusedError as error:
        return (Noticed("the isolate", "the client's certificate", str(error)),)
    return ()


def _other_program(scene: Scene) -> tuple[Noticed, ...]:
    name, author = scene.author
    other = scene.program + _EMPTY_SECTION
    found = []
    with Principal.connect(scene.policy, author, scene.attestation) as principal:
        try:
            principal.send_program(other)
        except RefusedError as error:
            found.append(Noticed(f"{name}'s own client", "the program's digest", str(error)))
    request = runtime.Upload(ContentKind.PROGRAM, 0, len(other), Digest.of(other).value)
    with _session(scene, author) as connection:
        answer = _ask(connection, request)
    if not isinstance(answer, runtime.Refused) or answer.reason is not RefusalReason.WRONG_PROGRAM:
        return ()
    words = describe_refusal("program", answer)
    return (*found, Noticed("the isolate", "the program's digest", words))


def _stale_attestation(scene: Scene) -> tuple[Noticed, ...]:
    old = encode(bridge.AttestResponse(scene.attestation.evidence.token))
    with lying_bridge(lambda _: old) as address:
        return _attested_by(scene, address)


def _other_policy(scene: Scene) -> tuple[Noticed, ...]:
    """An isolate of a policy with one byte more, behind a bridge that hides it."""
    other = Policy.parse(scene.policy.raw + b"\n", at=None)
    service = scene.services.start_bridge(other, "--listen", "127.0.0.1:0")
    try:
        with (
            open_channel(service.address) as channel,
            lying_bridge(lambda asked: _forwarded(channel, asked, other)) as address,
        ):
            return _attested_by(scene, address)
    finally:
        service.stop()


def _other_runtime(scene: Scene) -> tuple[Noticed, ...]:
    """The delegate's own Sonora launches an isolate out of an image with one more line in it.

    It measures what it launches and says so, as it is the one that it is: to lie, the delegate
    would change Sonora, which on a software root nothing stands against.
    """
    services = scene.services
    with tempfile.TemporaryDirectory(dir=services.folder) as folder:
        image = _altered(services.image, Path(folder) / "image")
        sonora = services.start_sonora(image, name="other")
        try:
            service = services.start_bridge(scene.policy, "--listen", "127.0.0.1:0", sonora="other")
            try:
                return _attested_by(scene, Address.parse(service.address))
            finally:
                service.stop()
        finally:
            sonora.stop()


def _altered(image: RuntimeImage, folder: Path) -> RuntimeImage:
    """A copy of an image with a comment more in the runtime's first module."""
    shutil.copytree(image.folder, folder, symlinks=True)
    (module,) = (folder / ROOT).glob("usr/lib/python3.*/site-packages/mexico_city/__init__.py")
    module.write_bytes(module.read_bytes() + b"# And what else somebody wants.\n")
    with open_folder(folder / ROOT) as root:
        manifest = Manifest.of(found_in(root))
    (folder / MANIFEST).write_bytes(manifest.text)
    return RuntimeImage(folder, manifest)


def _forwarded(channel: grpc.Channel, asked: bytes, policy: Policy) -> bytes:
    """The answer to a principal's challenge, of the isolate of another policy than it means."""
    return unary(
        channel,
        f"/{bridge.SERVICE}/Attest",
        asked,
        timeout_s=_ANSWER_S,
        peer="the other bridge",
        metadata={bridge.POLICY_KEY: str(policy.digest)},
    )


def _attested_by(scene: Scene, address: Address) -> tuple[Noticed, ...]:
    """What a principal finds out who attests the isolate behind a bridge that lies."""
    name, _ = scene.author
    try:
        attest(scene.policy, sinaloa=address)
    except GateError as error:
        return (Noticed(f"{name}'s own client", error.check, str(error)),)
    except RefusedError as error:
        return (Noticed("the attestation service", "the token", str(error)),)
    return ()


@contextmanager
def _session(scene: Scene, identity: Identity) -> Iterator[Connection]:
    """A session without a client's good manners."""
    endpoint = ClientEndpoint(
        EndpointConfig(scene.policy.ciphersuite, identity.private_key, identity.certificate),
        server_certificate_digest=scene.attestation.certificate_digest,
        server_name=SERVER_NAME,
    )
    way = SinaloaTransport(str(scene.policy.sinaloa), policy=str(scene.policy.digest))
    with Connection.open(way, endpoint, timeout_s=_ANSWER_S) as connection:
        yield connection


def _ask(connection: Connection, request: runtime.Request) -> runtime.Response:
    connection.send_frame(runtime.REQUEST.encode(request))
    return runtime.RESPONSE.decode(connection.receive_frame(timeout_s=_ANSWER_S))


ADVERSARIES: Final[Mapping[str, Adversary]] = {
    "tampering-bridge": Adversary(
        "a bridge flips one bit of a request, and one of an answer, inside a session",
        _tampering_bridge,
    ),
    "stranger": Adversary(
        "somebody with a certificate that the policy does not have opens a session", _stranger
    ),
    "other-program": Adversary(
        "the program's provider sends another program than was agreed on", _other_program
    ),
    "stale-attestation": Adversary(
        "a bridge answers a fresh challenge with an earlier token", _stale_attestation
    ),
    "other-runtime": Adversary(
        "the delegate launches the isolate out of a runtime image with a line more in it",
        _other_runtime,
    ),
    "other-policy": Adversary(
        "a bridge hands out an isolate whose policy is another one", _other_policy
    ),
}
"""By the names that `--adversary` takes."""
