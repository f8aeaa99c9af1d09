"""Mutated modules and components get a verdict that the engine agrees with, none crashes or hangs.

`support.fuzzing` says what the environment can ask for.
"""

import sys

from support.certification import assert_certified_exactly_if_it_runs
from support.fuzzing import run
from support.mutation import component_seeds, mutated, program_seeds, seeds


def prepare():
    bases = [*seeds(), *component_seeds(), *program_seeds()]

    def case(random, _):
        report = assert_certified_exactly_if_it_runs(mutated(random, random.choice(bases), bases))
        return "certified" if report.certified else "refused"

    return case


if __name__ == "__main__":
    sys.exit(run("fuzz_tlaxcala", prepare, memory_bytes=None))
