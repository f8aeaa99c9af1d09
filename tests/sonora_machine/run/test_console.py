"""What is told of a console."""

import os

import pytest

from sonora_machine.run.console import failure, last_lines, service_status

CONSOLE = """\
[    4.2] veracruz: evidence tpm, attestation service 10.0.2.2:3010
sonora: the attestation service refuses: evidence-unacceptable
[   40.1] veracruz: sonora ended with status 3
[   40.1] veracruz: power off
reboot: Power down
"""


@pytest.fixture
def lines(tmp_path):
    def found(data: bytes) -> str:
        path = tmp_path / "log"
        path.write_bytes(data)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return last_lines(descriptor)
        finally:
            os.close(descriptor)

    return found


def test_of_a_long_log_the_last_lines_are_told(lines):
    data = b"".join(b"line %d\r\n" % number for number in range(100_000))
    assert lines(data) == "\n".join(f"line {number}" for number in range(99_985, 100_000))
    assert len(lines(b"x" * 1_000_000)) == 4096  # whoever writes no line at all
    assert lines(b"") == ""


def test_what_moves_a_cursor_is_left_out(lines):
    assert lines(b"\x1b[2J\x1b[01;01H\x1b[=3hBoot\x1b[0m\r\n\r\n") == "Boot"


def test_what_was_there_before_is_not_told(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"before\nnow\n")
    with path.open("rb") as file:
        assert last_lines(file.fileno(), begin=7) == "now"


@pytest.mark.parametrize("status", [0, 1, 3, 4, -9])
def test_how_a_service_ended_is_found(status):
    assert service_status(CONSOLE.replace("status 3", f"status {status}")) == status
    assert service_status("veracruz: power off") is None


def test_the_service_that_ended_last_counts_but_for_one_that_was_refused():
    first, last = (CONSOLE.replace("status 3", f"status {status}") for status in (1, 0))
    assert service_status(first + last) == 0
    assert service_status(CONSOLE + last) == 3


@pytest.mark.parametrize(("status", "ours"), [(0, 1), (1, 1), (3, 3), (4, 4), (-9, 1), (130, 1)])
def test_a_machine_fails_as_its_service_did(status, ours):
    error = failure("it failed", CONSOLE.replace("status 3", f"status {status}"))
    assert (str(error), error.exit_code) == ("it failed", ours)
    assert failure("it failed", "").exit_code == 1
