"""What is secret stands in no output, file, argument or environment of any service."""

import json
import os
import re
from pathlib import Path

import pytest

from support.runtime_guests import HELLO
from support.stack import DATA, PI, RESULT, Stack, below

PAGE = Path(__file__).parents[2] / "docs/reference/logs.md"
MARKER = b"PLANTED-7d41e9"
IN_PROGRAM, IN_INPUT = MARKER + b"-program", MARKER + b"-input"
NAMED = bytes([len(IN_PROGRAM)]) + IN_PROGRAM
PROGRAM = HELLO + bytes([0, len(NAMED)]) + NAMED  # a custom section


@pytest.fixture
def stack_of_json(tmp_path, monkeypatch):
    """Services whose logs are in JSON, with a folder for temporary files that is theirs alone."""
    for name in ("SINALOA", "SONORA", "TABASCO"):
        monkeypatch.setenv(f"{name}_SERVE_LOG_FORMAT", "json")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    stack = Stack(tmp_path)
    yield stack
    stack.close()


def found(secrets: dict[str, bytes], texts: dict[str, bytes]) -> list[tuple[str, str]]:
    """Which secret stands where."""
    return [(name, at) for name, each in secrets.items() for at, text in texts.items()
            if each in text]  # fmt: skip


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def words_of(process_id: int) -> dict[str, bytes]:
    """Arguments and environment, as far as they can be read at all."""
    told = {}
    for name in ("cmdline", "environ"):
        path = Path(f"/proc/{process_id}/{name}")
        try:
            told[str(path)] = path.read_bytes()
        except OSError:
            continue  # has ended, or is not dumpable
    return told


def check_fields(said: dict[str, str]) -> None:
    """Lines of sessions, calls and isolates have the fields that the page says."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith(("| sinaloa |", "| sonora |", "| tabasco |", "| each |"))
    ]
    seen = set()
    for service, text in said.items():
        for line in map(json.loads, text.splitlines()):
            for whose, message, always, _ in rows:
                pattern = re.escape(message).replace(r"\.\.\.", ".*")
                if whose in {service, "each"} and re.fullmatch(pattern, line["message"]):
                    assert set(always.split(", ")) <= line.keys(), (service, line)
                    seen.add((service, message))
    assert seen >= {
        ("sinaloa", "session opened"), ("sinaloa", "session ended"), ("sinaloa", "call ended"),
        ("sonora", "isolate ..."), ("sonora", "token minted"), ("tabasco", "call ended"),
    }  # fmt: skip


def test_no_secret_is_in_a_log_a_file_an_argument_or_an_environment(stack_of_json, tmp_path):
    stack = stack_of_json
    with stack.computation([PI], [DATA], [RESULT], program=PROGRAM, data=(1,)) as computation:
        program, data = tmp_path / "program.wasm", tmp_path / "input.dat"
        program.write_bytes(PROGRAM)
        data.write_bytes(IN_INPUT)
        computation.durango("program send", program, client=0).done()
        computation.durango("data send", data, client=1).done()
        computation.durango("data send", data, client=2).refused(3)
        output = tmp_path / "result"
        computation.durango("result get", "--output", output, client=2).done()
        services = [stack.tabasco, stack.sonora, computation.sinaloa]
        running = {at: text for each in services
                   for process in (each.process_id, *below(each.process_id))
                   for at, text in words_of(process).items()}  # fmt: skip
        keys = {f"key {number}": party.key_pem().splitlines()[1]
                for number, party in enumerate(computation.parties)}  # fmt: skip
        own = {str(path) for path in computation.folder.glob("*.key.pem")}
        computation.shut_down(2)
    stack.close()
    secrets = {"program": IN_PROGRAM, "input": IN_INPUT} | keys
    said = {each.name: each.last_words.encode() for each in services}
    lines = []
    for each in services:
        lines = [json.loads(line) for line in each.last_words.splitlines()]
        assert any(line["message"].startswith("ready on") for line in lines), each.name
    ended = [line for line in lines if line["message"] == "session ended"]  # of Sinaloa
    assert ended
    for line in ended:
        assert line["policy"] == computation.policy.digest.value.hex()
        assert line["peer"].startswith("127.")
        assert min(line["session"], line["bytes_in"], line["bytes_out"]) > 0
        assert {"duration_s", "outcome"} <= line.keys()
    check_fields({each.name: each.last_words for each in services})
    files = files_in(tmp_path)
    of_principals = own | {str(program), str(data)}
    principals = {at: text for at, text in files.items() if at in of_principals}
    # What looks for secrets finds those that are there.
    assert {name for name, _ in found(secrets, principals)} == secrets.keys()
    others = {at: text for at, text in files.items() if at not in of_principals}
    assert found(secrets, said | running | others) == []
    assert any(at.endswith("cmdline") for at in running)
    assert os.environ["TMPDIR"] == str(tmp_path / "temporary")
