import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
HARNESS = TESTS / "fuzz/fuzz_tlaxcala.py"


def harness(*arguments, **settings):
    path = f"{TESTS}{os.pathsep}{TESTS / 'fuzz'}"
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_harness_says_the_same_of_the_same_seed():
    first = harness(HARNESS, FUZZ_SEED="x", FUZZ_CASES="20")
    assert first.returncode == 0, first.stderr
    assert "20 cases without fault" in first.stdout
    again = harness(HARNESS, FUZZ_SEED="x", FUZZ_CASES="20")
    assert counts(again.stdout) == counts(first.stdout)


def counts(stdout):
    """What came of the cases, which the last line ends with."""
    return stdout[stdout.index("{") :]


@pytest.mark.parametrize(
    ("fault", "status"),
    [("os.abort()", -signal.SIGABRT), ("1 / 0", 1), ("time.sleep(999)", -signal.SIGKILL)],
)
def test_a_case_that_crashes_fails_or_hangs_is_named(fault, status):
    script = f"""import os, sys, time
import fuzz_tlaxcala
from support import fuzzing
fuzz_tlaxcala.assert_certified_exactly_if_it_runs = lambda code: {fault}
fuzzing.PATIENCE_SECONDS = 0
sys.exit(fuzzing.run("fuzz_tlaxcala", fuzz_tlaxcala.prepare, memory_bytes=None))"""
    done = harness("-c", script, FUZZ_SEED="x", FUZZ_FIRST="7")
    assert done.returncode == 1
    assert f"failed with status {status}: FUZZ_SEED=x FUZZ_FIRST=7" in done.stdout
