"""What is made in the cluster for an object of the kind `Attestation`: Tabasco on PostgreSQL.

All replicas are alike: they share the database, its key of challenges and the key of results, so
that whichever gives a challenge out, any of them takes the answer.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from sinaloa_operator.errors import ObjectRefusedError
from sinaloa_operator.names import ATTESTATION_LABEL, TABASCO_HTTP_PORT, TABASCO_PORT
from sinaloa_operator.pods import CONTAINER_SECURITY, POD_SECURITY, TEMPORARY, Object, owner

_STATE: Final = "/run/veracruz/tabasco"
_TLS: Final = "/etc/veracruz/tls"
_KEYS: Final = "/etc/veracruz/state"
_LOGIN: Final = "/etc/veracruz/database"
_DATABASE: Final = re.compile(r"postgresql://[^\s:@/]+@[^\s@]+")


def objects_for(body: Mapping[str, Any], image: str) -> list[Object]:
    """Deployment, Service, disruption budget and network policy.

    Raises:
        ObjectRefusedError: it cannot be served as it asks.
    """
    spec = body["spec"]
    if not _DATABASE.fullmatch(spec["database"]):
        raise ObjectRefusedError(
            "DatabaseRefused",
            "database is expected as postgresql://USER@HOST/NAME, without a password: that is in "
            "passwordSecret, as a file pgpass",
        )
    return [
        _deployment(body, image),
        _object(body, "v1", "Service", {"selector": _labels(body), "ports": _service_ports()}),
        _object(
            body,
            "policy/v1",
            "PodDisruptionBudget",
            {"maxUnavailable": 1, "selector": {"matchLabels": _labels(body)}},
        ),
        _object(
            body,
            "networking.k8s.io/v1",
            "NetworkPolicy",
            {
                "podSelector": {"matchLabels": _labels(body)},
                "policyTypes": ["Ingress"],
                "ingress": [
                    {
                        "ports": [
                            {"protocol": "TCP", "port": port}
                            for port in (TABASCO_PORT, TABASCO_HTTP_PORT)
                        ]
                    }
                ],
            },
        ),
    ]


def attestation_status(deployment: Mapping[str, Any], replicas: int) -> Object:
    """The status of the object, by that of its Deployment."""
    ready = deployment.get("status", {}).get("readyReplicas") or 0
    return {
        "phase": "Serving" if ready else "Starting",
        "readyReplicas": ready,
        "message": f"{ready} of {replicas} replicas are ready",
    }


def _deployment(body: Mapping[str, Any], image: str) -> Object:
    spec = body["spec"]
    template = {
        "metadata": {"labels": _labels(body)},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                **POD_SECURITY,
                # Tabasco forks nothing: the runtime's usual profile is enough.
                "seccompProfile": {"type": "RuntimeDefault"},
                "appArmorProfile": {"type": "RuntimeDefault"},
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": _labels(body)},
                }
            ],
            "initContainers": [_copies(body, image)],
            "containers": [_tabasco(body, image)],
            "volumes": _volumes(body),
        },
    }
    wanted = {
        "replicas": spec.get("replicas", 2),
        "selector": {"matchLabels": _labels(body)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "template": template,
    }
    return _object(body, "apps/v1", "Deployment", wanted)


def _copies(body: Mapping[str, Any], image: str) -> Object:
    """A secret's files are readable by a group, which Tabasco refuses of keys, and libpq too."""
    words = f"umask 077 && mkdir {_STATE} && cp -R {_KEYS}/. {_STATE}/"
    mounts = [_mount("state", "/run/veracruz"), _mount("keys", _KEYS, read_only=True)]
    if "passwordSecret" in body["spec"]:
        words += f" && cp {_LOGIN}/pgpass /run/veracruz/pgpass"
        mounts.append(_mount("password", _LOGIN, read_only=True))
    return {
        "name": "keys",
        "image": image,
        "command": ["sh", "-c", words],
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts,
    }


def _tabasco(body: Mapping[str, Any], image: str) -> Object:
    def probe(path: str) -> Object:
        where = {"path": path, "port": TABASCO_HTTP_PORT, "scheme": "HTTPS"}
        return {"httpGet": where, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3}

    return {
        "name": "tabasco",
        "image": image,
        "command": ["tabasco", "serve"],
        "args": [
            "--listen", f"0.0.0.0:{TABASCO_PORT}", "--http", f"0.0.0.0:{TABASCO_HTTP_PORT}",
            "--tls-certificate", f"{_TLS}/tls.crt", "--tls-key", f"{_TLS}/tls.key",
            "--database", body["spec"]["database"], "--state", _STATE, "--log-format", "json",
        ],
        "env": [{"name": "PGPASSFILE", "value": "/run/veracruz/pgpass"}],
        "ports": [
            {"name": "grpc", "containerPort": TABASCO_PORT},
            {"name": "https", "containerPort": TABASCO_HTTP_PORT},
        ],
        "livenessProbe": probe("/livez"),
        "readinessProbe": probe("/readyz"),
        "resources": body["spec"].get("resources", {}),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            _mount("state", "/run/veracruz"),
            _mount("tls", _TLS, read_only=True),
            _mount("temporary", TEMPORARY),
        ],
    }  # fmt: skip


def _volumes(body: Mapping[str, Any]) -> list[Object]:
    spec = body["spec"]
    found: list[Object] = [
        {"name": "state", "emptyDir": {"medium": "Memory"}},
        {"name": "temporary", "emptyDir": {"medium": "Memory"}},
        {"name": "keys", "secret": {"secretName": spec["stateSecret"]}},
        {"name": "tls", "secret": {"secretName": spec["tlsSecret"]}},
    ]
    if "passwordSecret" in spec:
        found.append({"name": "password", "secret": {"secretName": spec["passwordSecret"]}})
    return found


def _service_ports() -> list[Object]:
    return [
        {"name": "grpc", "port": TABASCO_PORT, "targetPort": "grpc"},
        {"name": "https", "port": TABASCO_HTTP_PORT, "targetPort": "https"},
    ]


def _labels(body: Mapping[str, Any]) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "veracruz-operator",
        ATTESTATION_LABEL: body["metadata"]["name"],
    }


def _object(body: Mapping[str, Any], version: str, kind: str, spec: Object) -> Object:
    meta = body["metadata"]
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": _labels(body),
            "ownerReferences": [owner("Attestation", meta["name"], meta["uid"])],
        },
        "spec": spec,
    }


def _mount(name: str, path: str, *, read_only: bool = False) -> Object:
    return {"name": name, "mountPath": path} | ({"readOnly": True} if read_only else {})
