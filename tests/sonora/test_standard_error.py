"""What an isolate says on standard error comes into Sonora's log behind its name alone."""

import logging
import os
import threading

import pytest

from sonora.standard_error import LineFilter, LogLimits, follow
from support.patience import PATIENCE_S
from support.processes import eventually

LIMITS = LogLimits(line_bytes=20, lines=3, window_s=10, total_lines=5, total_bytes=10_000)


def lines_of(*pieces: bytes, limits: LogLimits = LIMITS) -> list[str]:
    lines = LineFilter(limits)
    shown = [line for piece in pieces for line in lines.receive_data(piece, 0)]
    return shown + list(lines.receive_end(0))


def test_lines_come_as_they_are_however_they_are_cut():
    text = b"guest failed: A\nfront failed: B\n"
    whole = lines_of(text)
    assert whole == ["guest failed: A", "front failed: B"]
    assert lines_of(*(bytes([byte]) for byte in text)) == whole


def test_a_last_line_without_its_end_is_shown():
    assert lines_of(b"killed here") == ["killed here"]
    assert lines_of(b"") == []


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"\x1b[2J\x1b]0;t\x07", r"\x1b[2J\x1b]0;t\x07"),
        (b"one\rtwo", r"one\x0dtwo"),
        (b"\x00\x7f\x9b1m", r"\x00\x7f\x9b1m"),
        ("\u202egnp".encode(), r"\xe2\x80\xaegnp"),
        (rb"\x1b", r"\x5cx1b"),
        (b"\xff\xfe", r"\xff\xfe"),
        (b"tab\there", r"tab\x09here"),
    ],
)
def test_what_is_not_printable_ascii_is_escaped(written, shown):
    assert lines_of(written + b"\n") == [shown]


def test_a_long_line_is_cut_and_the_next_is_itself_again():
    assert lines_of(b"x" * 20 + b"\n") == ["x" * 20]
    assert lines_of(b"x" * 21 + b"\nnext\n") == ["x" * 20 + " [cut]", "next"]
    assert lines_of(*([b"x" * 7] * 500), b"\nnext\n") == ["x" * 20 + " [cut]", "next"]


def test_bytes_without_an_end_take_no_memory():
    lines = LineFilter(LIMITS)
    for _ in range(10_000):
        assert list(lines.receive_data(b"x" * 1000, 0)) == []
    assert len(lines._line) == LIMITS.line_bytes + 1
    assert lines.exhausted


def test_more_lines_than_allowed_in_a_window_are_counted_and_later_ones_shown_again():
    lines = LineFilter(LIMITS)
    assert len(list(lines.receive_data(b"now\n" * 5, 100))) == 3
    assert list(lines.receive_data(b"now\n", 109.9)) == []
    assert list(lines.receive_data(b"later\n", 110)) == ["later"]
    assert list(lines.receive_end(110)) == ["3 more lines were not logged"]


def test_a_process_has_so_many_lines_in_all():
    lines = LineFilter(LIMITS)
    shown = [line for now in range(0, 1000, 20) for line in lines.receive_data(b"again\n", now)]
    assert shown == ["again"] * LIMITS.total_lines
    assert list(lines.receive_end(1000)) == ["45 more lines were not logged"]


def test_every_line_in_the_log_has_the_name_of_who_said_it(caplog):
    writing, thread = follow("isolate 7", LogLimits())
    with writing:
        writing.write(b"sonora: isolate 3 ended\nWARNING forged\n\x1b[1A\x1b[2Ksonora: ready\nend")
    thread.join(PATIENCE_S)
    assert [record.getMessage() for record in caplog.records] == [
        "isolate 7: sonora: isolate 3 ended",
        "isolate 7: WARNING forged",
        r"isolate 7: \x1b[1A\x1b[2Ksonora: ready",
        "isolate 7: end",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_flood_ends_with_a_closed_pipe_and_a_bounded_log(caplog):
    writing, thread = follow("isolate 7", LIMITS)

    def flood() -> None:
        for _ in range(1_000_000):
            writing.write(b"flood\n" * 100)

    with writing, pytest.raises(BrokenPipeError):
        flood()
    thread.join(PATIENCE_S)
    assert len(caplog.records) <= LIMITS.lines + 2
    assert caplog.records[-1].getMessage() == "isolate 7: wrote 10000 bytes: no more is read"
    assert "more lines were not logged" in caplog.records[-2].getMessage()


def test_nobody_waits_for_a_reader_of_what_is_dropped():
    writing, thread = follow("isolate 7", LogLimits(lines=1, total_bytes=2**22))
    with writing:
        for _ in range(200):  # more than a pipe holds
            writing.write(b"x" * 10_000)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_the_reader_ends_with_the_last_holder_of_the_writing_end():
    writing, thread = follow("isolate 7")
    second = os.dup(writing.fileno())
    writing.close()
    assert thread.is_alive()
    os.close(second)
    thread.join(PATIENCE_S)
    assert eventually(lambda: thread not in threading.enumerate())
