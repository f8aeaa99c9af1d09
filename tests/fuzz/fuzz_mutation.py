"""Every single bit of authentic evidence and of what it is verified with: each change is refused.

All cases, however long that takes (some quarter of an hour); FUZZ_FIRST and FUZZ_CASES pick some.
"""

import bisect
import itertools
import sys

from support.bit_flips import assert_refused, targets
from support.evidence_seeds import seeds
from support.fuzzing import run

TARGETS = [target for seed in seeds() for target in targets(seed)]
STARTS = [0, *itertools.accumulate(8 * len(target.data) for target in TARGETS)]


def prepare():
    proven = [target.verify(target.data) for target in TARGETS]

    def case(_, number):
        index = bisect.bisect(STARTS, number) - 1
        refused = assert_refused(TARGETS[index], number - STARTS[index], proven[index])
        return f"{TARGETS[index].name}: {'refused' if refused else 'changes nothing'}"

    return case


if __name__ == "__main__":
    sys.exit(run("fuzz_mutation", prepare, cases=STARTS[-1], timed=False))
