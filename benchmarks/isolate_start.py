"""A new isolate of a warm Sonora, against spawning Python that imports the runtime.

Ours is what a bridge waits for: from asking Sonora for an isolate of its policy until that is
locked down, has made its key and certificate, and waits for sessions. The spawned Python says that
it has imported the runtime, and has done nothing else.
"""

import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Final

from computations import Deployment
from measuring import Figure, at_most, in_pairs, run

from sinaloa import IsolateLink
from veracruz_utils.policy import Policy, Role

_PROGRAM: Final = b"\0asm\1\0\0\0"
_IMPORT: Final = "import mexico_city.isolate, sys; sys.stdout.write('!'); sys.stdout.flush()"


def measure(rounds: int) -> list[Figure]:
    """Launch isolates, and spawn Python."""
    with Deployment() as deployment:
        policy, _ = deployment.policy([[Role.PI_PROVIDER, Role.RESULT_READER]], program=_PROGRAM)
        digest = Policy.parse(policy, at=datetime.now(UTC)).digest.value

        def ours() -> float:
            begun = time.perf_counter()
            with IsolateLink.launch(deployment.socket, policy) as isolate:
                took = time.perf_counter() - begun
                assert isolate.launched.policy_digest == digest
            return took

        paired = in_pairs(ours, _spawn, rounds=rounds)
    return [
        Figure(
            "a new isolate", "spawning Python with the runtime", paired.time_ratios, at_most(0.1)
        ),
        Figure("a new isolate", "each", [each * 1e3 for each in paired.ours], unit="ms"),
    ]


def _spawn() -> float:
    begun = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", _IMPORT], stdout=subprocess.PIPE) as process:  # noqa: S603 - our own interpreter
        assert process.stdout is not None
        assert process.stdout.read(1) == b"!"
        return time.perf_counter() - begun


if __name__ == "__main__":
    run("isolate_start", measure, rounds=20)
