"""One operator of several at work: who holds the lease. Who loses it ends at once."""

import asyncio
import os
import socket
import uuid
from collections.abc import Sequence
from typing import Final

import kopf
from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from veracruz_shells.console import note

_LOST: Final = 1


def lead(
    registry: kopf.OperatorRegistry,
    *,
    lease: str,
    lease_namespace: str,
    lease_s: int,
    namespaces: Sequence[str],
) -> None:
    """Wait for the lease, and operate as long as it is held; then the process ends.

    Nothing is handed over: whoever leads next reads what is so from the API server.
    """
    identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"

    def work() -> None:
        note(f"veracruz-operator: ready: {identity} leads")
        asyncio.run(
            kopf.operator(
                registry=registry,
                standalone=True,
                namespaces=list(namespaces),
                clusterwide=not namespaces,
            )
        )
        os._exit(_LOST)  # it ends only when something is wrong

    def lost() -> None:
        note(f"veracruz-operator: {identity} lost the lease {lease}")
        os._exit(_LOST)  # no step that was begun may be finished beside another leader's

    election = LeaderElection(
        Config(
            LeaseLock(lease, lease_namespace, identity),
            lease_duration=lease_s,
            renew_deadline=lease_s * 2 / 3,
            retry_period=lease_s / 5,
            onstarted_leading=work,
            onstopped_leading=lost,
        )
    )
    note(f"veracruz-operator: {identity} waits for the lease {lease}")
    election.run()
