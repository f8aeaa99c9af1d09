"""The `sinaloa` command: the bridge on the delegate's machine."""

import logging
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import click

from colima.isolate import MAX_PLACES, places_for, sessions_each
from sinaloa.bridge import Bridge
from sinaloa.errors import SinaloaError
from sinaloa.isolate import End, IsolateLink
from veracruz_shells.console import (
    ADDRESS,
    emit,
    json_option,
    log_option,
    note,
)
from veracruz_shells.policy_files import read_policy
from veracruz_shells.service import GrpcService
from veracruz_shells.settings import ServiceCommand, service_group
from veracruz_utils.address import Address
from veracruz_utils.policy import Policy, PolicyError

_BY_POLICY: Final = frozenset({End.QUORUM, End.EXPIRED, End.IDLE})
_USUAL_PLACES: Final = 64
_LOG: Final = logging.getLogger(__name__)


@service_group(
    "sinaloa",
    distribution="veracruz-sinaloa",
    help="Bridge principals to an isolate on this machine, carrying bytes it cannot read.",
)
def main() -> None:
    """Be the group of the commands below."""


@main.command(cls=ServiceCommand)
@click.argument("policy", type=click.Path(path_type=Path), envvar="SINALOA_SERVE_POLICY")
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
    "--max-sessions",
    type=click.IntRange(1, MAX_PLACES),
    help="Sessions that may be open at once.  [default: 64, or what the policy's principals need]",
)
@log_option
@json_option
def serve(
    policy: Path, sonora: Path, listen: Address | None, max_sessions: int | None, *, as_json: bool
) -> None:
    """Serve one computation: launch an isolate that holds POLICY, and carry bytes to it.

    Ends with status 0 when all result readers have asked for shutdown, when the policy expires,
    when nobody had a session for its idle_seconds, or on SIGTERM; the isolate ends with it.

    If it is killed, Sonora holds the isolate. Start it again: it finds the isolate as it was.
    """
    agreed = read_policy(policy)
    try:
        agreed.require_in_force(datetime.now(UTC))
    except PolicyError as error:
        raise error.in_file(str(policy)) from None
    places = _places(agreed, max_sessions)
    describe = partial(_describe, agreed)
    with (
        IsolateLink.launch(sonora, agreed.raw, describe=describe) as isolate,
        Bridge(isolate, max_sessions=places) as bridge,
        GrpcService(
            listen or agreed.sinaloa,
            unary={},
            by_caller=bridge.by_caller,
            streams=bridge.streams,
            limits=bridge.limits,
        ) as service,
    ):
        _check(agreed, isolate)
        isolate.when_ended(service.stop)
        service.serve_until_signalled(
            lambda: _announce(service, isolate, as_json=as_json),
            on_stopping=lambda: None if isolate.end else bridge.cut_sessions(),
        )
        end = isolate.end
    if end in _BY_POLICY:
        note(f"sinaloa: done: {describe(end)}")
    elif end is not None:
        raise SinaloaError(f"{describe(end)}: its memory and everything in it is gone; start again")


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
    return wanted


def _describe(agreed: Policy, end: End) -> str:
    """How the isolate of this policy ended, for principals and the delegate."""
    if end is End.EXPIRED:
        return f"{end.value} at {agreed.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    if end is End.IDLE:
        return f"{end.value} (idle_seconds = {agreed.limits.idle_seconds})"
    return str(end.value)


def _check(agreed: Policy, isolate: IsolateLink) -> None:
    """Say early what every principal will find out for itself."""
    launched = isolate.launched
    if launched.policy_digest != agreed.digest.value:
        raise SinaloaError(
            f"sonora launched policy {launched.policy_digest.hex()}, expected {agreed.digest}"
        )
    accepted = agreed.accepted(launched.platform)
    if accepted is None or launched.measurement not in accepted.measurements:
        note(
            f"sinaloa: warning: runtime {launched.measurement.hex()} on {launched.platform} is not "
            "among those the policy accepts; principals will refuse it"
        )


def _announce(service: GrpcService, isolate: IsolateLink, *, as_json: bool) -> None:
    launched = isolate.launched
    note(
        f"sinaloa: ready on {service.address}: policy {launched.policy_digest.hex()}, "
        f"isolate {launched.isolate_id} on {launched.platform}"
        + (", found again" if launched.found_again else "")
    )
    if as_json:
        facts = {
            "ready": True,
            "address": service.address,
            "policy_digest": launched.policy_digest,
            "platform": launched.platform,
            "measurement": launched.measurement,
            "certificate_digest": launched.certificate_digest,
            "isolate_id": launched.isolate_id,
            "found_again": launched.found_again,
        }
        emit(facts, "", as_json=True)
