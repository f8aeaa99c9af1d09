"""The commands in the how-to pages work, as they stand there."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from sinaloa.peers import ATTESTATIONS, WINDOW_S
from sonora.isolates import MAX_ISOLATES
from support import command_server
from support.postgresql import AVAILABLE, MISSING, Server, program_of
from support.rust_toolchain import found_rust
from veracruz_shells.refusal_quota import REFUSALS_OF_PEER

ROOT = Path(__file__).parents[2]
_STEP = re.compile(
    r"<!-- file: (\S+) -->\n```\w+\n(.*?)```|<!-- tested -->\n```console\n(.*?)```", re.DOTALL
)


needs_rust = pytest.mark.skipif(found_rust() is None, reason="there is no Rust for WebAssembly")


@pytest.fixture
def postgresql():
    if not AVAILABLE:
        pytest.skip(MISSING)
    server = Server()
    yield server
    server.close()


@pytest.fixture
def follow(tmp_path):
    """A function that does what a page says in an empty folder, and gives what was printed."""
    environment = {
        **os.environ,
        "PATH": command_server.path(),
        "SDK": str(ROOT / "sdk"),
        "VECTORS": str(ROOT / "tests/vectors"),
        "DURANGO_CONFIG": str(tmp_path / "config"),
    }

    def do(page: str, **more: str) -> str:
        environment.update(more)
        text = (ROOT / "docs" / page).read_text()
        printed = ""
        for file, content, commands in _STEP.findall(text):
            if file:
                (tmp_path / file).write_text(content)
            printed += run(commands.splitlines())
        return printed

    def run(lines: list[str]) -> str:
        printed = ""
        for line in lines:
            done = subprocess.run(
                line.removeprefix("$ "),
                shell=True,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            printed += done.stdout
        return printed

    return do


def test_a_program_is_tried_offline(follow):
    assert "name,employee_id,age,grade" in follow("how-to/try-a-program-offline.md")


def test_own_data_are_encoded(follow):
    printed = follow("how-to/encode-your-own-data.md")
    assert "patients.csv:4:2 (Alter): 'k. A.' is not a whole number (u8)" in printed
    assert "patients.csv:5: 2 columns, the header has 4" in printed
    assert printed.endswith('{"name": "Zoë", "age": 39, "dose": 1.5}\n')


def test_reports_are_pages(follow, tmp_path):
    follow("how-to/print-a-report.md", VECTORS=str(ROOT / "tests/vectors"))
    for name in ("evidence", "program"):
        page = (tmp_path / f"{name}.html").read_text()
        assert page.startswith("<!DOCTYPE html>")
        assert "<script" not in page


def test_a_result_is_drawn(follow, tmp_path):
    pytest.importorskip("matplotlib", reason="pip install 'veracruz-sdk[plot]'")
    assert '"gradient"' in follow("how-to/draw-a-result.md")
    assert (tmp_path / "line.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.timeout(300)  # the compiler fills its cache the first time
def test_a_program_is_written_in_c(follow):
    assert follow("how-to/write-a-program-in-c.md").splitlines()[-1] == "12"


def test_evidence_is_verified_offline(follow):
    printed = follow("how-to/verify-evidence-offline.md")
    assert printed.count("verdict: accepted") == 5
    assert "3 of 3 are valid for 7 days" in printed


@pytest.mark.timeout(300)
def test_a_first_program_is_written_in_c(follow):
    assert follow("tutorial/first-program-in-c.md").splitlines()[-1] == "2"


@needs_rust
@pytest.mark.timeout(300)
def test_a_first_program_is_written_in_rust(follow):
    assert follow("tutorial/first-program-in-rust.md").splitlines()[-1] == "passed    sum"


@pytest.mark.timeout(300)
def test_a_program_is_debugged(follow):
    assert "input_size" in follow("how-to/debug-a-program.md")


def test_tabasco_is_backed_up_and_restored(follow):
    printed = follow("how-to/back-up-tabasco.md")
    before, after = printed.split("the backup is older than the head\n")
    assert "the audit log is whole: 1 entries" in before
    first, second = f"measurement  {'1' * 64}", f"measurement  {'2' * 64}"
    forgetful, mended = after.split("measurement 222222222222 is revoked\n")
    assert first in forgetful
    assert second not in forgetful
    assert first in mended
    assert second in mended


def test_tabasco_on_postgresql_is_backed_up_and_restored(follow, postgresql):
    url = postgresql.database("tabasco")
    printed = follow(
        "how-to/back-up-tabasco-on-postgresql.md",
        DATABASE=url,
        RESTORED=url.replace("/tabasco?", "/restored?"),
        PGHOST=url.partition("host=")[2],
        PGUSER="postgres",
        PATH=os.pathsep.join([command_server.path(), str(Path(program_of("pg_dump")).parent)]),
    )
    before, after = printed.split("the backup is older than the head\n")
    assert "the audit log is whole: 1 entries" in before
    forgetful, mended = after.split("measurement 222222222222 is revoked\n")
    assert ("1" * 64 in forgetful, "2" * 64 in forgetful) == (True, False)
    assert ("1" * 64 in mended, "2" * 64 in mended) == (True, True)


def test_the_services_are_operated(follow):
    printed = follow("how-to/operate.md")
    assert "etc/systemd/system/veracruz-sonora.service" in printed
    assert "etc/prometheus/veracruz.rules.yml" in printed
    assert 'metrics = "127.0.0.1:9465"' in printed or 'metrics = "9465"' in printed


def test_the_guide_to_operation_says_the_limits_that_there_are():
    page = (ROOT / "docs/how-to/operate.md").read_text()
    assert f"| isolates of one Sonora | {MAX_ISOLATES} |" in page
    assert f"| {ATTESTATIONS} in {WINDOW_S:.0f} s |" in page
    assert f"| {REFUSALS_OF_PEER} in {WINDOW_S:.0f} s, then" in page


def test_a_release_is_trusted(follow):
    printed = follow("how-to/trust-a-release.md")
    assert f"{'11' * 32} is release 0.1.0 for x86_64, says 'Example releases'" in printed


def test_a_policy_is_agreed_on(follow):
    follow("reference/policy-toml.md")
    printed = follow("how-to/agree-on-a-policy.md")
    assert "\"Klinikum Süd\" gives input 1: 'patients of south'" in printed
    assert "ok: private-set-intersection.wasm is the program private-set-intersection" in printed
    assert "ok: north.cert.pem is you as north (DataProvider)" in printed
    assert "both are policy" in printed.splitlines()[-1]


def test_reference_values_are_published(follow):
    printed = follow("how-to/publish-reference-values.md")
    assert "policy version 1 is in force" in printed
    assert "revoke-measurement" in printed.splitlines()[-1]


def test_runtime_images_are_built_checked_and_compared(follow):
    printed = follow("how-to/build-and-compare-runtime-images.md").splitlines()
    assert len(printed) == 4
    assert printed[0] == printed[1] == printed[2]
    assert printed[3] == "the same image"
