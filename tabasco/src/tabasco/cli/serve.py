"""The command `tabasco serve`."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from tabasco.cli.collateral import warn_of_stale
from tabasco.cli.options import (
    challenge_key_in,
    current_time,
    database_option,
    database_url_of,
    seconds_option,
    state_option,
    store_option,
)
from tabasco.cli.roots import root_in
from tabasco.cli.serve_counts import counts_written
from tabasco.cli.serve_http import http_service
from tabasco.cli.serve_tls import tls_options, warn_of_plain_text
from tabasco.collateral import Store, StoredCollateral
from tabasco.errors import TabascoError
from tabasco.grpc.methods import LIMITS, bounded, methods_of
from tabasco.metrics import CONNECTIONS, METRICS, READY
from tabasco.registry.audit import AuditLog
from tabasco.registry.database import Database
from tabasco.registry.roots import Roots
from tabasco.registry.state import DEFAULT_TENANT, StateDirectory
from tabasco.registry.tenants import challenge_key_of, tenants_of
from tabasco.service.attestation import AttestationService, Settings
from tabasco.service.steady_clock import SteadyClock
from veracruz_shells.console import ADDRESS, emit, json_option, log_option, note
from veracruz_shells.listening import allow_open_files
from veracruz_shells.metrics import Look
from veracruz_shells.metrics_endpoint import MetricsEndpoint, metrics_option
from veracruz_shells.option_names import NamedOption
from veracruz_shells.refusal_quota import REFUSALS_OF_PEER, RefusalQuota
from veracruz_shells.server_tls import ServerTls
from veracruz_shells.service import GrpcService
from veracruz_shells.settings import ServiceCommand
from veracruz_shells.tls_files import ServerFiles
from veracruz_shells.trace_export import Tracing, traces_option
from veracruz_utils.address import Address
from veracruz_utils.frozen import frozen
from veracruz_utils.secret import Secret

DISTRIBUTION: Final = "veracruz-tabasco"
_DEFAULTS: Final = Settings()
_PEM: Final = click.Path(path_type=Path, dir_okay=False)


@click.command("serve", cls=ServiceCommand)
@click.option(
    "--listen",
    type=ADDRESS,
    default="127.0.0.1:3010",
    show_default=True,
    metavar="HOST:PORT",
    help="Address to listen on; port 0 takes a free one.",
)
@click.option(
    "--http",
    type=ADDRESS,
    metavar="HOST:PORT",
    help="Also serve HTTP and JSON here (needs the extra http); without TLS on this machine only.",
)
@tls_options
@state_option
@database_option
@click.option(
    "--trust-root",
    "trust_roots",
    cls=NamedOption,
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="FILE.pem",
    help="Before serving, trust this software root, or manufacturer of TPMs, under the name of "
    "the file, as 'tabasco root add' does; one that was removed stays so. Repeatable.",
)
@seconds_option(
    "--challenge-validity",
    "an enrolment challenge can be answered",
    default=_DEFAULTS.challenge_validity,
    most=timedelta(hours=1),
)
@seconds_option(
    "--enrolment-validity",
    "an enrolment lasts",
    default=_DEFAULTS.enrolment_validity,
    most=timedelta(days=366),
)
@seconds_option(
    "--result-validity",
    "a result is good for",
    default=_DEFAULTS.result_validity,
    most=timedelta(hours=1),
)
@click.option(
    "--challenge-key",
    type=_PEM,
    metavar="FILE",
    help="Key of challenges for services that share no database: with the same key (32 random "
    "bytes or more, hexadecimal, readable by their user alone) they accept each other's.  "
    "[default: one in the database]",
)
@click.option(
    "--refusals-per-address",
    type=click.IntRange(0),
    default=REFUSALS_OF_PEER,
    show_default=True,
    metavar="COUNT",
    help="How often a client may be refused within a minute before it is not listened to for the "
    "rest of it; IPv6 counts by networks of 64 bits. 0 for no bound, behind a proxy that has one.",
)
@store_option
@metrics_option
@traces_option
@log_option
@json_option
def serve(
    *,
    listen: Address,
    http: Address | None,
    grpc_tls: ServerFiles | None,
    http_tls: ServerFiles | None,
    state: StateDirectory,
    database: str | None,
    trust_roots: tuple[Path, ...],
    challenge_validity: timedelta,
    enrolment_validity: timedelta,
    result_validity: timedelta,
    challenge_key: Path | None,
    refusals_per_address: int,
    store: Path,
    metrics: Address | None,
    traces: str | None,
    as_json: bool,
) -> None:
    """Run the service until SIGTERM or Ctrl-C.

    With --json, one object on standard output says where it listens once it is ready.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    allow_open_files()
    shared = None if challenge_key is None else challenge_key_in(challenge_key)
    opening = DatabaseOpening(
        settings=Settings(challenge_validity, enrolment_validity, result_validity),
        source=StoredCollateral(Store(store)),
        challenge_key=shared,
        clock=SteadyClock(),
    )
    secure = None if grpc_tls is None else ServerTls(grpc_tls, require_client=True)
    warn_of_plain_text(listen, secure)
    quota = RefusalQuota(refusals_per_address)
    with ExitStack() as stack:
        stack.enter_context(Tracing(traces, service="tabasco"))
        main_one = opening.open(state, database_url_of(state, database), stack)
        _trust(Roots(main_one[1]), trust_roots)
        warn_of_stale(Store(store), current_time())
        services, looks = [main_one[0]], dict[str, Look]()
        url = None
        if http is not None:
            others = tenants_of(state) if state.tenant == DEFAULT_TENANT else []
            served = {each.tenant: opening.open(each, each.database_url, stack) for each in others}
            web = http_service(
                {DEFAULT_TENANT: main_one} | served, http, http_tls, quota, opening.clock
            )
            url = stack.enter_context(web).url
            services += [each for each, _ in served.values()]
            looks[CONNECTIONS.name] = lambda: {(): web.connections}
        server = stack.enter_context(
            GrpcService(
                listen,
                unary={},
                by_peer=bounded(methods_of(main_one[0]), quota),
                limits=LIMITS,
                ready=main_one[0].check_ready,
                tls=secure,
            )
        )
        looks |= {**server.looks, READY.name: lambda: {(): _are_ready(services)}}
        endpoint = stack.enter_context(MetricsEndpoint(metrics, METRICS, looks, service="tabasco"))
        server.serve_until_signalled(
            lambda: _say_ready(server.address, url, endpoint, as_json=as_json)
        )


def _are_ready(services: Sequence[AttestationService]) -> bool:
    try:
        for each in services:
            each.check_ready()
    except TabascoError:
        return False
    return True


@frozen
class DatabaseOpening:
    """What the services of all tenants have in common."""

    settings: Settings
    source: StoredCollateral
    challenge_key: Secret | None
    clock: SteadyClock

    def open(
        self, state: StateDirectory, url: str, stack: ExitStack
    ) -> tuple[AttestationService, Database]:
        """A tenant's service and its database, which `stack` closes."""
        state.prepare()
        state.make_result_key()
        database = stack.enter_context(Database.open(url, connections=2 * LIMITS.calls))
        AuditLog(database).check_clock(self.clock())
        key = self.challenge_key
        service = AttestationService(
            database=database,
            key_ring=state.key_ring(),
            build=version(DISTRIBUTION),
            now=self.clock,
            settings=self.settings,
            source=self.source,
            challenge_key=None if key is None else challenge_key_of(state.tenant, key),
        )
        stack.enter_context(counts_written(service))
        return service, database


def _say_ready(address: str, url: str | None, endpoint: MetricsEndpoint, *, as_json: bool) -> None:
    if url is not None:
        note(f"tabasco: HTTP on {url}", http=url)
    note(f"tabasco: ready on {address}", address=address)
    if as_json:
        more = {} if url is None else {"http": url}
        emit({"address": address} | more | endpoint.facts, "", as_json=True)


def _trust(roots: Roots, files: tuple[Path, ...]) -> None:
    for file in files:
        if roots.add_unless_removed(file.stem, root_in(file), at=current_time()) is None:
            note(
                f"warning: the root in {file} was removed or its key revoked, and it stays so; "
                f"one that was removed is trusted again by: tabasco root add --name NAME {file}"
            )
    if not roots.all():
        note("warning: no root is trusted, so nobody can enrol: see tabasco root add")
