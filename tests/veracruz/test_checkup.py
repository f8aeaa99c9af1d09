"""`veracruz doctor`: what is set up here, what is wrong with it, and what to do."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import pytest

from durango import Identity
from support.stack import run
from tabasco.registry.database import NEWEST, Database, sqlite_url
from veracruz.checkup.services import look_at_service
from veracruz.checkup.settings import ServiceSettings
from veracruz.checkup.units import look_at_unit, unit_of
from veracruz.deployment import unit_text, write_units


@pytest.fixture
def look(tmp_path, monkeypatch):
    """The findings about a service by name, with this file of settings."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def at(service, text):
        file = tmp_path / f"config/veracruz/{service}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        settings = ServiceSettings.of(service, None)
        return {each.name: each for each in look_at_service(service, settings)}

    return at


def pem(folder, *, ends_in):
    began = datetime.now(UTC) - timedelta(days=400)
    party = Identity.create("x", not_before=began, lifetime=timedelta(days=400) + ends_in)
    path = folder / "chain.pem"
    path.write_bytes(party.certificate_pem())
    return path


def test_a_file_of_settings_that_is_refused_is_told_with_what_is_wrong(look):
    (finding,) = look("tabasco", "[serve]\nlisten = 3010\n").values()
    assert finding.is_wrong
    assert "serve.listen is an integer, expected a string" in finding.found


def test_a_service_that_was_made_ready_is_well(look, tmp_path):
    state = tmp_path / "state"
    run("tabasco", "init", "--state", state).done()
    Database.open(sqlite_url(state / "tabasco.db")).close()
    found = look("tabasco", f'state = "{state}"\n[serve]\nlisten = "127.0.0.1:1"\n')
    assert not any(each.is_wrong for each in found.values())
    assert found["database"].found.startswith("there, at revision ")
    assert found["service"].found == "no answer at 127.0.0.1:1"


def test_a_database_that_is_none_is_told_and_left_as_it_is(look, tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "tabasco.db").write_bytes(b"not a database at all" * 100)
    found = look("tabasco", f'state = "{state}"\n')
    assert found["database"].is_wrong
    assert (state / "tabasco.db").read_bytes().startswith(b"not a database")


def test_the_revision_of_a_database_is_told_without_bringing_it_up_to_date(tmp_path):
    url = sqlite_url(tmp_path / "tabasco.db")
    Database.open(url).close()
    assert Database.revision_of(url) == NEWEST


def test_a_state_folder_that_others_can_read_is_wrong(look, tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    state.chmod(0o755)
    finding = look("sonora", f'state = "{state}"\n')["state folder"]
    assert finding.is_wrong
    assert finding.remedy == f"chmod 700 {state}"
    state.chmod(0o711)
    assert not look("sonora", f'state = "{state}"\n')["state folder"].is_wrong


@pytest.mark.parametrize(
    ("ends_in", "state"),
    [(timedelta(days=-1), "missing"), (timedelta(days=9), "note"), (timedelta(days=90), "good")],
)
def test_a_certificate_is_looked_at_for_its_end(look, tmp_path, ends_in, state):
    chain = pem(tmp_path, ends_in=ends_in)
    key = tmp_path / "key.pem"
    found = look("tabasco", f'[serve]\ntls_certificate = "{chain}"\ntls_key = "{key}"\n')
    assert found["tls certificate"].state == state


def test_a_bridge_without_sonora_is_told_where_it_looked(look, tmp_path):
    path = tmp_path / "sonora.sock"
    text = f'[serve]\nsonora = "{path}"\n'
    finding = look("sinaloa", text)["socket"]
    assert finding.is_wrong
    assert str(path) in finding.found
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        assert not look("sinaloa", text)["socket"].is_wrong


def test_policies_that_are_none_are_named(look, tmp_path):
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "mine.json").write_text("{}")
    found = look("sinaloa", f'[serve]\npolicies = "{folder}"\n')["policies"]
    assert found.state == "note"
    assert "0 in force" in found.found
    assert "mine.json" in found.found


def test_metrics_that_nobody_serves_are_told(look):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        found = look("sonora", f'[serve]\nmetrics = "{port}"\n')
    assert found["metrics"].found == f"not served at 127.0.0.1:{port}"


def test_a_unit_is_held_against_what_this_version_writes(tmp_path):
    prefix = PurePosixPath(tmp_path / "opt")
    write_units(tmp_path / "etc", prefix=prefix, force=False)
    folders = [tmp_path / "nowhere", tmp_path / "etc/systemd/system"]
    unit = unit_of("sonora", folders)
    assert unit == unit_text("sonora", prefix)
    assert "which is not there" in look_at_unit("sonora", unit)[0].found
    (tmp_path / "opt/bin").mkdir(parents=True)
    (tmp_path / "opt/bin/sonora").touch()
    assert look_at_unit("sonora", unit)[0].state == "good"
    changed = look_at_unit("sonora", unit.replace("UMask=0077", "UMask=0022"))[0]
    assert (changed.state, "other than this version" in changed.found) == ("note", True)
    assert look_at_unit("sonora", unit_of("sonora", folders[:1]))[0].found == "not installed"


def test_the_words_of_a_unit_are_settings_too(tmp_path):
    unit = unit_text("sonora", PurePosixPath("/opt/veracruz"))
    values = ServiceSettings.of("sonora", unit).values
    assert values["state"] == "/var/lib/veracruz-sonora"
    assert values["bridge_user"] == "veracruz-sinaloa"


def test_the_command_says_what_to_mend_and_ends_with_1(tmp_path):
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "SINALOA_SERVE_SONORA": str(tmp_path / "sonora.sock"),
    }
    done = run("veracruz", "doctor", "--service", "sinaloa", "--json", environment=environment)
    assert done.status == 1, done.err
    assert "sinaloa: socket" in done.json["wrong"]
    assert not done.json["well"]
    assert {"host", "sinaloa"} <= done.json["findings"].keys()
    for each in done.json["findings"]["sinaloa"]:
        assert each["remedy"] or each["state"] == "good", each
