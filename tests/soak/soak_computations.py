"""Computation after computation through the same services, which must not grow.

Each is whole: a new isolate, a program, an input, a session that is refused, a result, shutdown.
What Tabasco, Sonora and its zygote hold in memory, open files and child processes is taken after
the first ten and at the end.

SOAK_SECONDS: how long (600). SOAK_GROWTH_MIB: resident memory that each may gain (8).
"""

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from colima import runtime
from support.processes import children
from support.runtime_guests import COLLECTOR, Collected
from support.stack import DATA, PI, RESULT, Stack

WARM_UP = 10
REPORT_EVERY = 50
MIB = 1024 * 1024
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Held:
    """What a process holds."""

    resident_bytes: int
    descriptors: int
    children: int


def held(process_id):
    """What this process holds now."""
    proc = Path("/proc", str(process_id))
    pages = int((proc / "statm").read_text().split()[1])
    descriptors = len(list((proc / "fd").iterdir()))
    return Held(pages * PAGE_BYTES, descriptors, len(children(process_id)))


def say(text):
    sys.stdout.write(f"soak_computations: {text}\n")
    sys.stdout.flush()


def compute(stack, number):
    """One computation from end to end."""
    content = f"input {number}".encode()
    with stack.computation([PI], [DATA], [RESULT], program=COLLECTOR, data=[1]) as computation:
        computation.send_program()
        with computation.caller(1) as stranger:
            stranger.refusal(runtime.GetResult())
        computation.send_data(1, content)
        result = computation.result(2)
        assert Collected.parse(result, count=1).items == (content,)
        assert computation.shut_down(2) == 0


def watched(stack):
    """The processes that outlive a computation."""
    (zygote,) = children(stack.sonora.process_id)
    return {
        "tabasco": stack.tabasco.process_id,
        "sonora": stack.sonora.process_id,
        "zygote": zygote,
    }


def grown(before, after, allowed_bytes):
    """What one process holds that it should not."""
    if after.resident_bytes > before.resident_bytes + allowed_bytes:
        yield f"{before.resident_bytes // MIB} MiB became {after.resident_bytes // MIB} MiB"
    if after.descriptors > before.descriptors:
        yield f"{before.descriptors} open files became {after.descriptors}"
    if after.children > before.children:
        yield f"{before.children} child processes became {after.children}"


def main():
    """Compute until the time is over, then compare."""
    seconds = float(os.environ.get("SOAK_SECONDS", "600"))
    allowed = int(os.environ.get("SOAK_GROWTH_MIB", "8")) * MIB
    with tempfile.TemporaryDirectory(prefix="veracruz-soak-") as folder:
        stack = Stack(Path(folder))
        try:
            return soak(stack, seconds, allowed)
        finally:
            stack.close()


def soak(stack, seconds, allowed):
    """The exit status: 1 when something has grown."""
    for number in range(WARM_UP):
        compute(stack, number)
    processes = watched(stack)
    before = {name: held(each) for name, each in processes.items()}
    end, count = time.monotonic() + seconds, WARM_UP
    while time.monotonic() < end:
        compute(stack, count)
        count += 1
        if count % REPORT_EVERY == 0:
            say(f"{count} computations")
    time.sleep(1)  # what has ended is reaped
    faults = [
        f"{name}: {fault}"
        for name, each in processes.items()
        for fault in grown(before[name], held(each), allowed)
    ]
    for fault in faults:
        say(fault)
    say(f"{count} computations, {'nothing has grown' if not faults else 'something has grown'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
