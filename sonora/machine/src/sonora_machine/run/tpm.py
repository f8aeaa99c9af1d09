"""A TPM in software, for machines in the emulator: its state in a folder, and who vouches for it.

swtpm is a whole TPM 2.0 in a process; nothing but the rights of its folder protects its keys. It is
made together with a certificate authority of its own, whose keys are then thrown away: whoever
trusts that authority trusts this one TPM.
"""

import contextlib
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sonora_machine.errors import MachineError
from sonora_machine.run.programs import path_of, require_programs
from veracruz_shells.files import read_file, write_new_file
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen

STATE: Final = "state"
"""The folder with the state, below the TPM's."""
_AUTHORITY: Final = "ca.pem"
_ENDORSEMENT: Final = "endorsement.pem"
_WRITTEN_ENDORSEMENT: Final = "ek-rsa2048.crt"
"""What swtpm_setup calls the certificate of the key that Sonora shows."""
_STATE_FILE: Final = "tpm2-00.permall"
_SETUP_S: Final = 120.0
_MAX_CERTIFICATE_BYTES: Final = 64 * 1024
_OPTIONS: Final = (
    "--platform-manufacturer Veracruz\n--platform-version 1\n--platform-model emulator\n"
)


@frozen
class SoftwareTpm:
    """A TPM that there is in a folder.

    Attributes:
        folder: its folder.
        endorsement_key: the digest of its endorsement key, as appraisal policies name it.
        authority_digest: of the authority's certificate.
    """

    folder: Path
    endorsement_key: Digest
    authority_digest: Digest

    @property
    def authority(self) -> Path:
        """The certificate, PEM, of the authority that vouches for this TPM and for no other."""
        return self.folder / _AUTHORITY


def tpm_in(folder: Path) -> SoftwareTpm:
    """The TPM of a folder, which is made where there is none.

    Raises:
        MachineError: there is something else, or a TPM cannot be made.
    """
    if not (folder / STATE / _STATE_FILE).is_file():
        _make(folder)
    endorsement, authority = (
        x509.load_pem_x509_certificate(
            read_file(folder / name, limit=_MAX_CERTIFICATE_BYTES, what="certificate")
        )
        for name in (_ENDORSEMENT, _AUTHORITY)
    )
    key = endorsement.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SoftwareTpm(folder, Digest.of(key), Digest.of(authority.public_bytes(Encoding.DER)))


@contextlib.contextmanager
def locked(tpm: SoftwareTpm) -> Iterator[None]:
    """Keep the TPM for one machine at a time.

    Raises:
        MachineError: another has it.
    """
    descriptor = os.open(tpm.folder / STATE, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MachineError(
                f"the TPM in {tpm.folder} belongs to another machine that runs: "
                "end that first, or give another folder"
            ) from None
        yield
    finally:
        os.close(descriptor)


def swtpm_command(tpm: SoftwareTpm, end: int) -> list[str]:
    """What QEMU asks over a socket, whose end is this descriptor; it ends with QEMU."""
    # Not as a daemon: that one answers every command with a failure.
    return [
        "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={tpm.folder.resolve() / STATE}",
        "--ctrl", f"type=unixio,clientfd={end}", "--flags", "startup-clear", "--terminate",
    ]  # fmt: skip


def _make(folder: Path) -> None:
    """Make a TPM in a folder beside, which becomes the one that is wanted, or nothing is left."""
    require_programs("swtpm", "swtpm_setup", "swtpm_localca")
    folder = folder.resolve()
    if "," in str(folder):
        raise MachineError(f"{folder} has a comma, which swtpm reads as its own: choose another")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise MachineError(
            f"{folder} is there and holds no TPM: name one that was made here, or a new folder"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as draft:
        made = Path(draft) / "tpm"
        (made / STATE).mkdir(parents=True, mode=0o700)
        authority = Path(draft) / "authority"
        authority.mkdir()
        _run_setup(authority, made / STATE)
        issuer = (authority / "ca" / "issuercert.pem").read_bytes()
        write_new_file(made / _AUTHORITY, issuer, mode=0o644)
        written = (authority / "written" / _WRITTEN_ENDORSEMENT).read_bytes()
        endorsement = x509.load_der_x509_certificate(written).public_bytes(Encoding.PEM)
        write_new_file(made / _ENDORSEMENT, endorsement, mode=0o644)
        made.rename(folder)


def _run_setup(authority: Path, state: Path) -> None:
    settings = {
        "swtpm_setup.conf": f"create_certs_tool = {path_of('swtpm_localca')}\n"
        f"create_certs_tool_config = {authority}/localca.conf\n"
        f"create_certs_tool_options = {authority}/localca.options\n"
        "active_pcr_banks = sha256\n",
        "localca.conf": f"statedir = {authority}/ca\n"
        f"signingkey = {authority}/ca/signkey.pem\n"
        f"issuercert = {authority}/ca/issuercert.pem\n"
        f"certserial = {authority}/ca/certserial\n",
        "localca.options": _OPTIONS,
    }
    for name, text in settings.items():
        write_new_file(authority / name, text.encode(), mode=0o600)
    (authority / "written").mkdir()
    command = [
        path_of("swtpm_setup"), "--tpm2", "--config", str(authority / "swtpm_setup.conf"),
        "--tpmstate", str(state), "--create-ek-cert", "--create-platform-cert", "--lock-nvram",
        "--overwrite", "--pcr-banks", "sha256", "--write-ek-cert-files",
        str(authority / "written"),
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - a program found by its name, no shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SETUP_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MachineError(f"swtpm_setup did not end within {_SETUP_S:.0f} s") from None
    if done.returncode != 0:
        told = "\n  ".join((done.stdout + done.stderr).splitlines()[-8:])
        raise MachineError(
            f"swtpm_setup made no TPM in {state} (is its disk full?); its last output:\n  {told}"
        )
