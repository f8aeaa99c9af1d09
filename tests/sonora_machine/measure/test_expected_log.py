"""The log that is expected of an image is one that Tabasco reads, and compares with a machine's."""

import base64
import json
from pathlib import Path

from click.testing import CliRunner

from sonora_machine.measure.expected_log import expected_log
from sonora_machine.measure.registers import Extending
from tabasco.cli import main
from tabasco.verify.eventlog.log import parse_event_log
from tabasco.verify.eventlog.replay import replay

RECORDED = Path(__file__).parents[2] / "vectors" / "machine" / "systemd-257-plain.json"
EXTENDINGS = [
    Extending("pcr4", "the image", b"i" * 32),
    Extending("pcr11", "the name .linux", b"n" * 32),
    Extending("pcr4", "the kernel (.linux)", b"k" * 32),
]


def compare(log, expected):
    registers = [word for number in (4, 9, 11) for word in ("--register", str(number))]
    words = ["event-log", str(log), "--against", str(expected), *registers, "--json"]
    return CliRunner().invoke(main, words)


def test_it_is_a_log_that_says_what_its_digests_are_of():
    log = parse_event_log(expected_log(EXTENDINGS))
    assert log.banks == ("sha256",)
    assert [(each.register, each.data.decode(), each.digests) for each in log.of(4)] == [
        (4, "the image", {"sha256": b"i" * 32}),
        (4, "the kernel (.linux)", {"sha256": b"k" * 32}),
    ]
    assert log.registers == (4, 11)


def test_tabasco_names_the_part_of_the_image_that_a_machine_has_another_of(tmp_path):
    recorded = base64.b64decode(json.loads(RECORDED.read_text())["log"])
    (tmp_path / "machine").write_bytes(recorded)
    logged = [each for number in (4, 9, 11) for each in parse_event_log(recorded).of(number)]
    words = ["the command line" if each.register == 9 else "another part" for each in logged]
    extendings = [
        Extending(f"pcr{each.register}", what, each.digests["sha256"])
        for each, what in zip(logged, words, strict=True)
    ]
    (tmp_path / "expected").write_bytes(expected_log(extendings))
    assert compare(tmp_path / "machine", tmp_path / "expected").exit_code == 0
    line = next(each for each in extendings if each.register == "pcr9")
    changed = Extending(line.register, line.what, bytes(32))
    extendings[extendings.index(line)] = changed
    (tmp_path / "expected").write_bytes(expected_log(extendings))
    done = compare(tmp_path / "machine", tmp_path / "expected")
    assert done.exit_code == 1
    (difference,) = json.loads(done.stdout)["differences"]
    assert difference.startswith("register 9: event ")
    assert "'the command line'" in difference
    assert bytes(32).hex() in difference


def test_its_registers_are_what_was_recorded_of_a_tpm():
    recorded = json.loads(RECORDED.read_text())
    log = parse_event_log(base64.b64decode(recorded["log"]))
    again = expected_log(
        Extending(f"pcr{each.register}", "", each.digests["sha256"])
        for each in log.events
        if each.extends and each.register in (4, 9, 11)
    )
    for number, value in replay(parse_event_log(again), "sha256").items():
        assert value.hex() == recorded["registers"][f"pcr{number}"]
