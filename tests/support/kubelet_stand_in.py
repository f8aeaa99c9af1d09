"""A stand-in for scheduler and kubelet: it runs pods' containers as processes of this machine.

It is no kubelet. There is no image, no namespace and no cgroup: a pod's command is run as it
stands, with the folders of its volumes where its mounts are named, on an address of its own out of
127.0.0.0/8. What it does as a kubelet does: init containers one after the other, a sidecar before
the rest and after it, startup and readiness by gRPC health, SIGTERM and the grace period, phases,
exit statuses and last words in the pod's status.
"""

import base64
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kubernetes.client.exceptions import ApiException

from kubernetes import client
from sonora.image.local import local_image

_PROFILES = Path(__file__).parents[2] / "sinaloa_operator/manifests/seccomp"
_UNDER_PROFILE = str(Path(__file__).parent / "under_profile.py")
_POLL_S = 0.2
_LAST_WORDS = 2000
_addresses = itertools.count(1)


class KubeletStandIn:
    """Looks for pods of all namespaces until `close`, and runs each in a thread."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = client.CoreV1Api(api)
        self._image = str(local_image().folder)
        self.folder = Path(tempfile.mkdtemp(prefix="vk-"))
        self._closing = threading.Event()
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

    def _look(self) -> None:
        while not self._closing.wait(_POLL_S):
            pods = self._api.list_pod_for_all_namespaces().items
            there = {pod.metadata.uid for pod in pods}
            for uid, run in self._runs.items():
                if uid not in there:
                    run.grace_s = 0
                    run.ending.set()  # deleted by force
            for pod in pods:
                uid = pod.metadata.uid
                if uid not in self._runs and pod.metadata.deletion_timestamp is None:
                    folder = self.folder / str(len(self._runs))
                    self._runs[uid] = PodRun(self._api, pod, folder, self._image)
                elif uid in self._runs and pod.metadata.deletion_timestamp is not None:
                    self._runs[uid].grace_s = pod.metadata.deletion_grace_period_seconds or 0
                    self._runs[uid].ending.set()
            alive = sum(each.thread.is_alive() for each in self._runs.values())
            self.most_at_once = max(self.most_at_once, alive)


class PodRun:
    """One pod, from its binding to its end."""

    def __init__(self, api: client.CoreV1Api, pod: Any, folder: Path, image: str) -> None:
        self._api = api
        self._pod = api.api_client.sanitize_for_serialization(pod)
        self.name = pod.metadata.name
        self.namespace = pod.metadata.namespace
        self.folder = folder
        number = next(_addresses)
        self.address = f"127.{64 + os.getpid() % 128}.{number // 250}.{number % 250 + 1}"
        self._environment = {**os.environ, "SONORA_IMAGE": image}
        self.closing, self.ending, self.grace_s = threading.Event(), threading.Event(), 30
        self._mounts: dict[str, Path] = {}
        self.sidecar: subprocess.Popen | None = None
        self.main: subprocess.Popen | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._bind()
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
        for each in spec["initContainers"]:
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
        ready = False
        while self.main.poll() is None and not self._over():
            if not ready and self._healthy_now(container["readinessProbe"]):
                ready = True
                self._tell("Running", ready=True)
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

    def _bind(self) -> None:
        """The scheduler's part."""
        meta = client.V1ObjectMeta(name=self.name, namespace=self.namespace)
        target = client.V1ObjectReference(kind="Node", api_version="v1", name="stand-in")
        self._api_call(
            self._api.create_namespaced_binding,
            self.namespace,
            client.V1Binding(metadata=meta, target=target),
            _preload_content=False,
        )

    def _make_volumes(self) -> None:
        self.folder.mkdir()
        for volume in self._pod["spec"]["volumes"]:
            path = self.folder / volume["name"]
            path.mkdir()
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
        scripts = Path(sysconfig.get_path("scripts"))
        words = [*container["command"], *container.get("args", [])]
        mounts = sorted(
            container["volumeMounts"], key=lambda each: len(each["mountPath"]), reverse=True
        )
        placed = []
        for word in words:
            shown = word.replace("0.0.0.0", self.address)
            for mount in mounts:
                if mount["mountPath"] != "/tmp":
                    shown = shown.replace(mount["mountPath"], str(self._mounts[mount["name"]]))
            placed.append(shown)
        found = shutil.which(placed[0], path=os.pathsep.join([str(scripts), os.environ["PATH"]]))
        placed[0] = str(found)
        profile = self._pod["spec"]["securityContext"]["seccompProfile"]
        if profile["type"] == "Localhost":
            name = Path(profile["localhostProfile"])
            assert name.parent.name == "veracruz"
            placed = [sys.executable, _UNDER_PROFILE, str(_PROFILES / name.name), *placed]
        with (self.folder / f"{container['name']}.log").open("wb") as log:
            return subprocess.Popen(
                placed, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self._environment, cwd=self.folder,
            )  # fmt: skip

    def _healthy(self, probe: dict, process: subprocess.Popen) -> bool:
        while process.poll() is None and not self._over():
            if self._healthy_now(probe):
                return True
            time.sleep(_POLL_S)
        return False

    def _healthy_now(self, probe: dict) -> bool:
        with grpc.insecure_channel(f"{self.address}:{probe['grpc']['port']}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
            return answer.status == health_pb2.HealthCheckResponse.SERVING

    def _over(self) -> bool:
        return self.ending.is_set() or self.closing.is_set()

    def _words(self, container: dict) -> str:
        return (self.folder / f"{container['name']}.log").read_text()[-_LAST_WORDS:]

    def _stop(self, process: subprocess.Popen | None, grace_s: float) -> None:
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
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
