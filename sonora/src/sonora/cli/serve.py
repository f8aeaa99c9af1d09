"""`sonora serve`: its options, and from what it is put together."""

import contextlib
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from colima import tabasco
from sonora.bridge_access import BridgeAccess
from sonora.cli.options import image_option, state_option
from sonora.cli.serving import (
    bridge_of,
    core_of,
    enrolled_key,
    kept_enrolment,
    serve_health,
    serving,
    source_as,
    warn_of_root,
)
from sonora.doctor import layers_of_this_host
from sonora.enrolment import enrol
from sonora.enrolment_watch import CHECK_INTERVAL_S, EnrolmentWatch, question
from sonora.errors import SonoraError
from sonora.evidence import SOURCES, SourceSettings, source_named
from sonora.evidence.tpm.options import tpm_options
from sonora.evidence.tpm.source import TpmSettings
from sonora.image.launch import START_S
from sonora.image.source import find_image
from sonora.kept_cores import FOLDER, KeptCores
from sonora.linux_launcher import ISOLATE_START_S, LinuxLauncher
from sonora.metrics import CORES_WAITING, ENROLMENT, METRICS
from sonora.prepared_code import MAX_CORES
from sonora.server import BridgeSocket, Sonora, SonoraServer
from sonora.users import find_group, find_user, own_user
from veracruz_shells.channels import open_channel, unary
from veracruz_shells.console import (
    ADDRESS,
    json_option,
    log_option,
)
from veracruz_shells.listening import allow_open_files
from veracruz_shells.metrics import Look
from veracruz_shells.metrics_endpoint import MetricsEndpoint, metrics_option
from veracruz_shells.option_names import NamedOption
from veracruz_shells.service import GrpcService
from veracruz_shells.settings import ServiceCommand
from veracruz_shells.tls_files import client_files
from veracruz_shells.trace_export import Tracing, traces_option
from veracruz_utils.address import Address
from veracruz_utils.policy import RUNTIME_LAYERS, IsolationLayer

_TABASCO_TIMEOUT_S: Final = 20.0


@click.command(cls=ServiceCommand)
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
    cores = [core_of(file) for file in prepared]
    if bridge_user is not None and bridge_group is not None:
        raise click.UsageError("give --bridge-user or --bridge-group, not both")
    owner = own_user() if user is None else find_user(user)
    access = BridgeAccess(
        owner,
        user=None if bridge_user is None else find_user(bridge_user),
        group=None if bridge_group is None else find_group(bridge_group),
    )
    path = socket_path or state / "sonora.sock"
    warnings = warn_of_root(owner)
    allow_open_files()
    with contextlib.ExitStack() as stack:
        settings = SourceSettings(state, tpm)
        source = None if user else source_named(evidence, settings)
        door = stack.enter_context(contextlib.closing(BridgeSocket(path, access)))
        source = source or source_as(owner, evidence, settings)
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
        enrolled = enrolled_key(renew, kept_enrolment(evidence, state), patience_s=patience)
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
            "bridge": bridge_of(access),
            "layers": sorted(layers),
            "layers_missing": sorted(set(IsolationLayer) - layers),
            "warnings": warnings,
        }
        with serving(SonoraServer(door, sonora)) as server:
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
                lost = serve_health(service, launcher, server, facts, layers, as_json=as_json)
    if lost:
        raise SonoraError("the zygote ended unexpectedly, and all isolates with it; start again")
