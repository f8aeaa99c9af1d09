"""Programs that end with us."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from sonora_machine.run.children import Child
from support.processes import children, eventually, runs

PARENT = """
import sys, time
from pathlib import Path
from sonora_machine.run.children import Child
child = Child(["sleep", "600"], cwd=Path("/"))
print(child.process_id, flush=True)
time.sleep(600)
"""


def sh(script, folder):
    return Child(["sh", "-c", script], cwd=folder)


def test_a_child_is_gone_after_its_block(tmp_path):
    with Child(["sleep", "600"], cwd=tmp_path) as child:
        assert child.name == "sleep"
        assert child.status is None
        assert not child.wait(0.01)
    assert not runs(child.process_id)
    child.stop()


def test_one_that_does_not_hear_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("sonora_machine.run.children._STOP_S", 0.1)
    with sh("trap '' TERM; echo deaf; while :; do sleep 1; done", tmp_path) as child:
        assert eventually(lambda: "deaf" in child.said())
    assert child.status == -signal.SIGKILL


def test_a_child_dies_with_a_parent_that_is_killed():
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        number = int(parent.stdout.readline())
        assert runs(number)
        assert children(parent.pid) == [number]
        parent.kill()
    assert eventually(lambda: not runs(number))


def test_what_it_said_is_kept(tmp_path):
    with sh("echo out; echo err >&2; pwd", tmp_path) as child:
        assert child.wait(60)
        assert child.said() == f"out\nerr\n{tmp_path}"


def test_a_terminals_interrupt_is_its_parents_alone(tmp_path):
    with Child(["sleep", "600"], cwd=tmp_path) as child:
        assert os.getpgid(child.process_id) == child.process_id != os.getpgid(0)


def test_a_parent_that_is_gone_at_once_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as if we had ended, and init were the parent
    with Child(["sleep", "600"], cwd=Path(tmp_path)) as child:
        assert child.wait(60)
        assert child.status == 1
