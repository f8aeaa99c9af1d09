"""TPMs in software that are made for machines."""

import hashlib
import stat
from pathlib import Path

import pytest
from cryptography import x509

from sonora.evidence.tpm.source import TpmSource
from sonora_machine.errors import MachineError
from sonora_machine.run import tpm as module
from sonora_machine.run.tpm import locked, tpm_in
from support import swtpm
from support.swtpm import needs_swtpm

pytestmark = needs_swtpm


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tpm_in(tmp_path_factory.mktemp("machine") / "new" / "tpm of one")


def test_a_tpm_is_made_where_there_is_none_and_is_the_same_from_then_on(made):
    again = tpm_in(made.folder)
    assert again == made
    assert x509.load_pem_x509_certificate(made.authority.read_bytes())


def test_its_key_is_the_one_that_sonora_shows(made, tmp_path):
    state = swtpm.copied(made.folder / module.STATE, tmp_path / "tpm")
    with swtpm.running(state, unix=True) as running:
        shown = TpmSource(running.settings()).endorsement
    assert hashlib.sha256(shown.public_key).digest() == made.endorsement_key.value
    issuer = x509.load_pem_x509_certificate(made.authority.read_bytes())
    x509.load_der_x509_certificate(shown.certificate).verify_directly_issued_by(issuer)


def test_nobody_can_make_another_for_whoever_trusts_the_authority(made):
    held = b"".join(path.read_bytes() for path in made.folder.rglob("*") if path.is_file())
    assert b"PRIVATE KEY" not in held
    left = {str(path.relative_to(made.folder)) for path in made.folder.rglob("*")}
    assert left <= {"ca.pem", "endorsement.pem", "state", "state/.lock", "state/tpm2-00.permall"}


def test_others_do_not_read_its_state(made):
    assert stat.S_IMODE((made.folder / module.STATE).stat().st_mode) == 0o700


def test_each_is_another(made, tmp_path):
    other = tpm_in(tmp_path / "other")
    assert other.endorsement_key != made.endorsement_key
    assert other.authority_digest != made.authority_digest


def test_one_machine_has_it_at_a_time(made):
    with (
        locked(made),
        pytest.raises(MachineError, match="belongs to another machine"),
        locked(made),
    ):
        pytest.fail("both have it")
    with locked(made):
        pass


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(MachineError, match="holds no TPM"):
        tpm_in(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


def test_a_set_up_that_fails_says_why_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "path_of", lambda name: "/bin/false")
    with pytest.raises(MachineError, match="swtpm_setup made no TPM"):
        tpm_in(tmp_path / "tpm")
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_missing_is_named_with_its_package(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match=r"swtpm_localca not found.* swtpm-tools$"):
        tpm_in(Path(tmp_path) / "tpm")
