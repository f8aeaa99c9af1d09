"""The `sinaloa` command: the bridge on the delegate's machine."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import click

from colima.isolate import MAX_PLACES, places_for, sessions_each, sessions_of_isolate
from sinaloa.dashboard.serving import dashboard_option
from sinaloa.errors import SinaloaError
from sinaloa.isolate import LAUNCH_S, IsolateLink
from sinaloa.listing import standings
from sinaloa.serving import Listening, serve_folder, serve_one
from veracruz_shells.console import (
    ADDRESS,
    emit,
    json_option,
    log_option,
)
from veracruz_shells.listening import allow_open_files
from veracruz_shells.metrics_endpoint import metrics_option
from veracruz_shells.policy_files import read_policy
from veracruz_shells.settings import ServiceCommand, service_group
from veracruz_shells.trace_export import Tracing, traces_option
from veracruz_utils.address import Address
from veracruz_utils.policy import Policy, PolicyError

_USUAL_PLACES: Final = 64
_ON_THEIR_WAY: Final = 32
"""Sessions that are over at the bridge, and that the isolate has still to see the end of."""


@service_group(
    "sinaloa",
    distribution="veracruz-sinaloa",
    help="Bridge principals to an isolate on this machine, carrying bytes it cannot read.",
)
def main() -> None:
    """Be the group of the commands below."""


@main.command(cls=ServiceCommand)
@click.argument(
    "policy", type=click.Path(path_type=Path), required=False, envvar="SINALOA_SERVE_POLICY"
)
@click.option(
    "--policies",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Serve each policy (*.json) of this folder, as they come and go, by digest.",
)
@click.option(
    "--ahead", is_flag=True, help="With --policies: launch isolates before anybody asks for them."
)
@click.option(
    "--sonora",
    type=click.Path(path_type=Path),
    default=Path("sonora/sonora.sock"),
    show_default=True,
    help="Unix socket of the Sonora that launches the isolate.",
)
@click.option(
    "--listen",
    type=ADDRESS,
    metavar="HOST:PORT",
    help="Where to listen; port 0 takes a free one.  [default: as the policy says]",
)
@click.option(
    "--bulk-listen",
    type=ADDRESS,
    metavar="HOST:PORT",
    help="Where to take sessions over bare TCP as well, for less processor time where much is sent "
    "or fetched; clients find it by themselves; port 0 takes a free one.  [default: nowhere]",
)
@click.option(
    "--max-sessions",
    type=click.IntRange(1, MAX_PLACES),
    help="Sessions of a policy that may be open at once, as far as its isolate holds them.  "
    "[default: 64, or what the policy's principals need]",
)
@click.option(
    "--launch-timeout",
    type=click.IntRange(1, 3600),
    default=int(LAUNCH_S),
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for Sonora to launch an isolate; longer than its --isolate-start.",
)
@click.option(
    "--drain",
    type=click.FloatRange(0, 3600),
    metavar="SECONDS",
    help="On SIGTERM, take no new session, let uploads and fetches finish for so long, and leave "
    "the isolate to the next bridge.",
)
@metrics_option
@dashboard_option
@traces_option
@log_option
@json_option
def serve(  # noqa: PLR0917 - click gives them by name
    policy: Path | None,
    policies: Path | None,
    sonora: Path,
    listen: Address | None,
    bulk_listen: Address | None,
    max_sessions: int | None,
    launch_timeout: int,
    drain: float | None,
    metrics: Address | None,
    dashboard: int | None,
    traces: str | None,
    *,
    ahead: bool,
    as_json: bool,
) -> None:
    """Serve one computation: launch an isolate that holds POLICY, and carry bytes to it.

    Ends with status 0 when all result readers have asked for shutdown, when the policy expires,
    when nobody had a session for its idle_seconds, or on SIGTERM; the isolate ends with it, unless
    --drain says that the bridge alone is to end.

    If it is killed, Sonora holds the isolate. Start it again: it finds the isolate as it was.

    With --policies it serves many: an isolate each, launched for the first who asks. A file that
    is added is served within seconds, at once after SIGHUP; one that is taken away ends its
    isolate. On SIGTERM the isolates go on.
    """
    if (policy is None) == (policies is None):
        raise click.UsageError("give POLICY, or --policies and a folder of them")
    allow_open_files()
    launch = partial(IsolateLink.launch, sonora, timeout_s=launch_timeout)
    click.get_current_context().with_resource(Tracing(traces, service="sinaloa"))
    if policies is not None:
        if listen is None:
            raise click.UsageError("--policies needs --listen: the policies may name several")
        serve_folder(
            policies,
            launch,
            Listening(listen, bulk_listen, metrics, dashboard),
            places=lambda agreed: _places(agreed, max_sessions),
            ahead=ahead,
            drain=drain,
            as_json=as_json,
        )
        return
    assert policy is not None
    agreed = read_policy(policy)
    try:
        agreed.require_in_force(datetime.now(UTC))
    except PolicyError as error:
        raise error.in_file(str(policy)) from None
    serve_one(
        agreed,
        launch,
        Listening(listen or agreed.sinaloa, bulk_listen, metrics, dashboard),
        max_sessions=_places(agreed, max_sessions),
        drain=drain,
        as_json=as_json,
    )


@main.command("list")
@click.option(
    "--policies",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    required=True,
    help="The policies to ask about, such as those of 'sinaloa serve --policies'.",
)
@click.option(
    "--at", type=ADDRESS, metavar="HOST:PORT", required=True, help="Where the bridge listens."
)
@json_option
def list_policies(policies: Path, at: Address, *, as_json: bool) -> None:
    """Ask a running bridge what it has of each policy in a folder.

    A bridge tells nobody what it serves who does not name it: it is asked by the policies' digests.
    Nothing is launched by asking.
    """
    rows = [each.facts() for each in standings(policies, at)]
    text = "\n".join(
        f"{row['policy_digest'] or '-':64}  {row['state']:8}  {row['file']}"
        + (f": {row['detail']}" if row["detail"] else "")
        for row in rows
    )
    emit({"policies": rows}, text, as_json=as_json)


def _places(agreed: Policy, wanted: int | None) -> int:
    """For sessions, of which no principal may take so many that another finds none."""
    principals = len(agreed.identities)
    needed = places_for(principals)
    if wanted is None:
        return max(_USUAL_PLACES, needed)
    if wanted < needed:
        raise SinaloaError(
            f"--max-sessions is {wanted}, expected at least {needed} for {principals} "
            f"principals, of whom each may have {sessions_each(principals)}: one could keep the "
            "others out"
        )
    # One beyond would have another give way in the isolate, which knows of no addresses.
    return min(wanted, sessions_of_isolate(principals) - _ON_THEIR_WAY)
