"""A real control plane of Kubernetes on loopback, for the tests of the operator.

etcd, API server, scheduler and the controllers are what they are anywhere. There are no nodes: what
a kubelet does is played by `kubelet_stand_in`.
"""

import base64
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.patience import PATIENCE_S

FOLDER = Path(os.environ.get("VERACRUZ_KUBERNETES", "/nonexistent"))
"""Where `make kubernetes` has put both programs."""
_PROGRAMS = ("etcd/usr/bin/etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
AVAILABLE = all((FOLDER / each).exists() for each in _PROGRAMS)
MISSING = "there is no control plane of Kubernetes: make kubernetes"
_CONTROLLERS = (
    "deployment-controller", "replicaset-controller", "disruption-controller",
    "garbage-collector-controller", "resourcequota-controller",
    "namespace-controller",
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class ControlPlane:
    """Its processes, which end with `close`; a file for clients per user."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="veracruz-kube-"))
        self._tokens = {"admin": secrets.token_hex(16), "operator": secrets.token_hex(16)}
        (self.folder / "tokens.csv").write_text(
            f"{self._tokens['admin']},admin,1,system:masters\n"
            f"{self._tokens['operator']},system:serviceaccount:veracruz:veracruz-operator,2\n"
        )
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (self.folder / "accounts.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        self._processes: list[subprocess.Popen] = []
        self.port, store, peers = free_port(), free_port(), free_port()
        self._run(
            "etcd", FOLDER / "etcd/usr/bin/etcd", "--data-dir", self.folder / "etcd",
            "--listen-client-urls", f"http://127.0.0.1:{store}",
            "--advertise-client-urls", f"http://127.0.0.1:{store}",
            "--listen-peer-urls", f"http://127.0.0.1:{peers}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{peers}",
            "--initial-cluster", f"default=http://127.0.0.1:{peers}", "--unsafe-no-fsync",
        )  # fmt: skip
        self._run(
            "kube-apiserver", FOLDER / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{store}", "--bind-address=127.0.0.1",
            f"--secure-port={self.port}", f"--cert-dir={self.folder}",
            f"--token-auth-file={self.folder}/tokens.csv", "--authorization-mode=RBAC",
            "--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--service-account-issuer=https://tests.veracruz",
            f"--service-account-key-file={self.folder}/accounts.pem",
            f"--service-account-signing-key-file={self.folder}/accounts.pem",
        )  # fmt: skip
        self._wait_ready()
        admin = self.client_file("admin")
        self._run(
            "kube-scheduler", FOLDER / "kube-scheduler", f"--kubeconfig={admin}",
            "--leader-elect=false", "--secure-port=0",
        )  # fmt: skip
        self._run(
            "kube-controller-manager", FOLDER / "kube-controller-manager", f"--kubeconfig={admin}",
            "--leader-elect=false", "--secure-port=0", f"--controllers={','.join(_CONTROLLERS)}",
        )  # fmt: skip

    def client_file(self, user: str) -> Path:
        """A configuration file for clients, of this user."""
        path = self.folder / f"{user}.yaml"
        cluster = {
            "server": f"https://127.0.0.1:{self.port}",
            "certificate-authority-data": base64.b64encode(
                (self.folder / "apiserver.crt").read_bytes()
            ).decode(),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self._tokens[user]}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
            "current-context": "tests",
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(PATIENCE_S)
        shutil.rmtree(self.folder)

    def _run(self, name: str, *command: object) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [str(each) for each in command],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                )
            )  # fmt: skip

    def _wait_ready(self) -> None:
        until = time.monotonic() + PATIENCE_S
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}/readyz",
            headers={"Authorization": f"Bearer {self._tokens['admin']}"},
        )
        while time.monotonic() < until:
            try:
                trust = ssl.create_default_context(cafile=str(self.folder / "apiserver.crt"))
                with urllib.request.urlopen(request, context=trust) as answer:
                    if answer.status == 200:
                        return
            except (OSError, urllib.error.URLError, json.JSONDecodeError):
                time.sleep(0.1)
        log = (self.folder / "kube-apiserver.log").read_text()[-2000:]
        raise AssertionError(f"the API server does not get ready: {log}")
