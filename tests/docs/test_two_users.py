"""The page on two users, done as it stands there: by real users, whose numbers stand for names."""

import os
import re
import shutil
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from durango import Identity
from sonora.image.local import local_image
from support.patience import PATIENCE_S
from support.processes import children, eventually
from support.runtime_guests import HELLO
from support.users import BRIDGE, SONORA, commands_for_everybody, needs_root, open_folder
from tabasco.registry.state import StateDirectory
from veracruz import Service
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    RUNTIME_LAYERS,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    IsolationLayer,
    PolicyIdentity,
    Role,
    Strategy,
)
from veracruz_utils.policy.rendering import render_policy
from veracruz_utils.public_keys import der_of

PAGE = Path(__file__).parents[2] / "docs/how-to/run-sonora-and-sinaloa-as-two-users.md"
_STEPS = re.compile(r"<!-- tested as root -->\n```console\n(.*?)```", re.DOTALL)
_READY = re.compile(r": ready on (\S+?)[,:]?(?:\s|$)")


class Machine:
    """A delegate's machine: the page's commands are done in a folder, as the page's users."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.background: list[subprocess.Popen] = []
        self.log = folder / "log"
        scripts = folder / "bin"
        scripts.mkdir(mode=0o755)
        commands_for_everybody(("sonora", "sinaloa", "durango"), scripts)
        shutil.copytree(local_image().folder, folder / "image", symlinks=True)
        self.environment = {
            "PATH": f"{scripts}:{os.environ['PATH']}",
            "SONORA_IMAGE": str(folder / "image"),
        }
        self.port = _free_port()
        text = PAGE.read_text()
        for name, here in (
            ("/var/lib/veracruz", f"{folder}/state"),
            ("/run/veracruz", f"{folder}/run"),
            # Who is in no list of users is named with its group.
            ("user veracruz-sonora", f"user {SONORA}:{SONORA}"),
            ("user veracruz-sinaloa", f"user {BRIDGE}:{BRIDGE}"),
            ("veracruz-sonora", str(SONORA)),
            ("veracruz-sinaloa", str(BRIDGE)),
            (":3010", f":{self.port}"),
        ):
            assert name in text
            text = text.replace(name, here)
        # Each block is a step.
        self.steps = [[line[2:] for line in block.splitlines()] for block in _STEPS.findall(text)]

    def do(self, step: int) -> str:
        """Do the commands of this step; what they print."""
        printed = ""
        for command in self.steps[step]:
            if command.endswith("&"):
                printed += self._start(command.removesuffix("&"))
            else:
                done = subprocess.run(
                    command, shell=True, cwd=self.folder, env=self.environment,
                    capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                )  # fmt: skip
                assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
                printed += done.stdout
        return printed

    def _start(self, command: str) -> str:
        before = self.log.read_text() if self.log.exists() else ""
        with self.log.open("a") as log:
            service = subprocess.Popen(
                f"exec {command}", shell=True, cwd=self.folder, env=self.environment, stderr=log,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        self.background.append(service)

        def said() -> str:
            return self.log.read_text()[len(before) :]

        assert eventually(lambda: _READY.search(said()) or service.poll() is not None)
        assert _READY.search(said()), said()
        return said()

    def stop(self) -> None:
        for each in reversed(self.background):
            each.terminate()
            each.wait(PATIENCE_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ids(process_id: int) -> set[str]:
    """The real, effective, saved and file-system user of a process."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return set(status.split("Uid:")[1].splitlines()[0].split())


@pytest.fixture
def machine():
    with open_folder() as folder:
        one = Machine(folder)
        try:
            yield one
        finally:
            one.stop()


@needs_root
def test_sonora_and_sinaloa_run_as_two_users(machine):
    folder = machine.folder
    machine.do(0)
    tabasco = Service(
        "tabasco",
        [
            "serve", "--listen", f"127.0.0.1:{machine.port}", "--state", str(folder / "tabasco"),
            "--trust-root", str(folder / "state/software-root.pub.pem"),
        ],
    )  # fmt: skip
    with tabasco:
        tabasco.wait_ready()
        said = machine.do(1)
        assert "AS ROOT" not in said
        assert "separate-user" in said.split("not:")[0]
        sonora = machine.background[0].pid
        assert ids(sonora) == {str(SONORA)}
        (zygote,) = children(sonora)
        assert str(os.getuid()) not in ids(zygote)

        policy = policy_for(machine, tabasco)
        (folder / "policy.json").write_bytes(policy)
        (folder / "policy.json").chmod(0o644)
        machine.do(2)
        assert ids(machine.background[1].pid) == {str(BRIDGE)}
        assert "separate-user" in machine.do(3)


def policy_for(machine: Machine, tabasco: Service) -> bytes:
    """A policy that requires two users, beside what every new one does."""
    measured = subprocess.run(
        ["sonora", "measure"], env=machine.environment, capture_output=True, text=True, check=True
    )
    now = datetime.now(UTC)
    party = Identity.create("only", not_before=now, lifetime=timedelta(days=1))
    roles = frozenset({Role.PI_PROVIDER, Role.RESULT_READER})
    key = StateDirectory(machine.folder / "tabasco").result_key().public_key()
    return render_policy(
        at=now,
        identities=[PolicyIdentity(0, party.certificate, roles)],
        sinaloa=Address("127.0.0.1", _free_port()),
        tabasco=Address.parse(tabasco.address),
        tabasco_key=der_of(key),
        expires_at=now + timedelta(hours=1),
        ciphersuite=TLS_1_3_SUITES[0],
        platforms=[
            AcceptedPlatform(LINUX_SOFTWARE, frozenset({bytes.fromhex(measured.stdout.strip())}))
        ],
        data_provision_order=(),
        program_digest=Digest.of(HELLO),
        strategy=Strategy.JIT,
        isolation=RUNTIME_LAYERS | {IsolationLayer.SEPARATE_USER},
    )
