"""What is made in the cluster for one computation: objects, as Kubernetes has them.

Sonora is a sidecar that starts first and ends last: the pod ends when Sinaloa does. Everything
that either keeps is in memory and goes with the pod; the next attempt is another pod.
"""

from collections.abc import Mapping
from typing import Any, Final

from sinaloa_operator.names import (
    API_VERSION,
    ATTEMPT_LABEL,
    AUTHORITY_FILE,
    BRIDGE,
    COMPUTATION_LABEL,
    DIGEST_ANNOTATION,
    POLICY_FILE,
    ROOT,
    SINALOA_PORT,
    SONORA_HEALTH_PORT,
)
from sinaloa_operator.specification import EVIDENCE, Placement

Object = dict[str, Any]

USER: Final = 10001
"""Whom the containers run as. Both are one user: the pod is one computation's alone."""

POD_SECURITY: Final[Object] = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    # Isolates make namespaces and mount in them, which the runtimes' usual profiles refuse.
    "seccompProfile": {"type": "Localhost", "localhostProfile": "veracruz/isolates.json"},
    "appArmorProfile": {"type": "Unconfined"},
}
CONTAINER_SECURITY: Final[Object] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
TEMPORARY: Final = "/tmp"  # noqa: S108 - a volume of the pod's own
_ENDING_S: Final = 10  # what processes have to end when nothing is under way any more
_STATE: Final = "/run/veracruz"
_POLICY: Final = "/etc/veracruz/policy"
_KEY: Final = "/etc/veracruz/root"
_TSM: Final = "/sys/kernel/config/tsm/report"


def policy_name(placement: Placement) -> str:
    """Of the object that holds the policy for the pod."""
    return f"{placement.name}-policy"


def pod_name(placement: Placement, attempt: int) -> str:
    """Of the pod of this attempt: no other attempt's."""
    return f"{placement.name}-{attempt}"


def labels(placement: Placement) -> dict[str, str]:
    """By which all of a computation's objects are found."""
    return {"app.kubernetes.io/managed-by": "veracruz-operator", COMPUTATION_LABEL: placement.name}


def config_map(placement: Placement) -> Object:
    """The policy and Tabasco's authorities, which cannot be changed any more."""
    files = {POLICY_FILE: placement.policy.raw.decode()}
    if placement.tabasco_ca:
        files[AUTHORITY_FILE] = placement.tabasco_ca
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _meta(placement, policy_name(placement)),
        "immutable": True,
        "data": files,
    }


def service(placement: Placement) -> Object:
    """Where principals find the bridge of whatever attempt is running."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(placement, placement.name),
        "spec": {
            "selector": labels(placement),
            "ports": [{"name": "grpc", "port": SINALOA_PORT, "targetPort": "grpc"}],
        },
    }


def network_policy(placement: Placement) -> Object:
    """Anybody reaches the bridge and nothing else; the pod reaches Tabasco and names."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _meta(placement, placement.name),
        "spec": {
            "podSelector": {"matchLabels": labels(placement)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": SINALOA_PORT}]}],
            "egress": [
                {"ports": [{"protocol": each, "port": 53} for each in ("UDP", "TCP")]},
                {"ports": [{"protocol": "TCP", "port": placement.policy.tabasco.port}]},
            ],
        },
    }


def pod(placement: Placement, attempt: int, image: str) -> Object:
    """Sonora and Sinaloa for one attempt."""
    meta = _meta(placement, pod_name(placement, attempt))
    meta["labels"] = {**meta["labels"], ATTEMPT_LABEL: str(attempt)}
    meta["annotations"] = {
        DIGEST_ANNOTATION: placement.policy.digest.value.hex(),
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    }
    spec: Object = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": placement.drain_s + _ENDING_S,
        "securityContext": POD_SECURITY,
        "initContainers": [*_key_copy(placement, image), _sonora(placement, image)],
        "containers": [_sinaloa(placement, image)],
        "volumes": _volumes(placement),
        "nodeSelector": dict(placement.node_selector),
    }
    if placement.runtime_class:
        spec["runtimeClassName"] = placement.runtime_class
    if placement.lifetime_s is not None:
        spec["activeDeadlineSeconds"] = placement.lifetime_s
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _key_copy(placement: Placement, image: str) -> list[Object]:
    """A secret's files are readable by a group, which Sonora refuses of a key."""
    if not placement.software_root:
        return []
    return [
        {
            "name": "root-key",
            "image": image,
            "command": [
                "sh",
                "-c",
                f"umask 077 && mkdir {_STATE}/sonora && cp {_KEY}/* {_STATE}/sonora/",
            ],
            "securityContext": CONTAINER_SECURITY,
            "volumeMounts": [_mount("state", _STATE), _mount("root-key", _KEY, read_only=True)],
        }
    ]


def _sonora(placement: Placement, image: str) -> Object:
    authority = ["--tabasco-ca", f"{_POLICY}/{AUTHORITY_FILE}"] if placement.tabasco_ca else []
    return {
        "name": ROOT,
        "image": image,
        "restartPolicy": "Always",  # that is what makes it a sidecar
        "command": ["sonora", "serve"],
        "args": [
            "--evidence", EVIDENCE[placement.platform], "--tabasco", str(placement.policy.tabasco),
            *authority,
            "--state", f"{_STATE}/sonora", "--socket", f"{_STATE}/sonora.sock",
            "--listen", f"0.0.0.0:{SONORA_HEALTH_PORT}", "--log-format", "json",
            "--kept-cores", "0",  # in memory, and gone with the pod
        ],
        "startupProbe": {
            "grpc": {"port": SONORA_HEALTH_PORT},
            "periodSeconds": 2,
            "failureThreshold": 90,
        },
        "resources": dict(placement.resources),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            _mount("state", _STATE),
            _mount("policy", _POLICY, read_only=True),
            _mount("temporary", TEMPORARY),
            *([_mount("tsm", _TSM)] if _by_tsm_of_node(placement) else []),
        ],
    }  # fmt: skip


def _by_tsm_of_node(placement: Placement) -> bool:
    """Whether the node is the confidential machine, and not a guest that the runtime makes."""
    return EVIDENCE[placement.platform] == "tsm" and not placement.runtime_class


def _sinaloa(placement: Placement, image: str) -> Object:
    return {
        "name": BRIDGE,
        "image": image,
        "command": ["sinaloa", "serve"],
        "args": [
            f"{_POLICY}/{POLICY_FILE}", "--sonora", f"{_STATE}/sonora.sock",
            "--listen", f"0.0.0.0:{SINALOA_PORT}", "--drain", str(placement.drain_s),
            "--log-format", "json", "--json",
        ],
        "ports": [{"name": "grpc", "containerPort": SINALOA_PORT}],
        "readinessProbe": {"grpc": {"port": SINALOA_PORT}, "periodSeconds": 5},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            _mount("state", _STATE),
            _mount("policy", _POLICY, read_only=True),
            _mount("temporary", TEMPORARY),
        ],
    }  # fmt: skip


def _volumes(placement: Placement) -> list[Object]:
    found: list[Object] = [
        {"name": "state", "emptyDir": {"medium": "Memory"}},
        {"name": "temporary", "emptyDir": {"medium": "Memory"}},
        {"name": "policy", "configMap": {"name": policy_name(placement)}},
    ]
    if _by_tsm_of_node(placement):
        found.append({"name": "tsm", "hostPath": {"path": _TSM, "type": "Directory"}})
    if placement.software_root:
        found.append({"name": "root-key", "secret": {"secretName": placement.software_root}})
    return found


def _mount(name: str, path: str, *, read_only: bool = False) -> Object:
    return {"name": name, "mountPath": path} | ({"readOnly": True} if read_only else {})


def _meta(placement: Placement, name: str) -> Object:
    return {
        "name": name,
        "namespace": placement.namespace,
        "labels": labels(placement),
        "ownerReferences": [owner("Computation", placement.name, placement.uid)],
    }


def owner(kind: str, name: str, uid: str) -> Object:
    """Says whose an object is: it goes when that goes."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def attempt_of(seen: Mapping[str, Any]) -> int:
    """Which attempt a pod is of; 0 if its label was tampered with."""
    said = str(seen["metadata"].get("labels", {}).get(ATTEMPT_LABEL, ""))
    return int(said) if said.isdecimal() and len(said) < 4 else 0
