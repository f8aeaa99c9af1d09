"""Progress: what a line says in so many columns, and what a terminal and a pipe get of it."""

import re
import subprocess
import sys
import time

import pytest

from support.terminals import on_terminal
from veracruz_shells.progress import Progress
from veracruz_shells.terminal import cut, width_of, wrapped

WORK = """
import sys, time
from veracruz_shells.console import note
from veracruz_shells import progress
progress._LINE_S = 0.1
progress._PATIENCE_S = float(sys.argv[1])
shown = []
show = progress._Display._show
progress._Display._show = lambda self: (show(self), shown.append(self))
with progress.progress("working on %s", length=100) as advance:
    advance(45)
    shown.clear()
    while progress._PATIENCE_S == 0 and sys.stderr.isatty() and len(shown) < 2:
        time.sleep(0.01)
    note("a note")
print("done")
"""


def work(label: str, *, patience_s: float = 0) -> list[str]:
    return [sys.executable, "-c", WORK % label, str(patience_s)]


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (60, "sending people.csv: 25%, 4 s, 12 s left"),
        (30, "sending: 25%, 4 s, 12 s left"),
        (20, "25%, 4 s, 12 s left"),
        (12, "se: 25%, 4 s"),
        (8, "25%, 4 s"),
        (3, "25%"),
        (2, "25"),
    ],
)
def test_the_label_gives_way_and_then_the_rest(columns, line):
    label = "sending" if columns == 30 else "sending people.csv"
    made = Progress(label, 400)
    made(100)
    told = made.line(columns, seconds=4)
    assert told == line
    assert width_of(told) <= columns


def test_what_nobody_knows_the_length_of_says_how_much_there_is():
    made = Progress("waiting", None)
    assert made.line(79, seconds=7) == "waiting: 7 s"
    made.become("fetching")
    made(3 << 20)
    assert made.line(79, seconds=8) == "fetching: 3.0 MiB, 8 s"


def test_a_terminal_gets_a_line_that_is_gone_at_the_end():
    status, written = on_terminal(work("it"))
    assert status == 0
    assert re.search(r"\r\x1b\[Kworking on it: 45%, \d+ s", written)
    # What else is written has a line of its own, and nothing is left of the other.
    assert written.endswith("\r\x1b[Ka note\r\ndone\r\n")


def test_what_is_done_soon_shows_nothing():
    assert on_terminal(work("it", patience_s=3600)) == (0, "a note\r\ndone\r\n")


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_go_back_gets_whole_lines(term):
    status, written = on_terminal(work("it"), TERM=term)
    assert status == 0
    assert re.search(r"working on it: 45%, \d+ s", written)
    assert "\x1b" not in written
    assert "\r" not in written.replace("\r\n", "\n")


def test_a_pipe_gets_nothing():
    done = subprocess.run(work("it"), capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("done\n", "a note\n")


@pytest.mark.parametrize("columns", [1, 2, 20])
def test_a_narrow_terminal_is_never_written_over_its_edge(columns):
    status, written = on_terminal(work("Müller 日本語 a long name"), columns=columns)
    assert status == 0
    drawn = [part for part in written.split("\r\x1b[K") if "a note" not in part]
    assert any(drawn)
    assert all(width_of(part) < max(columns, 2) for part in drawn)


def test_a_name_does_nothing_to_a_terminal():
    _, written = on_terminal(work("\\x1b[31mred\\x07"))
    assert "working on ?[31mred?: 45%" in written


def test_lines_are_broken_at_spaces_and_keep_their_words():
    text = "  input 0 (people) of alice, since 2026-01-01 日本語日本語日本語"
    for columns in range(2, 80):
        rows = list(wrapped(text, columns))
        assert all(width_of(row) <= columns for row in rows)
        assert "".join("".join(rows).split()) == "".join(text.split())
    assert list(wrapped("  short", 20)) == ["  short"]
    assert list(wrapped("input 0 of alice, since", 17)) == ["input 0 of alice,", "  since"]


def test_marks_over_letters_take_no_column():
    assert width_of("e\N{COMBINING ACUTE ACCENT}a") == 2
    assert cut("a\nb\tc", 4) == "a?b?"


def test_it_counts_from_its_beginning():
    made = Progress("x", None)
    before = made.seconds
    time.sleep(0.01)
    assert made.seconds > before
