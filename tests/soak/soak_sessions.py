"""Two thousand sessions that come and go over one bridge of one isolate, which must not grow.

Each wave is a process of its own, with a connection for each session; half of the waves are killed
instead of leaving in good order. What bridge and isolate hold in memory and open files is taken
after the first waves and at the end, when all have left.

SOAK_SECONDS: how long (600). SOAK_GROWTH_MIB: resident memory that each may gain (8).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from soak_computations import MIB, Held, grown, held

from support.runtime_guests import HELLO
from support.stack import DATA, PI, RESULT, Stack

SESSIONS = 2000
ACTIVE = 64
ACTIVE_S = 2
PARTIES = 140
WARM_UP = 3
REST_S = 12  # memory is given back at most every 5 s, by one and then by the other
CLIENTS = Path(__file__).parents[2] / "benchmarks" / "session_clients.py"


def say(text):
    sys.stdout.write(f"soak_sessions: {text}\n")
    sys.stdout.flush()


def write_parties(computation, folder):
    """The principals' files, as the clients read them."""
    folder.mkdir()
    for number, party in enumerate(computation.parties):
        (folder / f"{number:03}.pem").write_bytes(party.certificate_pem())
        key = folder / f"{number:03}.key"
        key.touch(mode=0o600)
        key.write_bytes(party.key_pem())


def wave(words, *, killed):
    """Clients that come, ask and go; how many sessions there were at once."""
    with subprocess.Popen(
        [sys.executable, str(CLIENTS), *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as clients:
        for command in (f"open {SESSIONS}", f"ask {ACTIVE} {ACTIVE_S}"):
            print(command, file=clients.stdin, flush=True)
            answer = json.loads(clients.stdout.readline())
            there = answer.get("open", SESSIONS)
        if killed:
            clients.kill()
    return there


def main():
    seconds = int(os.environ.get("SOAK_SECONDS", "600"))
    allowed = int(os.environ.get("SOAK_GROWTH_MIB", "8")) * MIB
    end = time.monotonic() + seconds
    roles = [[PI, DATA, RESULT], *[[DATA]] * (PARTIES - 1)]
    with tempfile.TemporaryDirectory() as name:
        stack = Stack(Path(name))
        try:
            with stack.computation(*roles, program=HELLO) as computation:
                parties = Path(name, "parties")
                write_parties(computation, parties)
                certificate = computation.attest().certificate_digest
                words = [computation.address, certificate, computation.policy_file, parties]
                watched = {
                    "sinaloa": computation.sinaloa.process_id,
                    "isolate": computation.front,
                }
                before: dict[str, Held] = {}
                waves = 0
                while time.monotonic() < end or waves <= WARM_UP:
                    wave(words, killed=waves % 2 == 1)
                    time.sleep(REST_S)
                    waves += 1
                    now = {each: held(process) for each, process in watched.items()}
                    say(f"{waves} waves: {now}")
                    if waves == WARM_UP:
                        before = now
                faults = [
                    f"{each}: {fault}"
                    for each in watched
                    for fault in grown(before[each], now[each], allowed)
                ]
                computation.send_program()
                assert computation.result(0) == b"hello"
        finally:
            stack.close()
    say(f"{waves} waves of {SESSIONS} sessions")
    if faults:
        raise SystemExit("\n".join(faults))


if __name__ == "__main__":
    main()
