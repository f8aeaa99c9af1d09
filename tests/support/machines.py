"""Machines in the emulator: what tests give them, and whether this host has what they take."""

import json
import shutil
import socket
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sonora_machine.errors import MachineError, MachineUnreachableError
from sonora_machine.image.fetch import PackageCache
from sonora_machine.image.lock import read_lock, shipped_lock
from sonora_machine.run.firmware import find_firmware
from support.patience import PATIENCE_S
from support.policies import DAY, certificate, current_document, pem
from support.stack import SCRIPTS, run


def _missing() -> list[str]:
    packages = {
        "qemu-system-x86_64": "qemu-system-x86", "swtpm": "swtpm", "swtpm_setup": "swtpm-tools"
    }  # fmt: skip
    missing = [package for name, package in packages.items() if shutil.which(name) is None]
    with suppress(MachineError):
        find_firmware()
        return missing
    return [*missing, "ovmf"]


needs_emulator = pytest.mark.skipif(
    bool(_missing()), reason=f"no machine can be started: apt-get install {' '.join(_missing())}"
)


def free_address() -> str:
    """An address on loopback that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def policy_file(
    folder: Path,
    *,
    platforms: list[str] | None = None,
    expires_at: datetime | None = None,
    bridge: str = "127.0.0.1:3011",
    machine: Mapping[str, list[str]] | None = None,
) -> Path:
    """A policy that is in force, of people who never come."""
    now = datetime.now(UTC)
    roles = {"author": ["PiProvider"], "owner": ["DataProvider"], "reader": ["ResultReader"]}
    people = [
        {
            "id": number,
            "name": name,
            "certificate": pem(certificate(name, not_before=now - DAY, not_after=now + 30 * DAY)),
            "roles": each,
        }
        for number, (name, each) in enumerate(roles.items())
    ]
    document = current_document() | {
        "identities": people,
        "data_provision_order": [1],
        "streaming_order": [],
        "sinaloa_url": bridge,
        "expires_at": (expires_at or now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "platforms": [
            {"name": name, "measurements": ["5a" * 32]} | ({"machine": machine} if machine else {})
            for name in platforms or ["tpm"]
        ],
    }
    path = folder / f"{now.timestamp()}.json"
    path.write_text(json.dumps(document))
    return path


@contextmanager
def trial(
    *words: object, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """`sonora machine run` with these words, in a process of its own."""
    command = [SCRIPTS / "sonora", "machine", "run", *map(str, words)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_S)
            process.kill()


def lock_that_can_be_had(folder: Path, wheels: Path) -> Path:
    """The shipped lock; where archives no longer have its packages, one that was just made."""
    lock, cache = read_lock(shipped_lock()), PackageCache()
    try:
        for package in lock.debian:
            cache.debian(package, lock.mirrors[package.archive])
        cache.wheels(lock)
    except MachineUnreachableError as error:
        warnings.warn(f"the shipped lock is out of date, make another: {error}", stacklevel=1)
        run("sonora", "machine", "lock", folder / "lock.json", "--wheels", wheels).done()
        return folder / "lock.json"
    return shipped_lock()
