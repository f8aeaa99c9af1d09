"""2,000 idle sessions and 64 active ones in one bridge and one isolate: what they cost and take.

All of it is real: a policy of 140 principals, the bridge as a process, the isolate behind it,
sessions that have shaken hands, each over a connection of its own. Figures: what a session costs
the bridge and the isolate, what comes back when they leave, and how long 95 % of the answers to
64 clients take that ask for the state again and again: beside 2,000 that are idle, against without
them, and while the guest runs, against an idle guest. Clients, bridge, isolate and guest share the
cores.
"""

import json
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, Final, Self

from busy_state import SPIN
from computations import Computation, Deployment
from measuring import Figure, at_most, run
from wasmtime import wat2wasm

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from durango import Principal
from support.processes import children
from veracruz_utils.policy import Role

_IDLE: Final = 2000
_ACTIVE: Final = 64
_PARTIES: Final = 140
_MOST_KIB: Final = 48.0
_MOST_IN_ISOLATE_KIB: Final = 64.0
_ASKED_S: Final = 3
_TRIM_S: Final = 6.0  # a bridge gives memory back at most every 5 s
_TURNS: Final = 200_000_000
_CLIENTS: Final = Path(__file__).with_name("session_clients.py")
_RUNNER: Final = [Role.PI_PROVIDER, Role.STREAM_PROVIDER, Role.RESULT_READER]
_ROLES: Final = [_RUNNER, *[[Role.STREAM_PROVIDER]] * (_PARTIES - 1)]


@dataclass(slots=True)
class _Measured:
    """What the rounds gave, a value each."""

    bridge: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    isolate: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    idle_ms: list[float] = field(default_factory=list)


class _Clients:
    """The process of the clients; see `session_clients.py`."""

    def __init__(self, computation: Computation, folder: Path) -> None:
        for number, party in enumerate(computation.parties):
            (folder / f"{number:03}.pem").write_bytes(party.certificate_pem())
            (folder / f"{number:03}.key").touch(mode=0o600)
            (folder / f"{number:03}.key").write_bytes(party.key_pem())
        policy = folder / "policy.json"
        policy.write_bytes(computation.policy.raw)
        certificate = computation.attest().certificate_digest
        words = [computation.policy.sinaloa, certificate, policy, folder]
        self._process = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, str(_CLIENTS), *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def open(self, count: int) -> None:
        """So many sessions more."""
        self._say("open", count)

    def ask(self) -> float:
        """How long 95 % of the answers took at most, in seconds."""
        times: Sequence[float] = self._say("ask", _ACTIVE, _ASKED_S)["times"]
        return quantiles(times, n=20)[-1]

    def _say(self, *words: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*words, file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def measure(rounds: int) -> list[Figure]:
    """Open the sessions, ask, and have the clients leave."""
    measured = _Measured()
    with Deployment() as deployment:
        text, parties = deployment.policy(_ROLES, program=bytes(wat2wasm(SPIN)), streams=[0])
        for _ in range(rounds):
            with deployment.serving(text, parties) as computation:
                _round(deployment, computation, measured)
    session = f"a session of {_IDLE + _ACTIVE}"
    busy = at_most(2)
    return [
        Figure(session, "bridge", measured.bridge, at_most(_MOST_KIB), unit="KiB"),
        Figure(session, "threads of the bridge", measured.threads, at_most(0.01)),
        Figure(session, "isolate", measured.isolate, at_most(_MOST_IN_ISOLATE_KIB), unit="KiB"),
        Figure("memory that came back when all left", "bridge's and isolate's", measured.back),
        Figure("state for 64 clients beside 2000 idle ones", "without those", measured.beside),
        Figure("state for 64 clients over a bridge", "with an idle guest", measured.busy, busy),
        Figure("95 % of answers over a bridge, idle", "within", measured.idle_ms, unit="ms"),
    ]


def _round(deployment: Deployment, computation: Computation, measured: _Measured) -> None:
    bridge = computation.bridge.process_id
    (zygote,) = children(deployment.sonora.process_id)
    front = children(zygote)[-1]
    with tempfile.TemporaryDirectory() as folder:
        clients = _Clients(computation, Path(folder))
        with clients, computation.connect(0) as runner:
            runner.send_program(bytes(wat2wasm(SPIN)))
            clients.open(_ACTIVE)
            before = _held(bridge), _held(front)
            alone = clients.ask()
            clients.open(_IDLE)
            during = _held(bridge), _held(front)
            idle = clients.ask()
            busy = _while_running(runner, clients)
        time.sleep(_TRIM_S)
        after = _held(bridge), _held(front)
    took = [during[each][0] - before[each][0] for each in (0, 1)]
    measured.bridge.append(took[0] / _IDLE)
    measured.threads.append((during[0][1] - before[0][1]) / _IDLE)
    measured.isolate.append(took[1] / _IDLE)
    measured.back.append(sum(during[each][0] - after[each][0] for each in (0, 1)) / sum(took))
    measured.beside.append(idle / alone)
    measured.busy.append(busy / idle)
    measured.idle_ms.append(1e3 * idle)


def _while_running(runner: Principal, clients: _Clients) -> float:
    """What the clients see while the guest computes, again and again."""
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            runner.send_stream(0, struct.pack("<q", _TURNS))
            runner.result()
            runner.next_round()

    computing = threading.Thread(target=compute)
    computing.start()
    try:
        return clients.ask()
    finally:
        over.set()
        computing.join()


def _held(process_id: int) -> tuple[int, int]:
    """Resident memory of a process in KiB, and its threads."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]), int(status.split("Threads:")[1].split()[0])


if __name__ == "__main__":
    run("many_sessions", measure, rounds=3)
