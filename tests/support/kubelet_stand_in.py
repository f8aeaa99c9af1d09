"""A stand-in for the kubelet: it runs pods' containers as processes of this machine.

It is no kubelet. There is no cgroup and no network but this machine's: each pod has an address of
its own out of 127.0.0.0/8. `pod_containers` says how its commands are run. What it does as a
kubelet does: init containers one after the other, a sidecar before the rest and after it, startup
and readiness by gRPC health or HTTPS, SIGTERM and the grace period, phases, exit statuses and last
words in the pod's status.
"""

import base64
import contextlib
import itertools
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kubernetes.client.exceptions import ApiException

from kubernetes import client
from sinaloa_operator.pods import USER
from support.pod_containers import Containers

_POLL_S = 0.2
_PROBE_S = 1.0
_LAST_WORDS = 2000
_NODE = "stand-in"
_CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "500"}
_addresses = itertools.count(1)


class KubeletStandIn:
    """One node: it looks for the pods that are bound to it, and runs each in a thread."""

    def __init__(self, api: client.ApiClient, containers: Containers) -> None:
        self._api = client.CoreV1Api(api)
        self._containers = containers
        self.folder = Path(tempfile.mkdtemp(prefix="vk-"))
        self._closing = threading.Event()
        self._register()
        self._runs: dict[str, PodRun] = {}
        self.most_at_once = 0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def run_of(self, pod: str) -> "PodRun":
        """The run of the last pod of this name."""
        return [each for each in self._runs.values() if each.name == pod][-1]

    @property
    def started(self) -> list[str]:
        """Names of all pods that were ever started."""
        return [each.name for each in self._runs.values()]

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        for run in self._runs.values():
            run.closing.set()
        for run in self._runs.values():
            run.thread.join()
        shutil.rmtree(self.folder)

    def _register(self) -> None:
        """What a kubelet says of itself; the taint of a node that is not ready yet goes."""
        self._api.create_node({"metadata": {"name": _NODE}})
        status = {
            "capacity": _CAPACITY,
            "allocatable": _CAPACITY,
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self._api.patch_node_status(_NODE, {"status": status})
        self._api.patch_node(_NODE, {"spec": {"taints": []}})

    def _look(self) -> None:
        while not self._closing.wait(_POLL_S):
            pods = self._api.list_pod_for_all_namespaces(
                field_selector=f"spec.nodeName={_NODE}"
            ).items
            there = {pod.metadata.uid for pod in pods}
            for uid, run in self._runs.items():
                if uid not in there:
                    run.grace_s = 0
                    run.ending.set()  # deleted by force
            for pod in pods:
                uid = pod.metadata.uid
                if uid not in self._runs and pod.metadata.deletion_timestamp is None:
                    folder = self.folder / str(len(self._runs))
                    self._runs[uid] = PodRun(self._api, pod, folder, self._containers)
                elif uid in self._runs and pod.metadata.deletion_timestamp is not None:
                    self._runs[uid].grace_s = pod.metadata.deletion_grace_period_seconds or 0
                    self._runs[uid].ending.set()
            alive = sum(each.thread.is_alive() for each in self._runs.values())
            self.most_at_once = max(self.most_at_once, alive)


class PodRun:
    """One pod, from its binding to its end."""

    def __init__(
        self, api: client.CoreV1Api, pod: Any, folder: Path, containers: Containers
    ) -> None:
        self._api = api
        self._pod = api.api_client.sanitize_for_serialization(pod)
        self.name = pod.metadata.name
        self.namespace = pod.metadata.namespace
        self.folder = folder
        number = next(_addresses)
        self.address = f"127.{64 + os.getpid() % 128}.{number // 250}.{number % 250 + 1}"
        self._containers = containers
        self.closing, self.ending, self.grace_s = threading.Event(), threading.Event(), 30
        self._mounts: dict[str, Path] = {}
        self.sidecar: subprocess.Popen | None = None
        self.main: subprocess.Popen | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._make_volumes()
            self._live()
        finally:
            for process in (self.main, self.sidecar):
                self._stop(process, self.grace_s)
        if self.ending.is_set():
            self._api_call(
                self._api.delete_namespaced_pod, self.name, self.namespace, grace_period_seconds=0
            )

    def _live(self) -> None:
        spec = self._pod["spec"]
        for each in spec.get("initContainers", []):
            process = self._start(each)
            if each.get("restartPolicy") == "Always":
                self.sidecar = process
                if not self._healthy(each["startupProbe"], process):
                    self._tell("Failed", reason="SidecarNotStarted", message=self._words(each))
                    return
            elif process.wait() != 0:
                self._tell("Failed", reason="InitFailed", message=self._words(each))
                return
        (container,) = spec["containers"]
        self.main = self._start(container)
        if self._healthy(container["readinessProbe"], self.main):
            self._tell("Running", ready=True)
        while self.main.poll() is None and not self._over():
            time.sleep(_POLL_S / 2)
        if self._over():
            return
        code = self.main.returncode
        code = code if code >= 0 else 128 - code
        terminated = {
            "exitCode": code,
            "message": self._words(container) if code else "",
            "reason": "Error" if code else "Completed",
        }
        self._tell("Failed" if code else "Succeeded", container=container, terminated=terminated)

    def _make_volumes(self) -> None:
        self.folder.mkdir()
        for volume in self._pod["spec"]["volumes"]:
            path = self.folder / volume["name"]
            path.mkdir()
            if os.geteuid() == 0:
                os.chown(path, 0, USER)
            path.chmod(0o2777)
            if "configMap" in volume:
                name = volume["configMap"]["name"]
                found = self._api.read_namespaced_config_map(name, self.namespace).data
                for key, text in found.items():
                    (path / key).write_text(text)
            elif "secret" in volume:
                name = volume["secret"]["secretName"]
                found = self._api.read_namespaced_secret(name, self.namespace).data
                for key, text in found.items():
                    (path / key).write_bytes(base64.b64decode(text))
            self._mounts[volume["name"]] = path

    def _start(self, container: dict) -> subprocess.Popen:
        log = self.folder / f"{container['name']}.log"
        return self._containers.start(self._pod, container, self._mounts, self.address, log)

    def _healthy(self, probe: dict, process: subprocess.Popen) -> bool:
        while process.poll() is None and not self._over():
            if self._healthy_now(probe):
                return True
            self.ending.wait(_PROBE_S)
        return False

    def _healthy_now(self, probe: dict) -> bool:
        if "httpGet" in probe:
            return self._answers(probe["httpGet"])
        with grpc.insecure_channel(f"{self.address}:{probe['grpc']['port']}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
            return answer.status == health_pb2.HealthCheckResponse.SERVING

    def _answers(self, wanted: dict) -> bool:
        """As a kubelet asks: whose certificate it is does not matter to it."""
        assert wanted["scheme"] == "HTTPS"
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(
                f"https://{self.address}:{wanted['port']}{wanted['path']}",
                timeout=2,
                context=context,
            ) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _over(self) -> bool:
        return self.ending.is_set() or self.closing.is_set()

    def said(self, container: str) -> str:
        """What a container wrote, as far as it was started."""
        path = self.folder / f"{container}.log"
        return path.read_text() if path.exists() else ""

    def _words(self, container: dict) -> str:
        return self.said(container["name"])[-_LAST_WORDS:]

    def _stop(self, process: subprocess.Popen | None, grace_s: float) -> None:
        if process is None or process.poll() is not None:
            return
        self._containers.terminate(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
        process.kill()
        process.wait()

    def _tell(
        self,
        phase: str,
        *,
        ready: bool = False,
        container: dict | None = None,
        terminated: dict | None = None,
        reason: str | None = None,
        message: str | None = None,
    ) -> None:
        status: dict[str, Any] = {
            "phase": phase,
            "podIP": self.address,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        }
        if terminated is not None and container is not None:
            status["containerStatuses"] = [
                {
                    "name": container["name"], "image": container["image"], "imageID": "",
                    "ready": False, "restartCount": 0, "state": {"terminated": terminated},
                }
            ]  # fmt: skip
        if reason:
            status |= {"reason": reason, "message": message}
        self._api_call(
            self._api.patch_namespaced_pod_status, self.name, self.namespace, {"status": status}
        )

    def _api_call(self, call: Any, *arguments: Any, **named: Any) -> None:
        """A call about a pod that may have gone meanwhile."""
        try:
            call(*arguments, **named)
        except ApiException as error:
            if error.status not in {404, 409}:
                raise
