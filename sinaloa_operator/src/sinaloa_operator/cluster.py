"""The API server, as far as the operator uses it."""

from collections.abc import Mapping
from typing import Any, Final

from kubernetes.client.exceptions import ApiException

from kubernetes import client, config, dynamic
from sinaloa_operator.names import API_VERSION, COMPUTATION_LABEL

_ALREADY_THERE: Final = 409
_NOT_THERE: Final = 404
_MANAGER: Final = "veracruz-operator"


class Cluster:
    """Reads and writes objects; it may be used by several threads."""

    def __init__(self) -> None:
        self._client = dynamic.DynamicClient(client.ApiClient())

    def create(self, wanted: Mapping[str, Any]) -> None:
        """Make an object, unless one of its name is there."""
        try:
            self._of(wanted).create(body=wanted, namespace=wanted["metadata"]["namespace"])
        except ApiException as error:
            if error.status != _ALREADY_THERE:
                raise

    def apply(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Have an object be as it is wanted, and give it as it is."""
        meta = wanted["metadata"]
        found = self._of(wanted).server_side_apply(
            body=wanted, name=meta["name"], namespace=meta["namespace"],
            field_manager=_MANAGER, force_conflicts=True,
        )  # fmt: skip
        return dict(found.to_dict())

    def pods(self, namespace: str, computation: str) -> list[dict[str, Any]]:
        """All pods of a computation, those that are ending included."""
        pods = self._client.resources.get(api_version="v1", kind="Pod")
        selector = f"{COMPUTATION_LABEL}={computation}"
        found = pods.get(namespace=namespace, label_selector=selector).to_dict()
        return list(found["items"])

    def computations(self, namespace: str) -> list[dict[str, Any]]:
        """All computations of a namespace."""
        return list(self._kind("Computation").get(namespace=namespace).to_dict()["items"])

    def end_pod(self, namespace: str, name: str) -> None:
        """Have a pod end, unless it is gone."""
        pods = self._client.resources.get(api_version="v1", kind="Pod")
        try:
            pods.delete(name=name, namespace=namespace)
        except ApiException as error:
            if error.status != _NOT_THERE:
                raise

    def write_status(self, kind: str, meta: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """Write an object's status, unless it is gone."""
        body = {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {"name": meta["name"], "uid": meta["uid"]},
            "status": status,
        }
        try:
            self._kind(kind).status.patch(
                body=body, name=meta["name"], namespace=meta["namespace"],
                content_type="application/merge-patch+json",
            )  # fmt: skip
        except ApiException as error:
            if error.status != _NOT_THERE:
                raise

    def _kind(self, kind: str) -> Any:  # noqa: ANN401 - the client has no types
        return self._client.resources.get(api_version=API_VERSION, kind=kind)

    def _of(self, wanted: Mapping[str, Any]) -> Any:  # noqa: ANN401
        return self._client.resources.get(api_version=wanted["apiVersion"], kind=wanted["kind"])


def log_in() -> None:
    """Use the service account of the pod, or else the file that KUBECONFIG names."""
    try:
        config.load_incluster_config()
    except config.ConfigException:
        config.load_kube_config()
