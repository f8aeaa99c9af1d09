"""What a command loads before it does anything is a list, so that another heavy import is seen."""

import subprocess
import sys
from pathlib import Path

from durango import content
from jalisco import PIECE_BYTES

LISTED = Path(__file__).with_name("start_up.txt")
# Each command in a process of its own, forked from one that has loaded the list of commands.
LOADED = """
import json, os, sys
import click
from durango.cli import main

HEAVY = "OpenSSL cryptography execution_engine google.protobuf grpc msgspec psa_attestation"
HEAVY += " opentelemetry pyarrow rfc8785 sqlalchemy veracruz_image wasmtime"

def loaded(words, status):
    read, write = os.pipe()
    if not os.fork():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            main(words, prog_name="durango")
        except SystemExit as end:
            assert end.code == status, end.code
        os.write(write, " ".join(name for name in HEAVY.split() if name in sys.modules).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as found:
        return found.read()

# The names first, in a process that is gone: to list the commands of a group loads it.
def commands(group, *before):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inside = isinstance(command, click.Group)
        yield from commands(command, *before, name) if inside else [(*before, name)]
"""
HELPS = f"""{LOADED}
read, write = os.pipe()
if not os.fork():
    os.write(write, json.dumps(list(commands(main))).encode())
    os._exit(0)
os.close(write)
for words in json.load(os.fdopen(read)):
    print(" ".join(words), "|", loaded([*words, "--help"], 0))
"""


def run(script: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=cwd, check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.stdout


def test_what_every_command_loads_to_say_what_it_is_is_listed(tmp_path):
    found = run(HELPS, tmp_path)
    assert found == LISTED.read_text(), "see what became heavier, then write it to start_up.txt"


def test_grpc_is_loaded_to_ask_and_tls_once_there_is_an_answer(world):
    nobody = ["--sinaloa", "127.0.0.1:1", "--timeout", "1"]
    who = [*world.who("alice"), *nobody]

    def loaded(*words: str, status: int) -> set[str]:
        found = run(f"{LOADED}\nprint(loaded({list(words)!r}, {status}))", world.folder)
        return set(found.split())

    offline = loaded("policy", "explain", "policy.json", status=0)
    assert not offline & {"grpc", "OpenSSL", "google.protobuf"}
    sign = ["policy", "sign", "policy.json", *world.who("alice"), "--output", "consent"]
    assert not loaded(*sign, status=0) & {"grpc", "OpenSSL", "google.protobuf"}
    for asking in (
        ["attest", "policy.json", *nobody],
        ["status", "policy.json", *who],
        ["program", "send", "policy.json", "program.wasm", *who],
    ):
        found = loaded(*asking, status=4)
        assert "grpc" in found
        assert "OpenSSL" not in found, asking
    assert {"grpc", "OpenSSL"} <= loaded("status", "policy.json", *world.who("alice"), status=0)


def test_content_is_read_in_pieces_that_are_sent_as_they_are():
    assert content.PIECE_BYTES == PIECE_BYTES
