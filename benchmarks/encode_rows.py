"""Processor time and memory of encoding and decoding a million rows of CSV by `veracruz-sdk`.

Both are of the whole command, as the kernel counts them for its process: start-up, reading, and
writing the file. The reference for the time reads the same file by Python's `csv` and does nothing
else. `people` is a set, in which repeats are looked for; `points` is a Vec of two numbers.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from measuring import Figure, Option, at_most, run

_PEOPLE: Final = "HashSet<{name: String, employee_id: String, age: u8, grade: u8}>"
_POINTS: Final = "Vec<(f64, f64)>"
_MOST_S: Final = 5
_MOST_MIB: Final = 200


def measure(rounds: int, rows: int) -> list[Figure]:
    """Encode tables of a million rows."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, kind, lines in (
            ("people", _PEOPLE, _people(rows)),
            ("points", _POINTS, _points(rows)),
        ):
            source = Path(folder, f"{name}.csv")
            # Bit by bit: the kernel counts our peak as that of a process that we start.
            with source.open("w", encoding="utf-8") as file:
                file.writelines(lines)
            encoded, again = source.with_suffix(".dat"), source.with_suffix(".again.csv")
            for command, files in (("encode", (source, encoded)), ("decode", (encoded, again))):
                found = [_run(command, kind, *files) for _ in range(rounds)]
                seconds = [each[0] for each in found]
                ratios = [each / _reading(source) for each in seconds]
                peaks = [each[1] for each in found]
                what = f"{command[:-1]}ing {rows} rows of {name}"
                figures += [
                    Figure(what, "processor time", seconds, at_most(_MOST_S), unit="s"),
                    Figure(what, "reading it by csv", ratios),
                    Figure(what, "rate", [rows / each for each in seconds], unit="rows/s"),
                    Figure(what, "peak", peaks, at_most(_MOST_MIB), unit="MiB"),
                ]
    return figures


def _people(rows: int) -> Iterator[str]:
    random = Random(1)  # noqa: S311 - sample data
    for number in range(rows):
        name = f"Clare Müller {random.randrange(1000)}"
        yield f"{name},E{100_000 + number},{random.randrange(18, 68)},{random.randrange(1, 13)}\n"


def _points(rows: int) -> Iterator[str]:
    random = Random(1)  # noqa: S311 - sample data
    for _ in range(rows):
        yield f"{random.random() * 100!r},{random.random()!r}\n"


def _run(what: str, kind: str, source: Path, target: Path) -> tuple[float, float]:
    """Seconds of processor time and the most MiB that were resident."""
    command = [sys.executable, "-c", "from sdk.cli import main; main()", what, "--force"]
    command += ["--type", kind, str(source), str(target)]
    with subprocess.Popen(command) as process:  # noqa: S603 - our own command
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{what} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _reading(source: Path) -> float:
    """Seconds of processor time that reading takes by itself."""
    begun = time.process_time()
    with source.open(encoding="utf-8", newline="") as file:
        for _ in csv.reader(file):
            pass
    return time.process_time() - begun


if __name__ == "__main__":
    run("encode_rows", measure, rounds=3, more=[Option("rows", 1_000_000, "rows of each table")])
