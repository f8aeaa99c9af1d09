"""A whole computation of three parties, against the sum of its handshakes and its run.

The services are warm and the isolate of the computation is up, as Sinaloa leaves it. Then the
clock starts: everybody attests and connects, one sends the program, one an input, and the third has
it run and fetches the result with its receipt. Handshakes are the attestations and the TLS
handshakes; the run is what the isolate says it took.
"""

import time
from dataclasses import dataclass, field

from computations import Computation, Deployment
from measuring import Figure, at_most, run

from durango import Principal
from sdk.examples import programs
from veracruz_utils.policy import Role

_PROGRAM = "linear-regression"
_INPUT = b"\x03" + bytes.fromhex("000000000000f03f0000000000000040" * 3)
_ROLES = [[Role.PI_PROVIDER], [Role.DATA_PROVIDER], [Role.RESULT_READER]]
_CAP_S = 2.0


@dataclass(slots=True)
class _Times:
    """Seconds: from the first handshake to the receipt, and in handshakes and the run."""

    whole: list[float] = field(default_factory=list)
    parts: list[float] = field(default_factory=list)


def measure(rounds: int) -> list[Figure]:
    """Do whole computations of three parties."""
    times = _Times()
    with Deployment() as deployment:
        for _ in range(rounds + 1):
            with deployment.computation(
                _ROLES, program=programs.load(_PROGRAM), data=[1]
            ) as computation:
                _compute(computation, times)
    whole, parts = times.whole[1:], times.parts[1:]
    ratios = [each / part for each, part in zip(whole, parts, strict=True)]
    return [
        Figure("a computation of three", "the whole", whole, at_most(_CAP_S), unit="s"),
        Figure("a computation of three", "its handshakes and its run", ratios),
    ]


def _compute(computation: Computation, times: _Times) -> None:
    begun = time.perf_counter()
    handshakes = 0.0

    def connect(client_id: int) -> Principal:
        nonlocal handshakes
        asked = time.perf_counter()
        principal = computation.connect(client_id)
        handshakes += time.perf_counter() - asked
        return principal

    with connect(0) as author, connect(1) as owner, connect(2) as reader:
        author.send_program(programs.load(_PROGRAM))
        owner.send_data(0, _INPUT)
        _, outcome = reader.result()
        times.whole.append(time.perf_counter() - begun)
    times.parts.append(handshakes + outcome.receipt.details.run_ms / 1000)


if __name__ == "__main__":
    run("computation", measure, rounds=10)
