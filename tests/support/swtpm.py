"""A real TPM 2.0 implementation in a process of its own: swtpm, as Debian packages it.

`manufacturer` is a CA of swtpm's own making, whose TPMs have endorsement certificates up to its
root. A copy of a TPM's state is the same TPM with the same keys.
"""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sonora.evidence.tpm.answers import u16, u32
from sonora.evidence.tpm.commands import ENDORSEMENT, Tpm
from sonora.evidence.tpm.source import TpmSettings
from sonora.evidence.tpm.transport import TpmPlace
from support.patience import PATIENCE_S
from support.processes import eventually

needs_swtpm = pytest.mark.skipif(
    shutil.which("swtpm") is None or shutil.which("swtpm_setup") is None,
    reason="there is no swtpm: apt-get install swtpm swtpm-tools",
)
_PCR_EXTEND, _EVICT_CONTROL, _HIERARCHY_CHANGE_AUTH = 0x182, 0x120, 0x129
_OWNER = 0x40000001


@dataclass(frozen=True)
class Manufacturer:
    """A CA, and the folder in which its TPMs are made."""

    folder: Path

    @property
    def root(self) -> Path:
        """Its root certificate, PEM."""
        return self.folder / "ca" / "swtpm-localca-rootca-cert.pem"

    @property
    def issuer(self) -> Path:
        """The certificate between the root and those of TPMs, PEM."""
        return self.folder / "ca" / "issuercert.pem"

    def make(self, name: str) -> Path:
        """The state of a new TPM with an endorsement certificate."""
        state = self.folder / name
        state.mkdir()
        done = subprocess.run(
            ["swtpm_setup", "--tpm2", "--config", self.folder / "swtpm_setup.conf",
             "--tpmstate", state, "--create-ek-cert", "--lock-nvram", "--overwrite",
             "--pcr-banks", "sha256"],
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return state


def manufacturer(folder: Path) -> Manufacturer:
    """A manufacturer that has made nothing yet."""
    folder.mkdir(exist_ok=True)
    (folder / "swtpm_setup.conf").write_text(
        f"create_certs_tool = /usr/bin/swtpm_localca\n"
        f"create_certs_tool_config = {folder}/swtpm-localca.conf\n"
        f"create_certs_tool_options = {folder}/swtpm-localca.options\n"
        f"active_pcr_banks = sha256\n"
    )
    (folder / "swtpm-localca.conf").write_text(
        f"statedir = {folder}/ca\n"
        f"signingkey = {folder}/ca/signkey.pem\n"
        f"issuercert = {folder}/ca/issuercert.pem\n"
        f"certserial = {folder}/ca/certserial\n"
    )
    (folder / "swtpm-localca.options").write_text(
        "--platform-manufacturer Veracruz\n--platform-version 1\n--platform-model test\n"
    )
    return Manufacturer(folder)


@dataclass
class RunningTpm:
    """A TPM that answers at `place`."""

    place: TpmPlace
    process: subprocess.Popen[bytes]

    def settings(self, **more: object) -> TpmSettings:
        """Settings for a source of its evidence."""
        return TpmSettings(self.place, **more)  # type: ignore[arg-type]

    def make_persistent(self, template: bytes, hierarchy: int, handle: int) -> int:
        """A primary key that stays at `handle`, as `tpm2_evictcontrol` has it."""
        with Tpm(self.place.open()).primary(hierarchy, template) as (key, _):
            password = u32(0x40000009) + u16(0) + b"\0" + u16(0)
            body = u32(_OWNER) + u32(key) + u32(len(password)) + password + u32(handle)
            self._ask(_EVICT_CONTROL, body)
        return handle

    def set_endorsement_password(self, password: bytes) -> None:
        """Have the endorsement hierarchy want a password, as `tpm2_changeauth -c e` does."""
        none = u32(0x40000009) + u16(0) + b"\0" + u16(0)
        body = u32(ENDORSEMENT) + u32(len(none)) + none + u16(len(password)) + password
        self._ask(_HIERARCHY_CHANGE_AUTH, body)

    def extend(self, register: int, digest: bytes) -> None:
        """Extend a register of the SHA-256 bank, as firmware would."""
        password = u32(0x40000009) + u16(0) + b"\0" + u16(0)
        body = u32(register) + u32(len(password)) + password + u32(1) + u16(0x0B) + digest
        self._ask(_PCR_EXTEND, body)

    def _ask(self, command: int, body: bytes) -> None:
        answer = self.place.open()(u16(0x8002) + u32(10 + len(body)) + u32(command) + body)
        assert answer[6:10] == bytes(4), answer.hex()


@contextlib.contextmanager
def running(state: Path, *, unix: bool = False) -> Iterator[RunningTpm]:
    """The TPM with this state, powered on; over TCP on this machine, or a Unix socket."""
    if unix:
        place = TpmPlace("unix", str(state / "tpm.sock"))
        server = f"type=unixio,path={place.where}"
    else:
        port = _free_port()
        place = TpmPlace("tcp", f"127.0.0.1:{port}")
        server = f"type=tcp,port={port},bindaddr=127.0.0.1,disconnect"
    command = [
        "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--server", server,
        "--flags", "not-need-init,startup-clear",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # it tells of each connection
    try:
        assert eventually(lambda: process.poll() is not None or _listens(place))
        assert process.poll() is None, "swtpm ended"
        yield RunningTpm(place, process)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def copied(state: Path, folder: Path) -> Path:
    """A copy of a TPM's state: the same TPM, to be run by itself."""
    folder.mkdir()
    shutil.copy(state / "tpm2-00.permall", folder)
    return folder


def _listens(place: TpmPlace) -> bool:
    try:
        place.connect().close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
