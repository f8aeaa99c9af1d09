"""The `sonora` command: make a root, measure the runtime, serve bridges."""

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterator
from functools import partial
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Final

import click

from colima import tabasco
from colima.isolate import MAX_CORE_BYTES
from execution_engine.author_part import parts_of
from execution_engine.errors import EngineError
from execution_engine.static_limits import is_component
from sonora.bridge_access import BridgeAccess
from sonora.doctor import diagnose, layers_of_this_host
from sonora.enrolled_key import EnrolledKey, enrol_with_retry
from sonora.enrolment import OwnEnrolment, enrol
from sonora.enrolment_watch import CHECK_INTERVAL_S, EnrolmentWatch, question
from sonora.errors import SonoraError
from sonora.evidence import SOURCES, EvidenceSource, SourceSettings, source_named
from sonora.evidence.software import SoftwareRoot
from sonora.evidence.tpm.options import tpm_options
from sonora.evidence.tpm.source import TpmSettings
from sonora.image.commands import image
from sonora.image.launch import START_S
from sonora.image.source import find_image
from sonora.kept_cores import FOLDER, KeptCores
from sonora.linux_launcher import ISOLATE_START_S, LinuxLauncher
from sonora.metrics import CORES_WAITING, ENROLMENT, METRICS
from sonora.prepared_code import MAX_CORES
from sonora.process import protect_this_process
from sonora.sealing import FILE, GramineSealer, SealedEnrolment
from sonora.server import BridgeSocket, Sonora, SonoraServer
from sonora.users import ROOT, User, become, find_group, find_user, own_user, require_owned
from veracruz_image import verify_image
from veracruz_shells.channels import open_channel, unary
from veracruz_shells.console import (
    ADDRESS,
    emit,
    json_option,
    log_option,
    note,
    read_file,
)
from veracruz_shells.listening import allow_open_files
from veracruz_shells.metrics import Look
from veracruz_shells.metrics_endpoint import MetricsEndpoint, metrics_option
from veracruz_shells.option_names import NamedOption
from veracruz_shells.service import GrpcService
from veracruz_shells.settings import ServiceCommand, service_group
from veracruz_shells.tls_files import client_files
from veracruz_shells.trace_export import Tracing, traces_option
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.key_files import p256_key_of_pem
from veracruz_utils.policy import LINUX_SOFTWARE, RUNTIME_LAYERS, IsolationLayer
from veracruz_utils.public_keys import der_of

_LOG: Final = logging.getLogger(__name__)
_TABASCO_TIMEOUT_S: Final = 20.0
_MAX_KEY_BYTES: Final = 4096
_WARNING: Final = (
    f"platform {LINUX_SOFTWARE}: a software root of trust, "
    "no protection from whoever owns or administers this machine"
)

_ROOT_WARNING: Final = (
    "SONORA RUNS AS ROOT. A flaw in what an isolate runs, or in Sonora, is",
    "then the end of this whole machine. Make a user for it, give it --state,",
    "and start it with --user NAME (and the bridge with --bridge-user NAME).",
)

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sonora"),
    show_default=True,
    help="Folder of the software root's key.",
)
image_option = click.option(
    "--image",
    "image_path",
    cls=NamedOption,
    type=click.Path(path_type=Path, exists=True),
    envvar="SONORA_IMAGE",
    metavar="FOLDER|FILE",
    help="The runtime image that isolates run from.  [default: the installed release's]",
)


@service_group(
    "sonora",
    distribution="veracruz-sonora",
    help="Measure, launch and vouch for the runtimes of Veracruz on this machine.",
)
def main() -> None:
    """Be the group of the commands below."""
    # Of all commands, and before any of them reads a key.
    protect_this_process()


main.add_command(image)
for _found in entry_points(group="sonora.commands"):
    # Of distributions of their own: `machine`.
    main.add_command(_found.load())


@main.command()
@state_option
@json_option
def init(state: Path, *, as_json: bool) -> None:
    """Make the key of a software root of trust.

    Give the file with its public half to Tabasco's operator, who registers it
    (`tabasco root add`, or `tabasco serve --trust-root`).
    """
    public_key = SoftwareRoot.create(state)
    key = p256_key_of_pem(read_file(public_key, limit=_MAX_KEY_BYTES, what="public key"))
    fingerprint = Digest.of(der_of(key))
    facts = {"public_key": public_key, "platform": LINUX_SOFTWARE, "fingerprint": fingerprint}
    emit(facts, str(public_key), as_json=as_json)
    note(
        f"fingerprint {fingerprint}: tell it to Tabasco's operator by another way than the file; "
        "`tabasco root add` says it again"
    )
    note(_WARNING)


@main.command()
@image_option
@json_option
def measure(image_path: Path | None, *, as_json: bool) -> None:
    """Print the measurement of the runtime image, which policies pin.

    It is the digest of the image's manifest, which names every file that an isolate can load. The
    image is held against its manifest first.
    """
    measurement = verify_image(find_image(image_path).folder).measurement
    value = {"platform": LINUX_SOFTWARE, "measurement": measurement}
    emit(value, str(measurement), as_json=as_json)


@main.command()
@image_option
@tpm_options
@json_option
@click.pass_context
def doctor(
    context: click.Context, *, image_path: Path | None, tpm: TpmSettings, as_json: bool
) -> None:
    """Say which layers of isolation this host gives, and what else Sonora needs.

    Each thing is tried, in a process that ends with the attempt. Exit status 1 if something is
    missing that policies with the default terms require.
    """
    diagnosis = diagnose(image_path, tpm)
    emit(diagnosis.as_json(), diagnosis.as_text(), as_json=as_json)
    context.exit(0 if diagnosis.complete else 1)


@main.command(cls=ServiceCommand)
@state_option
@click.option(
    "--tabasco",
    "tabasco_address",
    cls=NamedOption,
    type=ADDRESS,
    default="127.0.0.1:3010",
    show_default=True,
    metavar="HOST:PORT",
    help="The attestation service to enrol with.",
)
@click.option(
    "--tabasco-ca",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.pem",
    help="Speak TLS with the attestation service, whose certificate comes from these authorities.",
)
@click.option(
    "--tabasco-client-certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.pem",
    help="Certificate chain to show to the attestation service, if it asks for one.",
)
@click.option(
    "--tabasco-client-key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.pem",
    help="That certificate's private key.",
)
@click.option(
    "--socket",
    "socket_path",
    cls=NamedOption,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Unix socket for bridges.  [default: sonora.sock in --state]",
)
@click.option(
    "--user",
    metavar="NAME|UID|UID:GID",
    help="Give up root and run as this user; for a Sonora that root starts.",
)
@click.option(
    "--bridge-user",
    metavar="NAME|UID|UID:GID",
    help="Let this user connect to the socket, besides the user that Sonora runs as.",
)
@click.option(
    "--bridge-group",
    metavar="NAME|GID",
    help="Let the members of this group connect, instead of one user.",
)
@click.option(
    "--listen",
    type=ADDRESS,
    default="127.0.0.1:0",
    show_default=True,
    metavar="HOST:PORT",
    help="Address of the gRPC health service; port 0 takes a free one.",
)
@click.option(
    "--evidence",
    type=click.Choice(list(SOURCES)),
    default="software",
    show_default=True,
    help="What vouches for this machine: a software root (no protection from its owner), "
    "Gramine-SGX, Linux configfs-tsm (SEV-SNP, TDX, CCA), AWS NSM, or a TPM.",
)
@tpm_options
@image_option
@click.option(
    "--prepare",
    "prepared",
    cls=NamedOption,
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="PROGRAM.wasm",
    help="Compile the interpreter that this program begins with, while nobody waits; for all "
    "programs that begin with it. May be repeated.",
)
@click.option(
    "--kept-cores",
    type=click.IntRange(0, MAX_CORES),
    default=MAX_CORES,
    show_default=True,
    help="How many interpreters of programs that ran are kept in --state, to be compiled again "
    "after a restart while nobody waits; 0 keeps none and removes what was kept.",
)
@click.option(
    "--patience",
    type=click.IntRange(0, 3600),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long to try while Tabasco cannot be reached at the start.",
)
@click.option(
    "--zygote-start",
    type=click.IntRange(1, 3600),
    default=int(START_S),
    show_default=True,
    metavar="SECONDS",
    help="How long the image's copy, and then the loading of the runtime, may take at the start; "
    "emulated machines need more.",
)
@click.option(
    "--isolate-start",
    type=click.IntRange(1, 3600),
    default=int(ISOLATE_START_S),
    show_default=True,
    metavar="SECONDS",
    help="How long an isolate may take from its fork until it has answered Sonora's challenge; a "
    "bridge is to wait longer (sinaloa serve --launch-timeout).",
)
@click.option(
    "--check-interval",
    type=click.IntRange(1, 3600),
    default=CHECK_INTERVAL_S,
    show_default=True,
    metavar="SECONDS",
    help="How often Tabasco is asked whether it still believes this machine; if not, it enrols "
    "anew.",
)
@metrics_option
@traces_option
@log_option
@json_option
def serve(
    *,
    state: Path,
    tabasco_address: Address,
    tabasco_ca: Path | None,
    tabasco_client_certificate: Path | None,
    tabasco_client_key: Path | None,
    socket_path: Path | None,
    user: str | None,
    bridge_user: str | None,
    bridge_group: str | None,
    listen: Address,
    evidence: str,
    tpm: TpmSettings,
    image_path: Path | None,
    prepared: tuple[Path, ...],
    kept_cores: int,
    patience: int,
    zygote_start: int,
    isolate_start: int,
    check_interval: int,
    metrics: Address | None,
    traces: str | None,
    as_json: bool,
) -> None:
    """Enrol with Tabasco, then launch and vouch for isolates until SIGTERM.

    --evidence says what vouches for this machine: a software root's key in a file, or the
    evidence of hardware. A source that is not there is an error; there is no fallback.

    Run Sonora and the bridge as two users: --bridge-user or --bridge-group lets the bridge in. Who
    has Sonora's own user id has its isolates.
    """
    cores = [_core_of(file) for file in prepared]
    if bridge_user is not None and bridge_group is not None:
        raise click.UsageError("give --bridge-user or --bridge-group, not both")
    owner = own_user() if user is None else find_user(user)
    access = BridgeAccess(
        owner,
        user=None if bridge_user is None else find_user(bridge_user),
        group=None if bridge_group is None else find_group(bridge_group),
    )
    path = socket_path or state / "sonora.sock"
    warnings = _warn_of_root(owner)
    allow_open_files()
    with contextlib.ExitStack() as stack:
        settings = SourceSettings(state, tpm)
        source = None if user else source_named(evidence, settings)
        door = stack.enter_context(contextlib.closing(BridgeSocket(path, access)))
        source = source or _source_as(owner, evidence, settings)
        # While this process has one thread: each layer is tried in a fork of it.
        layers = layers_of_this_host() & RUNTIME_LAYERS
        if access.separate:
            layers |= {IsolationLayer.SEPARATE_USER}
        runtime = find_image(image_path)
        launcher = stack.enter_context(
            contextlib.closing(
                LinuxLauncher(
                    runtime,
                    source.platform,
                    given=layers,
                    start_s=zygote_start,
                    isolate_start_s=isolate_start,
                    kept=KeptCores(state / FOLDER, kept_cores),
                )
            )
        )
        layers |= launcher.layers
        # Not before: it has a thread, and connects as who serves.
        stack.enter_context(Tracing(traces, service="sonora"))
        tls = client_files(tabasco_ca, tabasco_client_certificate, tabasco_client_key)
        channel = stack.enter_context(
            contextlib.closing(open_channel(str(tabasco_address), tls=tls))
        )

        def call(method: str, request: bytes) -> bytes:
            return unary(
                channel,
                f"/{tabasco.SERVICE}/{method}",
                request,
                timeout_s=_TABASCO_TIMEOUT_S,
                peer=f"tabasco at {tabasco_address}",
            )

        renew = partial(enrol, call, source)
        enrolled = _enrolled(renew, _kept(evidence, state), patience_s=patience)
        runtime_version = version("veracruz-mexico-city")
        sonora = Sonora(launcher, enrolled, version=runtime_version)
        ask = question(
            call,
            platform=launcher.platform,
            measurement=launcher.measurement,
            version=runtime_version,
        )
        watch = EnrolmentWatch(enrolled, ask, interval_s=check_interval)
        facts: dict[str, object] = {
            "socket": path,
            "platform": launcher.platform,
            "measurement": launcher.measurement,
            "instance_id": enrolled.instance_id,
            "user": owner.name,
            "bridge": _bridge_of(access),
            "layers": sorted(layers),
            "layers_missing": sorted(set(IsolationLayer) - layers),
            "warnings": warnings,
        }
        with _serving(SonoraServer(door, sonora)) as server:
            watch.start()
            for core in cores:
                launcher.prepare(core)
            launcher.prepare_kept()
            stack.callback(watch.stop)
            looks: dict[str, Look] = {
                **server.looks,
                ENROLMENT.name: lambda: {(enrolled.state.value,): 1},
                CORES_WAITING.name: lambda: {(): launcher.cores_waiting},
            }
            with GrpcService(listen, unary={}) as service:
                looks |= service.looks
                endpoint = stack.enter_context(
                    MetricsEndpoint(metrics, METRICS, looks, service="sonora")
                )
                facts |= endpoint.facts
                lost = _serve_health(service, launcher, server, facts, layers, as_json=as_json)
    if lost:
        raise SonoraError("the zygote ended unexpectedly, and all isolates with it; start again")


def _core_of(file: Path) -> bytes:
    """The core that a program begins with, or is."""
    program = read_file(file, limit=MAX_CORE_BYTES, what="program")
    if not is_component(program):
        raise SonoraError(f"{file} cannot be prepared: give a program in Python, or its core")
    try:
        return program[: parts_of(program).core_bytes]
    except EngineError as error:
        raise SonoraError(f"{file} cannot be prepared: {error}") from None


def _warn_of_root(owner: User) -> list[str]:
    if owner.uid != ROOT:
        return []
    note("\n".join(["", "*" * 72, *(f"*  {line}" for line in _ROOT_WARNING), "*" * 72, ""]))
    return [" ".join(_ROOT_WARNING)]


def _source_as(owner: User, evidence: str, settings: SourceSettings) -> EvidenceSource:
    """The source of evidence; root is given up for `owner` when this returns."""
    require_owned(settings.state, owner)
    # Devices are opened while we may; a key in a file has to be the new user's own.
    opened = None if evidence == "software" else source_named(evidence, settings)
    become(owner)
    return opened or source_named(evidence, settings)


def _layers_in_words(layers: Collection[IsolationLayer]) -> str:
    missing = sorted(set(IsolationLayer) - set(layers))
    told = f"layers of isolation in force: {', '.join(sorted(layers)) or 'none'}"
    return f"{told}; not: {', '.join(missing)} (see: sonora doctor)" if missing else told


def _bridge_of(access: BridgeAccess) -> dict[str, object]:
    """Who may connect besides Sonora's own user, for programs."""
    return {
        "user": access.user.name if access.user else None,
        "group": access.group,
        "separate": access.separate,
    }


def _kept(evidence: str, state: Path) -> SealedEnrolment | None:
    """Where an enrolment outlives a restart: on a platform that seals, and nowhere else."""
    return SealedEnrolment(state / FILE, GramineSealer()) if evidence == "gramine" else None


def _enrolled(
    renew: Callable[[], OwnEnrolment], kept: SealedEnrolment | None, *, patience_s: float
) -> EnrolledKey:
    if kept is None:
        return EnrolledKey(renew, first=partial(enrol_with_retry, renew, patience_s=patience_s))
    return EnrolledKey(
        lambda: kept.keep(renew()),
        first=lambda: kept.resume() or kept.keep(enrol_with_retry(renew, patience_s=patience_s)),
    )


@contextlib.contextmanager
def _serving(server: SonoraServer) -> Iterator[SonoraServer]:
    thread = threading.Thread(target=server.serve_forever, name="sonora", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def _serve_health(
    service: GrpcService,
    launcher: LinuxLauncher,
    server: SonoraServer,
    facts: dict[str, object],
    layers: Collection[IsolationLayer],
    *,
    as_json: bool,
) -> bool:
    """Serve health until a signal; whether the zygote was lost instead."""
    lost = threading.Event()

    def zygote_lost() -> None:
        lost.set()
        service.stop()

    def ready() -> None:
        if launcher.platform == LINUX_SOFTWARE:
            note(f"sonora: {_WARNING}")
        note(f"sonora: {_layers_in_words(layers)}")
        note(
            f"sonora: ready on {facts['socket']}, health on {service.address}",
            socket=str(facts["socket"]),
            address=service.address,
        )
        if as_json:
            emit({"ready": True, "health": service.address, **facts}, "", as_json=True)

    launcher.on_lost = zygote_lost
    service.serve_until_signalled(ready, on_stopping=server.shutdown)
    return lost.is_set()
