"""Processor time of commands of `durango` that have next to nothing to do: what start-up costs.

Each runs in a process of its own, in a folder with a policy and identities, and counts with user
and system time as the kernel says. The reference is Python with the third-party packages that a
command which connects cannot do without: click, cryptography, msgspec, OpenSSL, protobuf and gRPC.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from measuring import Figure, at_most, run

_MOST_S: Final = 0.25
_DURANGO: Final = Path(sys.executable).with_name("durango")
_REFERENCE: Final = (
    "import click, msgspec, cryptography.x509, OpenSSL.SSL, google.protobuf.message, grpc"
)
_WHO: Final = ("--certificate", "alice.cert.pem", "--key", "alice.key.pem")
_NOBODY: Final = ("--sinaloa", "127.0.0.1:1", "--timeout", "1")
_COMMANDS: Final = (
    ("--help",),
    ("identity", "show", "alice.cert.pem"),
    ("identity", "new", "--name", "bob", "--force"),
    ("policy", "show", "policy.json"),
    ("policy", "explain", "policy.json"),
    ("policy", "check", "policy.json"),
    ("policy", "diff", "policy.json", "policy.json"),
    ("policy", "sign", "policy.json", *_WHO, "--output", "consent.cbor", "--force"),
    ("release", "list"),
    ("attest", "policy.json", *_NOBODY),
    ("status", "policy.json", *_WHO, *_NOBODY),
    ("data", "send", "policy.json", "program.wasm", *_WHO, *_NOBODY),
    ("result", "get", "policy.json", "--output", "result", *_WHO, *_NOBODY),
    ("receipt", "verify", "program.wasm", "--policy", "policy.json"),
)


def measure(rounds: int) -> list[Figure]:
    """Start each command, and nothing comes of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder)
        reference = [_seconds([sys.executable, "-c", _REFERENCE], folder) for _ in range(rounds)]
        figures = [Figure("importing what others made", "processor time", reference, unit="s")]
        for words in _COMMANDS:
            found = [_seconds([str(_DURANGO), *words], folder) for _ in range(rounds + 1)][1:]
            what = "durango " + " ".join(words[:2] if words[0] in _GROUPS else words[:1])
            figures.append(Figure(what, "processor time", found, at_most(_MOST_S), unit="s"))
    return figures


_GROUPS: Final = {"identity", "policy", "release", "data", "result", "receipt"}


def _prepare(folder: Path) -> None:
    (folder / "program.wasm").write_bytes(b"\0asm\1\0\0\0")
    _durango(folder, "identity", "new", "--name", "alice")
    key = "import sys; from cryptography.hazmat.primitives.asymmetric import ec; "
    key += "from veracruz_utils.key_files import pem_of; "
    key += "sys.stdout.buffer.write(pem_of(ec.generate_private_key(ec.SECP256R1()).public_key()))"
    pem = subprocess.run([sys.executable, "-c", key], check=True, capture_output=True).stdout  # noqa: S603
    (folder / "tabasco.pem").write_bytes(pem)
    _durango(
        folder, "policy", "new", "--identity", "alice.cert.pem",
        "PiProvider,DataProvider,ResultReader", "--program", "program.wasm",
        "--platform", "linux-software-root=" + 32 * "5a", "--tabasco-key", "tabasco.pem",
        "--sinaloa", "127.0.0.1:1", "--tabasco", "127.0.0.1:2", "--output", "policy.json",
    )  # fmt: skip


def _durango(folder: Path, *words: str) -> None:
    subprocess.run([_DURANGO, *words], cwd=folder, check=True, capture_output=True)  # noqa: S603


def _seconds(command: Sequence[str], folder: Path) -> float:
    """User and system time of a process, whatever its exit status."""
    environment = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
    with subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    run("start_up", measure, rounds=7)
