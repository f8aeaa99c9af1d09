"""What an idle session costs a bridge: memory and threads of `sinaloa` with 1,920 of them.

The bridge is the real process, with ten policies; the isolates behind it are the tests' own, which
echo. Each session has a connection of its own, as a principal's has. There is no reference: a
bridge that holds nothing is where it counts from.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from measuring import Figure, at_most, run

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support.served_policies import policy_text
from support.sinaloa_fakes import FakeSonora
from veracruz_utils.digest import Digest

_POLICIES: Final = 10
_EACH: Final = 192  # of 200 places: eight are for who comes
_MOST_KIB: Final = 48.0
_CLIENTS: Final = Path(__file__).with_name("idle_clients.py")
_TRIM_S: Final = 6.0  # a bridge gives memory back at most every 5 s
_STACK_BYTES: Final = 128 * 1024  # of the threads that play isolates


def measure(rounds: int) -> list[Figure]:
    """Open the sessions, look at the bridge, and have the clients leave."""
    each, threads, back = [], [], []
    for _ in range(rounds):
        before, during, after = _round()
        sessions = _POLICIES * _EACH
        each.append((during[0] - before[0]) / sessions)
        threads.append((during[1] - before[1]) / sessions)
        back.append((during[0] - after[0]) / (during[0] - before[0]))
    return [
        Figure("an idle session of 1920", "memory", each, at_most(_MOST_KIB), unit="KiB"),
        Figure("an idle session of 1920", "threads", threads, at_most(0.01)),
        Figure("memory that came back when all left", "of what they took", back),
    ]


def _round() -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policies").mkdir()
        digests = []
        for number in range(_POLICIES):
            text = policy_text(sinaloa=f"127.0.0.1:{number + 1}")
            (folder / "policies" / f"{number}.json").write_bytes(text)
            digests.append(str(Digest.of(text)))
        FakeSonora(folder / "sonora.sock")
        with _bridge(folder) as bridge:
            address = json.loads(bridge.stdout.readline())["address"]  # type: ignore[union-attr]
            try:
                _clients(address, _POLICIES, digests)  # isolates start with their first session
                time.sleep(_TRIM_S)
                before = _held(bridge.pid)
                during = _clients(address, _POLICIES * _EACH, digests, bridge.pid)
                time.sleep(_TRIM_S)
                return before, during, _held(bridge.pid)
            finally:
                bridge.terminate()


def _bridge(folder: Path) -> "subprocess.Popen[str]":
    command = [
        sys.executable, "-m", "sinaloa", "serve", "--policies", str(folder / "policies"),
        "--sonora", str(folder / "sonora.sock"), "--listen", "127.0.0.1:0",
        "--max-sessions", "200", "--json",
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603 - our own


def _clients(address: str, count: int, digests: list[str], bridge: int = 0) -> tuple[int, int]:
    """What the bridge holds while so many sessions are open."""
    command = [sys.executable, str(_CLIENTS), address, str(count), *digests]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:  # noqa: S603 - our own
        if it.stdout.readline() != "open\n":  # type: ignore[union-attr]
            raise RuntimeError("not all sessions were opened; standard error says why")
        held = _held(bridge or os.getpid())
        it.stdin.close()  # type: ignore[union-attr]
        return held


def _held(process_id: int) -> tuple[int, int]:
    """Resident memory of a process in KiB, and its threads."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]), int(status.split("Threads:")[1].split()[0])


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a session is a socket on each side
    threading.stack_size(_STACK_BYTES)
    run("idle_sessions", measure, rounds=3)
