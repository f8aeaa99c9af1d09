"""How the stand-in for the kubelet starts a container: as a process here, or out of an image."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from sinaloa_operator.pods import USER
from sonora.image.local import local_image
from support.processes import children

_PROFILES = Path(__file__).parents[2] / "sinaloa_operator/manifests/seccomp"
_UNDER_PROFILE = str(Path(__file__).parent / "under_profile.py")


class Containers(Protocol):
    """Starts and ends containers."""

    def start(
        self,
        pod: Mapping[str, Any],
        container: Mapping[str, Any],
        volumes: Mapping[str, Path],
        address: str,
        log: Path,
    ) -> subprocess.Popen:
        """Have a container run on this address, with these folders as volumes."""

    def terminate(self, process: subprocess.Popen) -> None:
        """Ask a container to end."""


class HostContainers:
    """No image, no namespace: the command as this installation has it, and folders by their names.

    Under the seccomp profile that the pod names.
    """

    def __init__(self) -> None:
        self._image = str(local_image().folder)

    def start(
        self,
        pod: Mapping[str, Any],
        container: Mapping[str, Any],
        volumes: Mapping[str, Path],
        address: str,
        log: Path,
    ) -> subprocess.Popen:
        mounts = sorted(
            container["volumeMounts"], key=lambda each: len(each["mountPath"]), reverse=True
        )

        def here(word: str) -> str:
            shown = word.replace("0.0.0.0", address)
            for mount in mounts:
                if mount["mountPath"] != "/tmp":
                    shown = shown.replace(mount["mountPath"], str(volumes[mount["name"]]))
            return shown

        words = [here(word) for word in [*container["command"], *container.get("args", [])]]
        scripts = sysconfig.get_path("scripts")
        words[0] = str(shutil.which(words[0], path=f"{scripts}:{os.environ['PATH']}"))
        given = {each["name"]: here(each["value"]) for each in container.get("env", [])}
        environment = {**os.environ, "SONORA_IMAGE": self._image, **given}
        return _run([*under_profile(pod), *words], log, environment)

    def terminate(self, process: subprocess.Popen) -> None:
        process.send_signal(signal.SIGTERM)


class ImageContainers:
    """Out of unpacked images, as runtimes do it: by bubblewrap, with a root that is only read.

    Namespaces for processes, mounts and queues, the pod's user, no capability, no new privileges,
    the pod's seccomp profile. The network is this machine's.
    """

    def __init__(self, roots: Mapping[str, Path], paths: Mapping[str, str]) -> None:
        self._roots, self._paths = roots, paths

    def start(
        self,
        pod: Mapping[str, Any],
        container: Mapping[str, Any],
        volumes: Mapping[str, Path],
        address: str,
        log: Path,
    ) -> subprocess.Popen:
        root = self._roots[container["image"]]
        binds: list[object] = []
        for mount in container["volumeMounts"]:
            (root / mount["mountPath"][1:]).mkdir(parents=True, exist_ok=True)
            kind = "--ro-bind" if mount.get("readOnly") else "--bind"
            binds += [kind, volumes[mount["name"]], mount["mountPath"]]
        words = [*container["command"], *container.get("args", [])]
        given = [
            word
            for each in container.get("env", [])
            for word in ("--setenv", each["name"], each["value"])
        ]
        command = [
            *under_profile(pod), shutil.which("bwrap"), "--ro-bind", root, "/", "--proc", "/proc",
            "--dev", "/dev", *binds, "--unshare-pid", "--unshare-ipc", "--unshare-uts",
            "--as-pid-1", "--die-with-parent", "--clearenv",
            "--setenv", "PATH", self._paths[container["image"]], "--setenv", "LANG", "C.UTF-8",
            "--setenv", "XDG_CACHE_HOME", "/tmp/cache", *given,
            "--chdir", "/", "/usr/bin/setpriv", f"--reuid={USER}", f"--regid={USER}",
            "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all",
            *[word.replace("0.0.0.0", address) for word in words],
        ]  # fmt: skip
        return _run(command, log, dict(os.environ))

    def terminate(self, process: subprocess.Popen) -> None:
        for each in children(process.pid):
            os.kill(each, signal.SIGTERM)


def under_profile(pod: Mapping[str, Any]) -> list[str]:
    """What a command begins with to run under the seccomp profile that a pod names."""
    profile = pod["spec"]["securityContext"]["seccompProfile"]
    if profile["type"] != "Localhost":
        return []
    name = Path(profile["localhostProfile"])
    assert name.parent.name == "veracruz"
    return [sys.executable, _UNDER_PROFILE, str(_PROFILES / name.name)]


def _run(command: list[object], log: Path, environment: Mapping[str, str]) -> subprocess.Popen:
    with log.open("wb") as file:
        return subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            env=environment, cwd=log.parent,
        )  # fmt: skip
