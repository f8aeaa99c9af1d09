"""The two kinds of objects, as the API server is told of them.

What may never change is held by the API server itself: the principals' agreement is about one
policy, and an object is one computation from its first day to its last.
"""

from typing import Any, Final

from sinaloa_operator.names import ATTESTATIONS, COMPUTATIONS, GROUP, VERSION
from sinaloa_operator.specification import (
    EVIDENCE,
    MAX_ATTEMPTS,
    MAX_AUTHORITY_CHARS,
    MAX_POLICY_CHARS,
)

_YEAR_S: Final = 366 * 24 * 3600
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 253}
_RESOURCES: Final = {
    "type": "object",
    "description": "Requests and limits, as containers have them: memory, processors, devices.",
    "x-kubernetes-preserve-unknown-fields": True,
}


def definitions() -> list[dict[str, Any]]:
    """Both custom resource definitions."""
    return [
        _definition("Computation", COMPUTATIONS, "One computation, by its policy.", _computation()),
        _definition("Attestation", ATTESTATIONS, "Tabasco on PostgreSQL.", _attestation()),
    ]


def _computation() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["policy", "platform"],
        "x-kubernetes-validations": [
            {
                "rule": "self == oldSelf",
                "message": "a computation cannot be changed: delete it, and create another",
            }
        ],
        "properties": {
            "policy": {
                "type": "string",
                "minLength": 2,
                "maxLength": MAX_POLICY_CHARS,
                "description": "The policy's exact text: its digest is attested to everybody.",
            },
            "platform": {
                "type": "string",
                "enum": sorted(EVIDENCE),
                "description": "The kind of isolate; the policy must accept it by name.",
            },
            "runtimeClassName": {
                **_NAME,
                "description": "A runtime of confidential containers, such as kata-qemu-snp; "
                "none on a plain node.",
            },
            "nodeSelector": {
                "type": "object",
                "maxProperties": 16,
                "additionalProperties": {"type": "string", "maxLength": 63},
                "description": "Labels that the node must have.",
            },
            "resources": _RESOURCES,
            "tabascoCA": {
                "type": "string",
                "maxLength": MAX_AUTHORITY_CHARS,
                "description": "Authorities of Tabasco's certificate, in PEM; without it the "
                "service is spoken to in plain text.",
            },
            "softwareRootSecret": {
                **_NAME,
                "description": "The secret with the files of a software root; needed for "
                "linux-software-root, and refused for every other platform.",
            },
            "timeToLiveSeconds": _whole(
                1, _YEAR_S, "After that everything ends; without it when the policy says."
            ),
            "attempts": {
                **_whole(
                    1,
                    MAX_ATTEMPTS,
                    "How often it is started, with nothing of the time before.",
                ),
                "default": 1,
            },
            "drainSeconds": {
                **_whole(0, 3600, "What an ending bridge has for what is under way."),
                "default": 30,
            },
        },
    }


def _attestation() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["database", "stateSecret", "tlsSecret"],
        "properties": {
            "database": {
                "type": "string",
                "maxLength": 1024,
                "pattern": r"^postgresql://[^\s:@/]+@[^\s@]+$",
                "description": "postgresql://USER@HOST/NAME, without a password.",
            },
            "stateSecret": {
                **_NAME,
                "description": "The secret with a state folder's files, the result-signing key "
                "among them.",
            },
            "tlsSecret": {
                **_NAME,
                "description": "A secret of type kubernetes.io/tls, for gRPC and HTTP.",
            },
            "passwordSecret": {
                **_NAME,
                "description": "The secret with a file pgpass, for a database that asks for a "
                "password.",
            },
            "replicas": {**_whole(1, 20, "How many services stand side by side."), "default": 2},
            "resources": _RESOURCES,
        },
    }


def _definition(kind: str, plural: str, description: str, spec: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "spec": spec,
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    columns = [
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Reason", "type": "string", "jsonPath": ".status.reason"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                    "additionalPrinterColumns": columns,
                }
            ],
        },
    }


def _whole(least: int, most: int, description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}
