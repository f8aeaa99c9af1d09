"""How a fuzz harness runs: cases by number, in a process that is watched from outside.

FUZZ_SECONDS: how long (60). FUZZ_CASES: how many cases at most. FUZZ_SEED: with the number of a
case it tells that case again: FUZZ_FIRST=<case> FUZZ_CASES=1.
"""

import multiprocessing
import os
import resource
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

PATIENCE_SECONDS = 60
MEMORY_BYTES = 2 << 30
REPORT_EVERY = 10_000

Case = Callable[[Random, int], str]
"""Does one case by its own randomness and number; raises if it fails, else says what came of it."""


@dataclass(frozen=True)
class Plan:
    """What a worker has to do.

    Attributes:
        prepare: makes the function that does a case, in the process that will call it.
        seconds: when to end; None when all cases are done.
        memory_bytes: address space that the worker may have; None for any.
    """

    name: str
    prepare: Callable[[], Case]
    seed: str
    cases: range
    seconds: float | None
    memory_bytes: int | None


def run(
    name: str,
    prepare: Callable[[], Case],
    *,
    cases: int = 10**9,
    timed: bool = True,
    memory_bytes: int | None = MEMORY_BYTES,
) -> int:
    """Case after case until the time is over (unless not `timed`); the exit status."""
    seed = os.environ.get("FUZZ_SEED") or secrets.token_hex(4)
    first = int(os.environ.get("FUZZ_FIRST", "0"))
    last = min(cases, first + int(os.environ.get("FUZZ_CASES", str(10**9))))
    seconds = float(os.environ.get("FUZZ_SECONDS", "60")) if timed else None
    _say(name, f"seed {seed}")
    forked = multiprocessing.get_context("fork")
    current = forked.Value("q", first, lock=False)
    plan = Plan(name, prepare, seed, range(first, last), seconds, memory_bytes)
    worker = forked.Process(target=_work, args=(plan, current))
    worker.start()
    _watch(worker, current)
    if worker.exitcode:
        again = f"FUZZ_SEED={seed} FUZZ_FIRST={current.value} FUZZ_CASES=1"
        _say(name, f"failed with status {worker.exitcode}: {again}")
    return 1 if worker.exitcode else 0


def _work(plan: Plan, current) -> None:
    """The number of the case at hand is in `current`, for whoever watches."""
    if plan.memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (plan.memory_bytes, plan.memory_bytes))
    case_of, seen = plan.prepare(), Counter[str]()
    end = None if plan.seconds is None else time.monotonic() + plan.seconds
    for case in plan.cases:
        if end is not None and time.monotonic() > end:
            break
        current.value = case
        seen[case_of(Random(f"{plan.seed}:{case}"), case)] += 1
        if seen.total() % REPORT_EVERY == 0:
            _say(plan.name, f"{seen.total()} cases")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    told = dict(sorted(seen.items()))
    _say(plan.name, f"{seen.total()} cases without fault, peak {peak} MiB: {told}")


def _watch(worker, current) -> None:
    """What crashes or hangs cannot tell it itself."""
    last, since = current.value, time.monotonic()
    while worker.is_alive():
        worker.join(1)
        if current.value != last:
            last, since = current.value, time.monotonic()
        elif time.monotonic() > since + PATIENCE_SECONDS:
            worker.kill()
            worker.join()


def _say(name: str, text: str) -> None:
    sys.stdout.write(f"{name}: {text}\n")
    sys.stdout.flush()
