"""Machines that start: QEMU, firmware and a TPM, and a program of a few instructions.

The firmware takes some four seconds of a processor each time; who does not need its end does not
wait for it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess

import pytest

from sonora_machine.run.tpm import tpm_in
from support import machines
from support.efi_programs import Reset, says_and_ends, says_nothing
from support.machines import needs_emulator
from support.patience import PATIENCE_S
from support.processes import children, eventually, runs
from support.users import STRANGER, commands_for_everybody, needs_root, open_folder

pytestmark = needs_emulator
WORD = "here is the machine"


@pytest.fixture(scope="module")
def tpm(tmp_path_factory):
    return tpm_in(tmp_path_factory.mktemp("machine") / "tpm").folder


@pytest.fixture
def words(tmp_path, tpm, monkeypatch):
    """The words for a machine that runs a program; what is temporary goes into a folder."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    bridge = machines.free_address()

    def of(program, *more):
        image = tmp_path / "image.efi"
        image.write_bytes(program)
        policy = machines.policy_file(tmp_path, bridge=bridge)
        return [image, policy, "--tabasco", "127.0.0.1:3010", "--tpm", tpm, *more]

    yield of
    assert list(temporary.iterdir()) == []


def started(process):
    """The emulator and the TPM of a machine that has just been started."""
    for line in process.stderr:
        if "the machine starts" in line:
            found = children(process.pid)
            assert len(found) == 2
            return found
    raise AssertionError(process.wait())


def test_a_machine_that_ends_too_early_is_told_with_its_last_words(words, tmp_path):
    log = tmp_path / "a log, and a comma"
    log.write_text("of another machine\n")
    program = says_and_ends(WORD, Reset.SHUTDOWN)
    with machines.trial(*words(program, "--log", log, "--json")) as process:
        found = started(process)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (1, "")
    message = json.loads(err.splitlines()[-1])["error"]["message"]
    assert "before its bridge answered, the machine ended: it powered itself off" in message
    assert message.endswith(f"\n{WORD}")
    assert "another machine" not in message
    assert log.read_text().startswith("of another machine\n")
    assert not [number for number in found if runs(number)]


def test_a_machine_that_restarts_has_failed(words):
    with machines.trial(*words(says_and_ends(WORD, Reset.RESTART))) as process:
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "warning: an emulator with a TPM in software: it protects nothing" in err
    assert "tabasco at 127.0.0.1:3010 is 10.0.2.2:3010 to the machine" in err
    assert "the machine ended: it crashed or restarted" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_a_machine_that_starts(words, number):
    with machines.trial(*words(says_nothing())) as process:
        found = started(process)
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert err.endswith("sonora: interrupted\n")
    assert not [each for each in found if runs(each)]


def test_nothing_outlives_a_command_that_is_killed(words, tmp_path):
    with machines.trial(*words(says_nothing())) as process:
        found = started(process)
        process.kill()
        assert eventually(lambda: not [each for each in found if runs(each)])
    (left,) = (tmp_path / "temporary").iterdir()  # it goes when the host starts anew
    shutil.rmtree(left)


def test_a_machine_that_does_not_answer_in_time_is_ended(words):
    with machines.trial(*words(says_nothing(), "--timeout", "1")) as process:
        found = started(process)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "does not answer within 1 s (--timeout)" in err
    assert not [each for each in found if runs(each)]


def test_an_emulator_or_a_tpm_that_is_killed_ends_the_machine(words):
    for which, told in ((0, ("swtpm ended", "status 1")), (1, ("status -9",))):
        with machines.trial(*words(says_nothing())) as process:
            os.kill(started(process)[which], signal.SIGKILL)
            _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert any(each in err for each in told)


@needs_root
def test_a_plain_user_starts_a_machine():
    with open_folder() as folder:
        commands_for_everybody(("sonora",), folder)
        own = folder / "own"
        own.mkdir()
        (own / "image.efi").write_bytes(says_and_ends(WORD, Reset.SHUTDOWN))
        machines.policy_file(own).rename(own / "policy.json")
        os.chown(own, STRANGER, STRANGER)
        words = [
            "machine", "run", "image.efi", "policy.json", "--tabasco", "127.0.0.1:3010",
            "--listen", machines.free_address(), "--tpm", "tpm", "--log", "console.log",
        ]  # fmt: skip
        done = subprocess.run(
            [folder / "sonora", *words], user=STRANGER, group=STRANGER, extra_groups=[], cwd=own,
            env={"PATH": os.environ["PATH"], "HOME": str(own), "TMPDIR": str(own)},
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert f"\n{WORD}" in done.stderr
        assert {path.name for path in own.iterdir()} == {
            "console.log", "image.efi", "policy.json", "tpm"
        }  # fmt: skip
        assert (own / "console.log").stat().st_uid == STRANGER


def test_what_qemu_has_to_say_of_a_port_in_use_is_told(words):
    given = words(says_nothing())
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        with machines.trial(*given, "--listen", taken) as process:
            _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "QEMU left with status 1" in err
    assert f"Could not set up host forwarding rule 'tcp:{taken}-:3011'" in err
