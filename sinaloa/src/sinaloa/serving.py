"""The work of `sinaloa serve`: one policy, or those of a folder, to their end."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from sinaloa.bridge import Bridge
from sinaloa.bulk import BulkListener
from sinaloa.computation import BY_POLICY, ServedPolicy
from sinaloa.computations import Computations
from sinaloa.dashboard.serving import dashboard
from sinaloa.errors import SinaloaError
from sinaloa.folder_service import FolderService
from sinaloa.isolate import Describe, End, IsolateLink
from sinaloa.metrics import METRICS
from sinaloa.policy_folder import PolicyFolder
from veracruz_shells.console import emit, note
from veracruz_shells.metrics_endpoint import MetricsEndpoint
from veracruz_shells.service import GrpcService
from veracruz_utils.address import Address
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy

_OTHER_FILES: Final = 128
"""Open files of a bridge besides sessions, well counted."""


@frozen
class Listening:
    """Where a bridge listens.

    Attributes:
        grpc: for principals.
        bulk: for their sessions over bare TCP; None for nowhere.
        metrics: for Prometheus; None for nowhere.
        dashboard: for the delegate's browser, a port of loopback; None for nowhere.
    """

    grpc: Address
    bulk: Address | None = None
    metrics: Address | None = None
    dashboard: int | None = None


@frozen
class _Served:
    """What listens."""

    service: GrpcService
    endpoint: MetricsEndpoint
    bulk_address: str | None

    @property
    def more(self) -> str:
        """What a line that says where the service listens has to add."""
        return f", bulk on {self.bulk_address}" if self.bulk_address else ""

    @property
    def facts(self) -> dict[str, object]:
        """The same for JSON."""
        facts = {"address": self.service.address, "bulk_address": self.bulk_address}
        return facts | self.endpoint.facts


class LaunchIsolate(Protocol):
    """Gives an isolate that holds a policy; see `IsolateLink.launch`."""

    def __call__(self, policy: bytes, *, describe: Describe) -> IsolateLink:
        """It, launched or found again."""


def serve_one(
    agreed: Policy,
    launch: LaunchIsolate,
    listen: Listening,
    *,
    max_sessions: int,
    drain: float | None,
    as_json: bool,
) -> None:
    """Serve a policy until its isolate ends, or a signal comes.

    Args:
        agreed: the policy.
        launch: gives its isolate.
        listen: where.
        max_sessions: at once.
        drain: for how long a signal leaves sessions to finish, after which the isolate goes on;
            None when it ends with the bridge.
        as_json: whether to announce the bridge on standard output.

    Raises:
        SinaloaError: the isolate failed.
    """
    describe = partial(_describe, agreed)
    _warn_of_files(max_sessions)
    with launch(agreed.raw, describe=describe) as isolate:
        _check(agreed, isolate)
        computations = Computations(
            ServedPolicy(agreed.digest, None, max_sessions=max_sessions, isolate=isolate)
        )
        with Bridge(computations) as bridge, _services(listen, bridge) as served:
            service = served.service
            isolate.when_ended(service.stop)
            stopped = service.serve_until_signalled(
                lambda: _announce(served, isolate, as_json=as_json),
                on_stopping=lambda: None if isolate.end else _end(bridge, drain),
                on_hangup=lambda: note("sinaloa: a policy is not read again: nothing changes"),
            )
            end = isolate.end
        if stopped is not None and drain is not None and end is None:
            isolate.leave()
            note("sinaloa: the isolate goes on: start the bridge again")
    if end in BY_POLICY:
        note(f"sinaloa: done: {describe(end)}")
    elif end is not None:
        raise SinaloaError(f"{describe(end)}: its memory and everything in it is gone; start again")


def serve_folder(
    folder: Path,
    launch: LaunchIsolate,
    listen: Listening,
    *,
    places: Callable[[Policy], int],
    ahead: bool,
    drain: float | None,
    as_json: bool,
) -> None:
    """Serve the policies of a folder until a signal comes; their isolates go on.

    Args:
        folder: where the policies are.
        launch: gives an isolate.
        listen: where.
        places: how many sessions a policy may have.
        ahead: whether to launch before anybody asks.
        drain: for how long a signal leaves sessions to finish.
        as_json: whether to announce the bridge on standard output.
    """

    def start(agreed: Policy) -> IsolateLink:
        describe = partial(_describe, agreed)
        isolate = _check(agreed, launch(agreed.raw, describe=describe))

        def tell() -> None:
            if isolate.end is not None:
                note(f"sinaloa: policy {agreed.digest}: {describe(isolate.end)}")

        note(
            f"sinaloa: policy {agreed.digest}: isolate {isolate.launched.isolate_id} on "
            f"{isolate.launched.platform}" + _found_again(isolate)
        )
        isolate.when_ended(tell)
        return isolate

    computations = Computations()
    with (
        Bridge(computations) as bridge,
        FolderService(
            PolicyFolder(folder), computations, launch=start, places=places, ahead=ahead, tell=note
        ) as policies,
        _services(listen, bridge) as served,
    ):

        def announce() -> None:
            every = computations.all()
            _warn_of_files(sum(each.max_sessions for each in every))
            digests = [each.policy for each in every]
            note(
                f"sinaloa: ready on {served.service.address}: {len(digests)} policies of {folder}"
                + served.more,
                address=served.service.address,
            )
            if as_json:
                emit({"ready": True, **served.facts, "policies": digests}, "", as_json=True)

        served.service.serve_until_signalled(
            announce, on_stopping=lambda: _end(bridge, drain), on_hangup=policies.look_now
        )


def _warn_of_files(places: int) -> None:
    """Say if there are not files enough for so many sessions, each of which is two."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough_for = max(0, files - _OTHER_FILES) // 2
    if enough_for < places:
        note(
            f"sinaloa: warning: {files} open files are enough for {enough_for} sessions, and there "
            f"are places for {places}: raise the limit (ulimit -n, LimitNOFILE= of systemd)"
        )


@contextmanager
def _services(listen: Listening, bridge: Bridge) -> Iterator[_Served]:
    service = GrpcService(
        listen.grpc,
        unary={},
        by_caller=bridge.by_caller,
        streams=bridge.streams,
        limits=bridge.limits,
    )
    looks = {**bridge.looks, **service.looks}
    with (
        service,
        MetricsEndpoint(listen.metrics, METRICS, looks, service="sinaloa") as endpoint,
        dashboard(listen.dashboard, bridge.standing),
    ):
        if listen.bulk is None:
            yield _Served(service, endpoint, None)
            return
        with BulkListener(listen.bulk, bridge) as bulk:
            yield _Served(service, endpoint, bulk.address)


def _end(bridge: Bridge, drain: float | None) -> None:
    if drain is None:
        bridge.cut_sessions()
    else:
        bridge.drain(drain)


def _found_again(isolate: IsolateLink) -> str:
    return ", found again" if isolate.launched.found_again else ""


def _describe(agreed: Policy, end: End) -> str:
    """How the isolate of this policy ended, for principals and the delegate."""
    if end is End.EXPIRED:
        return f"{end.value} at {agreed.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    if end is End.IDLE:
        return f"{end.value} (idle_seconds = {agreed.limits.idle_seconds})"
    return str(end.value)


def _check(agreed: Policy, isolate: IsolateLink) -> IsolateLink:
    """`isolate`, if it holds this policy; and early what every principal will find out for itself.

    Raises:
        SinaloaError: it holds another, and is ended.
    """
    launched = isolate.launched
    if launched.policy_digest != agreed.digest.value:
        isolate.close()
        raise SinaloaError(
            f"sonora launched policy {launched.policy_digest.hex()}, expected {agreed.digest}"
        )
    accepted = agreed.accepted(launched.platform)
    if accepted is None or launched.measurement not in accepted.measurements:
        note(
            f"sinaloa: warning: runtime {launched.measurement.hex()} on {launched.platform} is not "
            "among those the policy accepts; principals will refuse it"
        )
    return isolate


def _announce(served: _Served, isolate: IsolateLink, *, as_json: bool) -> None:
    launched = isolate.launched
    note(
        f"sinaloa: ready on {served.service.address}: policy {launched.policy_digest.hex()}, "
        f"isolate {launched.isolate_id} on {launched.platform}"
        + _found_again(isolate)
        + served.more,
        address=served.service.address,
        policy=launched.policy_digest.hex(),
        isolate=launched.isolate_id,
    )
    if as_json:
        facts = {
            "ready": True,
            **served.facts,
            "policy_digest": launched.policy_digest,
            "platform": launched.platform,
            "measurement": launched.measurement,
            "certificate_digest": launched.certificate_digest,
            "isolate_id": launched.isolate_id,
            "found_again": launched.found_again,
        }
        emit(facts, "", as_json=True)
