"""What the benchmarks share: paired rounds, figures with their spread, and memory of processes.

Ours and the reference run in turn within one process and one run, and who goes first changes from
round to round. A figure is the median of the rounds' ratios with its quartiles: on a machine that
does other work too, seconds mean nothing and ratios of neighbours still do.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a figure is held against: `<=` or `>=`."""

    relation: str
    bound: float

    def met_by(self, value: float) -> bool:
        """Whether a figure of this value keeps to it."""
        return value <= self.bound if self.relation == "<=" else value >= self.bound

    def __str__(self) -> str:
        return f"{self.relation} {self.bound:g}"


def at_most(bound: float) -> Goal:
    """A figure that should not be larger."""
    return Goal("<=", bound)


def at_least(bound: float) -> Goal:
    """A figure that should not be smaller."""
    return Goal(">=", bound)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a benchmark, a value per round.

    Attributes:
        what: was measured.
        against: what a ratio has below its line; for other units, from where it counts.
        values: one per round.
        goal: None for a figure that is only good to know.
        unit: empty for a ratio.
    """

    what: str
    against: str
    values: Sequence[float]
    goal: Goal | None = None
    unit: str = ""

    @property
    def median(self) -> float:
        """The value in the middle."""
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """A quarter of the values is below the first, a quarter above the second."""
        if len(self.values) < 2:
            return self.median, self.median
        first, _, third = statistics.quantiles(self.values, n=4, method="inclusive")
        return first, third

    def facts(self) -> dict[str, Any]:
        """The figure for machines."""
        first, third = self.quartiles
        return {
            "what": self.what,
            "against": self.against,
            "median": self.median,
            "q1": first,
            "q3": third,
            "rounds": len(self.values),
            "unit": self.unit,
            "goal": None if self.goal is None else str(self.goal),
            "met": None if self.goal is None else self.goal.met_by(self.median),
        }


Measure: TypeAlias = Callable[[], float]
"""Does something once; how many seconds that took."""


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def processor_seconds(work: Callable[[], object]) -> float:
    """How long processors are busy with `work`, in all threads of this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def processor_seconds_with(processes: Sequence[int], work: Callable[[], object]) -> float:
    """The same, and in these processes; of those the kernel tells hundredths."""
    before = [_processor_seconds_of(each) for each in processes]
    own = processor_seconds(work)
    after = [_processor_seconds_of(each) for each in processes]
    return own + sum(after) - sum(before)


def _processor_seconds_of(process_id: int) -> float:
    stat = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii", errors="replace")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Paired:
    """Seconds of ours and of the reference, round by round."""

    ours: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)

    @property
    def time_ratios(self) -> list[float]:
        """How many times as long ours takes."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.reference, strict=True)]

    @property
    def rate_ratios(self) -> list[float]:
        """How many times as fast ours is."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.reference, strict=True)]


def in_pairs(ours: Measure, reference: Measure, *, rounds: int) -> Paired:
    """Both, once per round, after one round of each that does not count."""
    return Paired(*in_turns([ours, reference], rounds=rounds))


def in_turns(measures: Sequence[Measure], *, rounds: int) -> list[list[float]]:
    """What each measured, round by round, after one round that does not count.

    Each round begins with another one.
    """
    for measure in measures:
        measure()
    results: list[list[float]] = [[] for _ in measures]
    turns = list(zip(measures, results, strict=True))
    for _ in range(rounds):
        for measure, found in turns:
            found.append(measure())
        turns.append(turns.pop(0))
    return results


@dataclass(frozen=True, slots=True)
class Option:
    """An option of one benchmark, a positive number: `--name`, which its `measure` gets by name."""

    name: str
    default: int
    help: str


def run(
    script: str,
    measure: Callable[..., Sequence[Figure]],
    *,
    rounds: int,
    more: Sequence[Option] = (),
) -> None:
    """Be the command line of a benchmark; `measure` gets the number of rounds, and more options."""
    summary = (measure.__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog=script, description=summary)
    parser.add_argument(
        "--rounds", type=_positive, default=rounds, help="pairs to take (%(default)s)"
    )
    for each in more:
        text = f"{each.help} (%(default)s)"
        parser.add_argument(f"--{each.name}", type=_positive, default=each.default, help=text)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    begun = time.monotonic()
    figures = measure(options.rounds, **{each.name: getattr(options, each.name) for each in more})
    took = time.monotonic() - begun
    if options.json:
        found = {"script": script, "seconds": took, "figures": [each.facts() for each in figures]}
        print(json.dumps(found))
        return
    print(f"{script}: {options.rounds} rounds in {took:.0f} s")
    print(table([each.facts() for each in figures]))


def table(figures: Sequence[dict[str, Any]]) -> str:
    """Figures for people, from their `Figure.facts`."""
    rows = [_row(each) for each in figures]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    verdict = "" if facts["met"] is None else "met" if facts["met"] else "MISSED"
    return (
        f"  {facts['what']}",
        facts["against"],
        _short(facts["median"]),
        f"[{_short(facts['q1'])} .. {_short(facts['q3'])}]",
        facts["unit"],
        "" if facts["goal"] is None else f"goal {facts['goal']}",
        verdict,
    )


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process in MiB: resident, its own alone, and the most ever resident."""

    resident: float
    own: float
    peak: float

    @classmethod
    def of(cls, process_id: int) -> "Memory":
        """What the kernel says of it now; of a process of somebody else it tells only root."""
        status = _kib(Path(f"/proc/{process_id}/status"))
        rollup = _kib(Path(f"/proc/{process_id}/smaps_rollup"))
        own = rollup["Private_Clean"] + rollup["Private_Dirty"]
        return cls(status["VmRSS"] / 1024, own / 1024, status["VmHWM"] / 1024)


def forget_peak(process_id: int) -> None:
    """Let the peak of a process begin anew, where we may."""
    with suppress(OSError):
        Path(f"/proc/{process_id}/clear_refs").write_text("5", encoding="ascii")


def children_of(process_id: int) -> list[int]:
    """The processes that this one has started and not yet reaped."""
    tasks = Path(f"/proc/{process_id}/task").glob("*/children")
    return [int(each) for task in tasks for each in task.read_text(encoding="ascii").split()]


def _kib(path: Path) -> dict[str, int]:
    """The lines of a file of /proc that end in kB."""
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    fields = [line.split() for line in lines if line.endswith(" kB")]
    return {words[0].rstrip(":"): int(words[1]) for words in fields}
