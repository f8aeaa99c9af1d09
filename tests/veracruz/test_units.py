"""The units: written whole, for an installation that they can start, and as hardened as is said."""

import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
from click.testing import CliRunner

from veracruz.cli import main
from veracruz.deployment import UNIT_FILES, write_units
from veracruz.errors import UnitError
from veracruz_utils.errors import VeracruzError

PREFIX = PurePosixPath("/opt/veracruz")
PAGE = Path(__file__).parents[2] / "docs/how-to/run-the-services-by-systemd.md"
# Times ten, as `systemd-analyze security --threshold` takes it.
EXPOSURE = {"tabasco": 15, "sinaloa": 15, "sonora": 25}


def needs(tool):
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"there is no {tool}")


@pytest.fixture
def folder(tmp_path):
    write_units(tmp_path / "etc", prefix=PREFIX, force=False)
    return tmp_path / "etc"


def unit(folder, service):
    return folder / f"systemd/system/veracruz-{service}.service"


def run(*command):
    return subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, check=False
    )


def test_the_command_writes_every_file_and_says_what_to_do_next(tmp_path):
    done = CliRunner().invoke(main, ["units", "--output", f"{tmp_path}/new", "--prefix", "/opt/v"])
    assert done.exit_code == 0, done.output
    for name in UNIT_FILES:
        assert f"{tmp_path}/new/{name}" in done.output
        assert (tmp_path / "new" / name).stat().st_mode & 0o777 == 0o644
    assert "ExecStart=/opt/v/bin/tabasco serve" in unit(tmp_path / "new", "tabasco").read_text()
    assert "systemctl enable --now" in done.output


def test_files_that_are_there_are_overwritten_by_force_alone(folder):
    unit(folder, "sonora").write_text("mine")
    unit(folder, "tabasco").unlink()
    with pytest.raises(VeracruzError, match="exists"):
        write_units(folder, prefix=PREFIX, force=False)
    assert unit(folder, "sonora").read_text() == "mine"
    assert not unit(folder, "tabasco").exists(), "some were written"
    write_units(folder, prefix=PREFIX, force=True)
    assert "ExecStart=" in unit(folder, "sonora").read_text()


@pytest.mark.parametrize("prefix", ["opt", "/opt/a b", "/opt/%h", "/opt/$H", "/opt/../x", "/o\n"])
def test_a_prefix_that_a_unit_would_read_otherwise_is_refused(tmp_path, prefix):
    with pytest.raises(UnitError, match="plain absolute path"):
        write_units(tmp_path / "etc", prefix=PurePosixPath(prefix), force=False)
    assert not (tmp_path / "etc").exists()


def test_a_prefix_in_somebodys_home_is_refused_for_the_units_hide_it(tmp_path):
    with pytest.raises(UnitError, match=r"/home.*--prefix"):
        write_units(tmp_path / "etc", prefix=PurePosixPath("/home/ann/venv"), force=False)


@pytest.mark.parametrize("service", EXPOSURE)
def test_a_unit_starts_a_command_whose_options_there_are(folder, service):
    command = re.search(r"^ExecStart=(.*)$", unit(folder, service).read_text(), re.MULTILINE)
    program, *words = command[1].split()
    assert program == f"{PREFIX}/bin/{service}"
    asked = run(Path(sys.executable).with_name(service), *words, "--print-config")
    assert asked.returncode == 0, asked.stderr


@needs("systemd-analyze")
@pytest.mark.parametrize("service", EXPOSURE)
def test_a_unit_is_exposed_no_more_than_the_page_says(folder, service):
    threshold = EXPOSURE[service]
    file = unit(folder, service)
    done = run("systemd-analyze", "security", "--offline=true", f"--threshold={threshold}", file)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
    said = re.search(r"exposure level for \S+: (\d+\.\d)", done.stdout)[1]
    assert f"| `veracruz-{service}` | {said} |" in PAGE.read_text()


@needs("systemd-analyze")
@pytest.mark.parametrize("service", EXPOSURE)
def test_systemd_finds_nothing_wrong_in_a_unit(folder, tmp_path, service):
    prefix = PurePosixPath(sys.prefix)
    # The program itself need not be where this test runs, for `verify` to read the rest.
    text = unit(folder, service).read_text()
    file = tmp_path / f"veracruz-{service}.service"
    file.write_text(text.replace(str(PREFIX), str(prefix)))
    done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", file)
    assert file.name not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


@needs("systemd-sysusers")
def test_the_users_are_made_of_what_is_written(folder, tmp_path):
    done = run(
        "systemd-sysusers", "--dry-run", f"--root={tmp_path}", folder / "sysusers.d/veracruz.conf"
    )
    assert done.returncode == 0, done.stderr
    for service in EXPOSURE:
        assert f"user 'veracruz-{service}'" in done.stderr + done.stdout


@needs("systemd-tmpfiles")
def test_every_line_of_the_folders_is_read(folder, tmp_path):
    # Before version 256 there is no --dry-run; folders made below another root say as much.
    text = (folder / "tmpfiles.d/veracruz.conf").read_text()
    (tmp_path / "mine.conf").write_text(re.sub(r" \S+ \S+ -$", " - - -", text, flags=re.MULTILINE))
    root = tmp_path / "root"
    root.mkdir()
    done = run("systemd-tmpfiles", "--create", f"--root={root}", tmp_path / "mine.conf")
    assert done.returncode == 0, done.stderr
    for line in text.splitlines():
        _, path, mode, *_ = line.split()
        assert (root / path[1:]).stat().st_mode & 0o777 == int(mode, 8)
