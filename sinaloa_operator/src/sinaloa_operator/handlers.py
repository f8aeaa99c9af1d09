"""The operator's loop, by kopf: it reads what is, has `decide` say what is to be, and does it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import kopf

from sinaloa_operator.asking import ask
from sinaloa_operator.attestation import attestation_status, objects_for
from sinaloa_operator.cluster import Cluster
from sinaloa_operator.conditions import status_of
from sinaloa_operator.decisions import ENDED, Course, Plan, Seen, decide, refused
from sinaloa_operator.errors import ObjectRefusedError
from sinaloa_operator.names import ATTESTATIONS, COMPUTATIONS, FINALIZER, GROUP, VERSION
from sinaloa_operator.pods import config_map, network_policy, pod, service
from sinaloa_operator.specification import Placement
from veracruz_utils.frozen import frozen

_WORKERS: Final = 16
_ENDING_S: Final = 1.0

Body = Mapping[str, Any]


@frozen
class OperatorSettings:
    """How the operator works.

    Attributes:
        image: of Sonora and Sinaloa, and of Tabasco.
        quota: computations of a namespace at once; None is any number.
        interval_s: how often each object is looked at.
    """

    image: str
    quota: int | None
    interval_s: float


class NoCopies(kopf.AnnotationsDiffBaseStorage):
    """Keeps no copy of what was handled: a policy is too large for an annotation."""

    def build(self, **_: Any) -> Any:  # noqa: ANN401 - kopf's
        """Nothing of the object."""
        return {}


class Reconciler:
    """Does for one object after another what is decided; it keeps nothing."""

    def __init__(self, cluster: Cluster, settings: OperatorSettings) -> None:
        self._cluster = cluster
        self._settings = settings

    def computation(self, body: kopf.Body) -> None:
        """Take a computation a step further."""
        before = dict(body.get("status") or {})
        meta = body["metadata"]
        if before.get("phase") in {phase.value for phase in ENDED}:
            self._end_all(body)  # also what was left when an operator was killed
            return
        now = datetime.now(UTC)
        placement = None
        try:
            placement = Placement.read(body)
            plan = self._decided(placement, before, now)
        except ObjectRefusedError as error:
            plan = refused(error.reason, str(error))
        if placement is not None and plan.start:
            self._start(placement, plan)
        status = status_of(placement, plan, before, now)
        if any(before.get(key) != value for key, value in status.items()):
            self._cluster.write_status("Computation", meta, status)
        if before.get("phase") != plan.phase or before.get("attempt") != plan.attempt:
            failed = plan.phase in {Course.FAILED, Course.REFUSED} or plan.reason == "Retrying"
            kind = "Warning" if failed else "Normal"
            kopf.event(body, type=kind, reason=plan.reason, message=plan.message)
        for name in plan.end:
            self._cluster.end_pod(meta["namespace"], name)

    def deleted(self, body: Body) -> None:
        """End every isolate of a computation that is to go; it goes when they have ended.

        Raises:
            kopf.TemporaryError: they are still ending.
        """
        if left := self._end_all(body):
            raise kopf.TemporaryError(f"ending {', '.join(left)}", delay=_ENDING_S)

    def attestation(self, body: Body) -> None:
        """Have a Tabasco stand as its object says."""
        before = dict(body.get("status") or {})
        try:
            wanted = objects_for(body, self._settings.image)
            found = [self._cluster.apply(each) for each in wanted]
            status = attestation_status(found[0], body["spec"].get("replicas", 2))
        except ObjectRefusedError as error:
            status = {"phase": "Refused", "reason": error.reason, "message": str(error)}
        if any(before.get(key) != value for key, value in status.items()):
            self._cluster.write_status("Attestation", body["metadata"], status)

    def _decided(self, placement: Placement, before: Body, now: datetime) -> Plan:
        attempt = before.get("attempt") or 0
        verified = any(
            each.get("type") == "Attested" and each.get("status") == "True"
            for each in before.get("conditions") or ()
        )
        seen = Seen(
            pods=self._cluster.pods(placement.namespace, placement.name),
            attempt=attempt,
            ahead=0 if attempt or self._settings.quota is None else self._ahead(placement),
            quota=self._settings.quota,
            attested="" if verified else None,
        )
        plan = decide(placement, seen, now)
        if plan.ask and (plan.attested is None or plan.attempt != attempt):
            found = ask(placement, plan.ask)
            plan = replace(plan, attested=found)
        return plan

    def _ahead(self, placement: Placement) -> int:
        """Computations that have not ended, and were started or made before this one."""
        ended = {phase.value for phase in ENDED}
        mine = (f"{placement.created:%Y-%m-%dT%H:%M:%SZ}", placement.name)
        return sum(
            1
            for each in self._cluster.computations(placement.namespace)
            if (status := each.get("status") or {}).get("phase") not in ended
            and each["metadata"]["uid"] != placement.uid
            and (
                status.get("attempt")
                or (each["metadata"]["creationTimestamp"], each["metadata"]["name"]) < mine
            )
        )

    def _start(self, placement: Placement, plan: Plan) -> None:
        self._cluster.create(config_map(placement))
        self._cluster.create(network_policy(placement))
        self._cluster.create(service(placement))
        self._cluster.create(pod(placement, plan.attempt, self._settings.image))

    def _end_all(self, body: Body) -> list[str]:
        meta = body["metadata"]
        left = self._cluster.pods(meta["namespace"], meta["name"])
        for each in left:
            if not each["metadata"].get("deletionTimestamp"):
                self._cluster.end_pod(meta["namespace"], each["metadata"]["name"])
        return [each["metadata"]["name"] for each in left]


def registry_of(
    make: Callable[[], Reconciler], settings: OperatorSettings
) -> kopf.OperatorRegistry:
    """What kopf calls, and when."""
    registry = kopf.OperatorRegistry()
    reconciler = make()

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:  # noqa: ANN401
        settings.persistence.finalizer = FINALIZER
        settings.persistence.diffbase_storage = NoCopies(prefix=GROUP)
        settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
        settings.execution.max_workers = _WORKERS

    @kopf.on.login(registry=registry)
    def login(**given: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401
        return kopf.login_via_client(**given)

    @kopf.timer(GROUP, VERSION, COMPUTATIONS, interval=settings.interval_s, registry=registry)
    def computation(body: kopf.Body, **_: Any) -> None:  # noqa: ANN401
        reconciler.computation(body)

    @kopf.on.delete(GROUP, VERSION, COMPUTATIONS, registry=registry)
    def deleted(body: kopf.Body, **_: Any) -> None:  # noqa: ANN401
        reconciler.deleted(body)

    @kopf.timer(GROUP, VERSION, ATTESTATIONS, interval=settings.interval_s, registry=registry)
    def attestation(body: kopf.Body, **_: Any) -> None:  # noqa: ANN401
        reconciler.attestation(body)

    return registry
