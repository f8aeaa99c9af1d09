import hashlib
import json

import pytest
from click.testing import CliRunner

from support.event_logs import agile, boot, extended, spec_id
from tabasco.cli import main

DIGESTS = [hashlib.sha256(each).digest() for each in (bytes(4), b"shim", b"grub")]


@pytest.fixture
def files(tmp_path):
    logs = {"log": boot(), "other": boot(programs=(b"shim", b"x")), "none": b"hello"}
    logs["sha1"] = spec_id("sha1") + agile(0, 4, bytes(4), "sha1")
    for name, data in logs.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def run(*arguments, status=0):
    done = CliRunner().invoke(main, ["event-log", *map(str, arguments)])
    assert done.exit_code == status, done.output + done.stderr
    return done


def test_what_is_extended_and_what_it_comes_to_is_shown(files):
    found = json.loads(run(files / "log", "--json").stdout)
    assert found["bank"] == "sha256"
    assert found["registers"]["4"] == extended("sha256", *DIGESTS).hex()
    events = [each for each in found["events"] if each["register"] == 4]
    assert [each["digest"] for each in events] == [each.hex() for each in DIGESTS]
    assert [each["data"] for each in events] == ["00000000", None, None]
    told = run(files / "log").stdout
    assert f"register  4  {DIGESTS[1].hex()}  EV_EFI_BOOT_SERVICES_APPLICATION" in told
    assert f"register  4  {extended('sha256', *DIGESTS).hex()}" in told


def test_a_log_is_compared_with_one_that_was_seen_before(files):
    done = run(files / "log", "--against", files / "other", status=1)
    assert "register 4: event 4" in done.stdout
    assert (
        json.loads(run(files / "log", "--against", files / "log", "--json").stdout)["differences"]
        == []
    )


def test_only_the_registers_that_are_named_are_compared(files):
    run(files / "log", "--against", files / "other", "--register", 5)
    done = run(files / "log", "--against", files / "other", "--register", 4, status=1)
    assert "register 4: event 4 (EV_EFI_BOOT_SERVICES_APPLICATION)" in done.stdout
    assert "'path of grub', expected event 4" in done.stdout
    assert "--register is for --against" in run(files / "log", "--register", 4, status=2).stderr


def test_other_bytes_and_other_banks_are_refused(files):
    assert "is not an event log" in run(files / "none", status=1).stderr
    told = run(files / "log", "--bank", "sha384", status=1).stderr
    assert "no digests of sha384, it has sha256" in told
    assert (
        "no digests of sha256" in run(files / "log", "--against", files / "sha1", status=1).stderr
    )
