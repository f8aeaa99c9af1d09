"""Every single bit of authentic evidence, one after another: each change of it is refused.

All cases, however long that takes (some five minutes); FUZZ_FIRST and FUZZ_CASES pick some.
"""

import bisect
import itertools
import sys

from support.bit_flips import assert_refused
from support.evidence_seeds import seeds
from support.fuzzing import run

SEEDS = seeds()
STARTS = [0, *itertools.accumulate(8 * len(seed.data) for seed in SEEDS)]


def prepare():
    proven = [seed.verify() for seed in SEEDS]

    def case(_, number):
        index = bisect.bisect(STARTS, number) - 1
        refused = assert_refused(SEEDS[index], number - STARTS[index], proven[index])
        return f"{SEEDS[index].name}: {'refused' if refused else 'another spelling'}"

    return case


if __name__ == "__main__":
    sys.exit(run("fuzz_mutation", prepare, cases=STARTS[-1], timed=False))
