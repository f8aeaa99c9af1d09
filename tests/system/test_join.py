"""A group of four, each with a folder of its own: from a policy to a verified result."""

import contextlib
import json
import os
import pty
import select
import shutil
import subprocess
import time
from datetime import UTC, datetime

import pytest

from sdk.examples import EXAMPLES, programs
from support.patience import PATIENCE_S
from support.stack import SCRIPTS, Computation, run
from veracruz_image import MANIFEST
from veracruz_utils.policy import Policy

PROGRAM = "private-set-intersection"
PEOPLE = ("author", "Klinikum Süd", "north", "reader")
SOURCE = """
days = 2
consent = "all"

[delegate]
sinaloa = "127.0.0.1:3011"

[attestation]
tabasco = "{tabasco}"
key = "tabasco.pem"

[program]
from = "author"
file = "private-set-intersection.wasm"

[principals]
author = {{ certificate = "author.cert.pem" }}
"Klinikum Süd" = {{ certificate = "Klinikum-Süd.cert.pem" }}
north = {{ certificate = "north.cert.pem" }}
reader = {{ certificate = "reader.cert.pem" }}

[[inputs]]
from = "north"
type = "{type}"

[[inputs]]
from = "Klinikum Süd"
type = "{type}"

[result]
readers = ["reader"]
type = "{type}"

[[platforms]]
name = "linux-software-root"
images = ["image"]

[limits]
run_seconds = 60
"""


@pytest.fixture(scope="module")
def group(stack, tmp_path_factory):
    """Folders, the policy that everybody got, and the delegate's bridge."""
    folders = {name: tmp_path_factory.mktemp("party") for name in PEOPLE}
    desk = folders["author"]
    for name, folder in folders.items():
        run("durango", "identity", "new", "--name", name, cwd=folder).done()
        certificate = f"{name.replace(' ', '-')}.cert.pem"
        if folder != desk:
            shutil.copy(folder / certificate, desk)
    desk.joinpath("private-set-intersection.wasm").write_bytes(
        programs.load("private-set-intersection")
    )
    shutil.copy(stack.tabasco_key_file, desk / "tabasco.pem")
    desk.joinpath("image").symlink_to(stack.image.folder / MANIFEST)
    kind = EXAMPLES["private-set-intersection"].result
    source = SOURCE.format(tabasco=stack.tabasco_address, type=kind)
    desk.joinpath("policy.toml").write_text(source)
    run("durango", "policy", "build", "policy.toml", cwd=desk).done()
    for folder in folders.values():
        if folder != desk:
            shutil.copy(desk / "policy.json", folder)
    people = run("veracruz-sdk", "generate", "people", "a.csv", "b.csv", cwd=desk).done()
    assert people
    shutil.move(desk / "a.csv", folders["north"] / "own people.csv")
    shutil.move(desk / "b.csv", folders["Klinikum Süd"] / "own people.csv")
    raw = desk.joinpath("policy.json").read_bytes()
    with stack.serving(raw, [], programs.load("private-set-intersection")) as computation:
        assert Policy.parse(raw, at=datetime.now(UTC)).digest == computation.policy.digest
        yield computation, folders


def command(computation: Computation, name: str, *words: str) -> list[str]:
    file = name.replace(" ", "-")
    who = ["--certificate", f"{file}.cert.pem", "--key", f"{file}.key.pem"]
    return [
        str(SCRIPTS / "durango"), "join", "policy.json", *who, "--sinaloa",
        str(computation.address), *words,
    ]  # fmt: skip


def test_everybody_joins_by_one_command_and_the_reader_has_a_verified_result(group):
    computation, folders = group
    data = ["--data", "own people.csv", "--encode", "--header"]
    words = {
        "author": ["--program", "private-set-intersection.wasm"],
        "Klinikum Süd": data,
        "north": data,
        "reader": ["--output", "both.dat", "--receipt", "both.receipt"],
    }
    running = {
        name: subprocess.Popen(
            [*command(computation, name, *words[name]), "--yes", "--wait", "60", "--json"],
            cwd=folders[name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in reversed(PEOPLE)
    }  # fmt: skip
    told = {}
    for name, process in running.items():
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, (name, err)
        told[name] = json.loads(out)
    assert all(each["consent"] for each in told.values())
    assert told["north"]["sent"] == [{"kind": "data", "package_id": 0}]
    reader = folders["reader"]
    verified = run(
        "durango", "receipt", "verify", "both.receipt", "--result", "both.dat", cwd=reader
    )
    assert "of north" in verified.done().out
    # Once more does no harm: what is done is found done.
    again = subprocess.run(
        [*command(computation, "author", "--program", f"{PROGRAM}.wasm"), "--yes"],
        cwd=folders["author"], capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr


def test_in_a_script_every_step_has_to_be_agreed_to(group):
    computation, folders = group
    words = command(computation, "north", "--data", "own people.csv", "--encode", "--header")
    done = subprocess.run(
        words, cwd=folders["north"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "give --yes" in done.stderr
    missing = subprocess.run(
        [*command(computation, "north"), "--yes"], cwd=folders["north"], capture_output=True,
        text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert missing.returncode == 2
    assert "input 0 needs a file: give it by --data" in missing.stderr


def test_at_a_terminal_it_explains_and_asks_and_no_is_no(group):
    computation, folders = group
    ours, theirs = pty.openpty()
    words = command(computation, "north", "--data", "own people.csv", "--encode", "--header")
    process = subprocess.Popen(
        words, cwd=folders["north"], stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    deadline = time.monotonic() + PATIENCE_S
    while b"[y/N]" not in said and time.monotonic() < deadline:
        if select.select([ours], [], [], 1)[0]:
            said += os.read(ours, 65536)
    assert b"Who learns what" in said
    assert b"Take part as north in policy" in said
    os.write(ours, b"n\n")
    assert process.wait(PATIENCE_S) == 1
    os.close(ours)


def test_at_a_terminal_nobody_names_a_file_before_it_is_told_what_for(group):
    computation, folders = group
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(computation, "north"), cwd=folders["north"], stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, answers = b"", [(b"[y/N]", b"y\n"), (b"file of input 0", b"nowhere\n")]
    answers.append((b"'nowhere' does not exist", b"own people.csv\n"))
    with contextlib.suppress(OSError):  # it ends
        while select.select([ours], [], [], PATIENCE_S)[0]:
            said += os.read(ours, 65536)
            if answers and answers[0][0] in said:
                os.write(ours, answers.pop(0)[1])
    assert process.wait(PATIENCE_S) == 3
    assert not answers
    assert b"own people.csv is CSV" in said
    os.close(ours)


def test_the_command_that_encodes_is_told_with_every_file(group):
    computation, folders = group
    words = ["--data", "own people.csv", "--yes"]
    done = subprocess.run(
        command(computation, "north", *words), cwd=folders["north"], capture_output=True,
        text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    (told,) = (line for line in done.stderr.splitlines() if line.startswith("  durango join"))
    assert " --encode --header " in told
    assert " --data 'own people.csv'" in told
    assert "Path(" not in told
