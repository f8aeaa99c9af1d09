"""What QEMU says on its monitor."""

import json
import socket

import pytest

from sonora_machine.errors import MachineError
from sonora_machine.run.monitor import Monitor

SAID = (
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": []}}\r\n'
    b'{"return": {}}\r\n'
    b'{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RTC_CHANGE", "data": {}}\r\n'
)
OVER = b'{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}\r\n'


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_it_is_asked_in_lines_of_json(ends):
    ours, qemu = ends
    Monitor(ours).order("quit")
    lines = qemu.recv(4096).splitlines()
    assert [json.loads(line)["execute"] for line in lines] == ["qmp_capabilities", "quit"]


def test_the_reason_of_an_end_is_heard(ends):
    ours, qemu = ends
    monitor = Monitor(ours)
    qemu.sendall(SAID)
    monitor.look()
    assert monitor.end is None
    qemu.sendall(OVER)
    qemu.close()
    monitor.look()
    assert monitor.end == "guest-shutdown"


def test_where_what_is_said_is_split_does_not_matter(ends):
    ours, qemu = ends
    monitor = Monitor(ours)
    for byte in SAID + OVER:
        qemu.sendall(bytes([byte]))
        monitor.look()
    assert monitor.end == "guest-shutdown"


@pytest.mark.parametrize(
    "line",
    [b"nonsense", b"\xff\xfe", b"[]", b"7", b"[" * 60_000,
     b'{"event": "SHUTDOWN"}', b'{"event": "SHUTDOWN", "data": {"reason": 7}}'],
)  # fmt: skip
def test_what_is_no_event_is_passed_over(ends, line):
    ours, qemu = ends
    monitor = Monitor(ours)
    qemu.sendall(line + b"\n")
    monitor.look()
    assert monitor.end is None


def test_a_line_without_an_end_is_not_read_without_an_end(ends):
    ours, qemu = ends
    monitor = Monitor(ours)
    for _ in range(16):
        qemu.sendall(bytes(1 << 12))
        monitor.look()
    qemu.sendall(b"!")
    with pytest.raises(MachineError, match="a line of more than 65536 bytes"):
        monitor.look()


def test_an_emulator_that_is_gone_can_still_be_told_to_end(ends):
    ours, qemu = ends
    monitor = Monitor(ours)
    qemu.close()
    monitor.order("quit")
    monitor.look()
    assert monitor.end is None
