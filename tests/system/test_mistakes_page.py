"""The page of honest mistakes: each of its commands is given, in its order, as a user gives it.

Between the mistakes stand the steps that are right (`then`), which must succeed. What differs from
run to run is `…` on the page: digests, times, ports, and what an operating system has to say.
"""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from durango import Identity
from sdk.examples import programs
from support import command_server
from support.patience import PATIENCE_S
from support.policies import text
from support.stack import Stack, run
from veracruz_image import MANIFEST

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/mistakes.md").read_text()
DAY = timedelta(days=1)
_ROW = re.compile(
    r"\| (?P<mistake>[^|]+) \| `(?P<command>[^`]+)` \| (?P<status>\d+) \| (?P<said>.+) \|"
)
_THEN = re.compile(r"<!-- then: (?P<right>.+) -->")
_BESIDE = ("attested ", "warning: ", "Usage: ", "Try ")
_VARIES = re.compile(
    r"[0-9a-f]{64}|\b[0-9a-f]{12}\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00)"
    r"|(?<=127\.0\.0\.1:)\d+|(?<=column )\d+|(?<=char )\d+"
)


def worn(said: str) -> str:
    """What a command said, without what differs from run to run."""
    lines = [line.strip() for line in said.splitlines() if not line.startswith(_BESIDE)]
    return _VARIES.sub("…", "\n".join(filter(None, lines)))


def as_cell(said: str) -> str:
    """The same as a cell of the page's tables."""
    return "<br>".join(
        f"`` {line.strip()} ``" for line in said.replace("|", "\\|").splitlines() if line
    )


def steps() -> Iterator[re.Match]:
    for line in PAGE.splitlines():
        if found := _ROW.fullmatch(line) or _THEN.fullmatch(line):
            yield found


def prepare(stack: Stack, folder: Path) -> bytes:
    """What the page says is in the folder; the policy of the group."""
    for name in ("author", "north", "south", "reader", "stranger"):
        run("durango", "identity", "new", "--name", name, cwd=folder).done()
    late = Identity.create("late", not_before=datetime.now(UTC) - 9 * DAY, lifetime=DAY)
    folder.joinpath("late.cert.pem").write_bytes(late.certificate_pem())
    key = folder / "late.key.pem"
    key.touch(mode=0o600)
    key.write_bytes(late.key_pem())
    run("veracruz-sdk", "copy-example", "private-set-intersection", cwd=folder).done()
    run("veracruz-sdk", "generate", "people", "north.csv", "south.csv", cwd=folder).done()
    people = ("--type", "people", "--header")
    run("veracruz-sdk", "encode", *people, "north.csv", "north.dat", cwd=folder).done()
    run("veracruz-sdk", "encode", *people, "south.csv", "south.dat", cwd=folder).done()
    folder.joinpath("points.csv").write_text("1.0,2.0\n3.0,4.0\n")
    run(
        "veracruz-sdk",
        "encode",
        "--type",
        "Vec<(f64, f64)>",
        "points.csv",
        "points.dat",
        cwd=folder,
    )
    run("tabasco", "init", "--state", "other", cwd=folder).done()
    other = run("tabasco", "public-key", "--state", "other", cwd=folder).done().out
    folder.joinpath("other.pem").write_text(other)
    shutil.copy(stack.tabasco_key_file, folder / "tabasco.pem")
    folder.joinpath("image").symlink_to(stack.image.folder / MANIFEST)
    source = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1]
    source = source.replace("127.0.0.1:3010", str(stack.tabasco_address))
    folder.joinpath("policy.toml").write_text(source)
    run("durango", "policy", "build", "policy.toml", cwd=folder).done()
    raw = folder.joinpath("policy.json").read_bytes()
    spoil(folder, raw, late)
    return raw


def spoil(folder: Path, raw: bytes, late: Identity) -> None:
    """The policies that are not the group's."""
    folder.joinpath("space.json").write_bytes(raw + b"\n")
    folder.joinpath("cut.json").write_bytes(raw[:-1])
    april = {"identities": [{"file_rights": []}], "programs": [], "debug": False}
    folder.joinpath("april.json").write_bytes(text(april))
    said = json.loads(raw)
    folder.joinpath("edited.json").write_bytes(text(said | {"attempts": 5}))
    folder.joinpath("field.json").write_bytes(text(said | {"attempt": 5}))
    folder.joinpath("ended.json").write_bytes(text(said | {"expires_at": "2026-01-31T00:00:00Z"}))
    people = [
        each
        | (
            {"certificate": late.certificate_pem().decode().strip()}
            if each["name"] == "north"
            else {}
        )
        for each in said["identities"]
    ]
    folder.joinpath("late.json").write_bytes(text(said | {"identities": people}))


def command_of(step: re.Match) -> str:
    return step.groupdict().get("command") or step["right"]


def given(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def nobodys_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def seen(stack, tmp_path_factory) -> list[tuple[re.Match, subprocess.CompletedProcess]]:
    """Every step of the page and what came of it."""
    folder = tmp_path_factory.mktemp("mistakes") / "the group"
    folder.mkdir()
    raw = prepare(stack, folder)
    environment = os.environ | {
        "PATH": command_server.path(),
        "DURANGO_CONFIG": str(folder / "config"),
        "NOWHERE": f"127.0.0.1:{nobodys_port()}",
        "TABASCO": str(stack.tabasco_address),
    }
    for name in ("author", "north", "south", "reader", "stranger", "late"):
        environment[name.upper()] = f"--certificate {name}.cert.pem --key {name}.key.pem"
    program = programs.load("private-set-intersection")
    with stack.serving(raw, [], program) as computation:
        environment["DURANGO_SINALOA"] = environment["BRIDGE"] = str(computation.address)
        found = [(step, given(command_of(step), folder, environment)) for step in steps()]
        run(
            "durango",
            "shutdown",
            computation.policy_file,
            "--sinaloa",
            computation.address,
            "--certificate",
            folder / "reader.cert.pem",
            "--key",
            folder / "reader.key.pem",
        ).done()
    return found


def mistakes_of(seen):
    return [each for each in seen if "mistake" in each[0].groupdict()]


def test_every_mistake_is_told_as_the_page_has_it(seen):
    for step, done in mistakes_of(seen):
        told = (done.returncode, as_cell(worn(done.stderr)))
        assert told == (int(step["status"]), step["said"]), step["command"]
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
        assert done.stdout == "", step["command"]


def test_what_is_right_goes_on_whatever_was_wrong_before(seen):
    right = [(step, done) for step, done in seen if "right" in step.groupdict()]
    assert len(right) >= 4
    for step, done in right:
        assert done.returncode == 0, (step["right"], done.stderr)


def test_every_kind_of_mistake_is_on_the_page():
    kinds = set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
    assert kinds == {
        "An edited policy", "The wrong file", "The wrong key", "Something that ended",
        "The wrong port", "Too early, too late, twice", "Another type, raw CSV",
        "A forgotten option", "A path with spaces",
    }  # fmt: skip
    mistakes = [step for step in steps() if "mistake" in step.groupdict()]
    assert len(mistakes) >= 30
