"""Mutated modules get a verdict that the engine agrees with; none crashes or hangs.

FUZZ_SECONDS: how long (60). FUZZ_CASES: how many modules at most. FUZZ_SEED: with the number of a
case it tells that case again: FUZZ_FIRST=<case> FUZZ_CASES=1.
"""

import multiprocessing
import os
import secrets
import sys
import time
from collections import Counter
from random import Random

from sdk import programs
from support.certification import assert_certified_exactly_if_it_runs
from support.mutation import mutated, seeds

PATIENCE_SECONDS = 60
REPORT_EVERY = 10_000


def say(text):
    sys.stdout.write(f"fuzz_tlaxcala: {text}\n")
    sys.stdout.flush()


def work(seed, first, most, seconds, current):
    """Case after case; the number of the one at hand is in `current`."""
    bases = [*seeds(), *(programs.load(name) for name in programs.NAMES)]
    end, seen = time.monotonic() + seconds, Counter()
    for case in range(first, first + most):
        if time.monotonic() > end:
            break
        current.value = case
        random = Random(f"{seed}:{case}")
        report = assert_certified_exactly_if_it_runs(mutated(random, random.choice(bases), bases))
        seen["cases"] += 1
        seen["certified"] += report.certified
        seen.update({finding.code for finding in report.findings})
        if seen["cases"] % REPORT_EVERY == 0:
            say(f"{seen['cases']} modules, {seen['certified']} certified")
    say(f"{seen.pop('cases')} modules without fault: {dict(sorted(seen.items()))}")


def main():
    """Watch a worker from outside: what crashes or hangs cannot tell it itself."""
    seed = os.environ.get("FUZZ_SEED") or secrets.token_hex(4)
    first = int(os.environ.get("FUZZ_FIRST", "0"))
    most = int(os.environ.get("FUZZ_CASES", str(10**9)))
    seconds = float(os.environ.get("FUZZ_SECONDS", "60"))
    say(f"seed {seed}")
    forked = multiprocessing.get_context("fork")
    current = forked.Value("q", first, lock=False)
    worker = forked.Process(target=work, args=(seed, first, most, seconds, current))
    worker.start()
    last, since = first, time.monotonic()
    while worker.is_alive():
        worker.join(1)
        if current.value != last:
            last, since = current.value, time.monotonic()
        elif time.monotonic() > since + PATIENCE_SECONDS:
            worker.kill()
            worker.join()
    if worker.exitcode:
        say(f"failed with status {worker.exitcode}: FUZZ_SEED={seed} FUZZ_FIRST={current.value}")
    return 1 if worker.exitcode else 0


if __name__ == "__main__":
    sys.exit(main())
