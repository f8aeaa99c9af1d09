"""A cluster for tests of the operator: a real control plane, and a stand-in for the kubelet."""

import base64
import os
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import yaml

from durango import Principal, attest
from kubernetes import client, config, dynamic
from sinaloa_operator.names import API_VERSION, COMPUTATION_LABEL, SINALOA_PORT
from support.control_plane import ControlPlane
from support.kubelet_stand_in import KubeletStandIn
from support.patience import PATIENCE_S
from support.pod_containers import Containers, HostContainers
from support.runtime_guests import HELLO
from support.stack import PI, RESULT, Stack, new_party
from veracruz_shells.tls_files import ClientFiles
from veracruz_utils.address import Address
from veracruz_utils.policy import Policy

MANIFESTS = Path(__file__).parents[2] / "sinaloa_operator/manifests"
NAMESPACE = "computations"


class OperatedCluster:
    """The control plane with our manifests applied, and hands for what tests do in it."""

    def __init__(
        self,
        server: ControlPlane,
        stack: Stack,
        folder: Path,
        containers: Containers | None = None,
    ) -> None:
        self.server, self.stack, self.folder = server, stack, folder
        api = config.new_client_from_config(str(server.client_file("admin")))
        self.core = client.CoreV1Api(api)
        self.dynamic = dynamic.DynamicClient(api)
        self.kubelet = KubeletStandIn(api, containers or HostContainers())
        self._operators: list[subprocess.Popen] = []
        for path in sorted((MANIFESTS / "base").glob("*.yaml")):
            document = yaml.safe_load(path.read_text())
            if document["kind"] == "CustomResourceDefinition":
                self.create(document)
        self.until(lambda: self._knows("Computation") and self._knows("Attestation"))
        self.create(yaml.safe_load((MANIFESTS / "base/namespace.yaml").read_text()))
        self.core.create_namespace({"metadata": {"name": NAMESPACE}})
        for path in sorted((MANIFESTS / "base").glob("*role*.yaml")):
            self.create(yaml.safe_load(path.read_text()))
        root = (stack.folder / "sonora").iterdir()
        self.secret("software-root", {path.name: path for path in root if path.is_file()})

    def secret(self, name: str, files: Mapping[str, Path]) -> None:
        """A secret with these files, by the names in it."""
        data = {key: base64.b64encode(path.read_bytes()).decode() for key, path in files.items()}
        self.core.create_namespaced_secret(NAMESPACE, {"metadata": {"name": name}, "data": data})

    def create(self, document: dict, **named: object) -> dict:
        """Create an object; what the schema does not know is an error."""
        kind = self.dynamic.resources.get(api_version=document["apiVersion"], kind=document["kind"])
        namespace = document["metadata"].get("namespace")
        found = kind.create(
            body=document,
            namespace=namespace,
            query_params=[("fieldValidation", "Strict")],
            **named,
        )
        return found.to_dict()

    def policy(self, *names: str, **terms: object) -> tuple[Policy, list]:
        """A policy of the stack and its principals; the first sends the program and reads."""
        parties = [new_party(name) for name in names or ("author",)]
        members = [(party, [PI, RESULT]) for party in parties[:1]]
        members += [(party, [RESULT]) for party in parties[1:]]
        raw = self.stack.policy(members, program=HELLO, **terms)
        return Policy.parse(raw, at=datetime.now(UTC)), parties

    def document(self, name: str, policy: Policy, **spec: object) -> dict:
        return {
            "apiVersion": API_VERSION,
            "kind": "Computation",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "policy": policy.raw.decode(),
                "platform": "linux-software-root",
                "softwareRootSecret": "software-root",
                **spec,
            },
        }

    def of(self, version: str, kind: str):
        """All objects of a kind."""
        return self.dynamic.resources.get(api_version=version, kind=kind)

    @property
    def computations(self):
        return self.of(API_VERSION, "Computation")

    def status(self, name: str) -> dict:
        found = self.computations.get(name=name, namespace=NAMESPACE).to_dict()
        return found.get("status") or {}

    def until_phase(self, name: str, phase: str, patience_s: float = PATIENCE_S) -> dict:
        self.until(
            lambda: self.status(name).get("phase") == phase, lambda: self.status(name), patience_s
        )
        return self.status(name)

    def condition(self, name: str, kind: str) -> dict:
        (found,) = (each for each in self.status(name)["conditions"] if each["type"] == kind)
        return found

    def until_attested(self, name: str, patience_s: float = PATIENCE_S) -> None:
        self.until_phase(name, "Running", patience_s)
        self.until(
            lambda: self.condition(name, "Attested")["status"] == "True",
            lambda: self.status(name),
            patience_s,
        )

    def pods(self, name: str) -> list:
        selector = f"{COMPUTATION_LABEL}={name}"
        return self.core.list_namespaced_pod(NAMESPACE, label_selector=selector).items

    def reasons(self, name: str) -> list[str]:
        events = self.core.list_namespaced_event(NAMESPACE).items
        return [each.reason for each in events if each.involved_object.name == name]

    def gone(self, name: str) -> bool:
        items = self.computations.get(namespace=NAMESPACE).to_dict()["items"]
        return name not in [each["metadata"]["name"] for each in items]

    def listens(self, pod: str) -> bool:
        """Whether the bridge of this pod takes calls."""
        with suppress(OSError):
            where = self.address_of(pod)
            socket.create_connection((where.host, where.port), timeout=1).close()
            return True
        return False

    def address_of(self, pod: str) -> Address:
        """Where the bridge of this pod listens."""
        return Address(self.kubelet.run_of(pod).address, SINALOA_PORT)

    def complete(
        self, pod: str, policy: Policy, parties: list, tls: ClientFiles | None = None
    ) -> list[bytes | None]:
        """What principals do, until all who read have asked for shutdown; their results."""
        where = self.address_of(pod)
        results = []
        for number, party in enumerate(parties):
            attested = attest(policy, sinaloa=where, tabasco_tls=tls)
            with Principal.connect(
                policy, party, attested, sinaloa=where, timeout_s=PATIENCE_S
            ) as principal:
                if number == 0:
                    principal.send_program(HELLO)
                results.append(principal.result()[0])
                principal.shutdown()
        return results

    def delete(self, name: str) -> None:
        self.computations.delete(name=name, namespace=NAMESPACE)

    @contextmanager
    def operating(self, *arguments: str, lease_s: int = 6):
        """An operator, which ends with the block."""
        process = self.start_operator(*arguments, lease_s=lease_s)
        try:
            yield process
        finally:
            self.kill(process)

    def start_operator(self, *arguments: str, lease_s: int = 6) -> subprocess.Popen:
        command = [Path(sysconfig.get_path("scripts")) / "veracruz-operator"]
        return self.start_operator_by(command, *arguments, lease_s=lease_s)

    def start_operator_by(
        self, command: list, *arguments: str, lease_s: int = 6
    ) -> subprocess.Popen:
        """An operator that this command starts."""
        log = self.folder / f"operator-{len(self._operators)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [
                    *command, "run", "--image", "registry.example/veracruz:tests",
                    "--interval", "0.5",
                    "--lease-seconds", str(lease_s), *arguments,
                ],
                env={**os.environ, "KUBECONFIG": str(self.server.client_file("operator"))},
                stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            )  # fmt: skip
        process.log = log
        self._operators.append(process)
        return process

    def leads(self, process: subprocess.Popen) -> bool:
        said = process.log.read_text()
        assert process.poll() is None, said
        return " leads" in said

    def kill(self, process: subprocess.Popen) -> None:
        """Without a word, as a node that is lost."""
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

    def until(self, holds, told=lambda: "", patience_s: float = PATIENCE_S) -> None:
        end = time.monotonic() + patience_s
        while not holds():
            ended = any(each.poll() not in {None, -signal.SIGKILL} for each in self._operators)
            if ended or time.monotonic() > end:
                logs = [each.log.read_text()[-3000:] for each in self._operators[-2:]]
                raise AssertionError("\n".join([str(told()), *logs]))
            time.sleep(0.2)

    def close(self) -> None:
        for each in self._operators:
            self.kill(each)
        self.kubelet.close()

    def _knows(self, kind: str) -> bool:
        try:
            self.dynamic.resources.invalidate_cache()
            self.dynamic.resources.get(api_version=API_VERSION, kind=kind)
        except dynamic.exceptions.ResourceNotFoundError:
            return False
        return True
