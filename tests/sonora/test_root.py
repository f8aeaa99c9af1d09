import importlib.util
import os
import stat
import sys
from importlib.metadata import version

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from psa_attestation.evidence.software import verify_software_evidence
from psa_attestation.tokens.instance_id import instance_id_of
from sonora.errors import SonoraError
from sonora.evidence.own_process import measure_this_process, measurement_of
from sonora.evidence.software import KEY_FILE, PUBLIC_KEY_FILE, SoftwareRoot

BINDING = bytes(32)


def write_key(state, key, *, mode=0o600) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (state / KEY_FILE).write_bytes(pem)
    (state / KEY_FILE).chmod(mode)


def mode_of(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_root_is_for_its_owners_eyes_and_its_public_half_for_all(tmp_path):
    state = tmp_path / "new" / "state"
    public = SoftwareRoot.create(state)
    assert public == state / PUBLIC_KEY_FILE
    assert mode_of(state) == 0o700
    assert mode_of(state / KEY_FILE) == 0o600
    assert mode_of(public) & 0o777 & ~0o644 == 0


def test_a_permissive_umask_changes_nothing_about_the_key(tmp_path):
    before = os.umask(0)
    try:
        SoftwareRoot.create(tmp_path / "state")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "state" / KEY_FILE) == 0o600
    assert mode_of(tmp_path / "state" / PUBLIC_KEY_FILE) == 0o644


def test_evidence_is_verified_with_the_public_half(tmp_path):
    public = serialization.load_pem_public_key(SoftwareRoot.create(tmp_path).read_bytes())
    root = SoftwareRoot.load(tmp_path)
    evidence = root.evidence(BINDING)
    verified = verify_software_evidence(
        evidence, key_for={instance_id_of(public): public}.get, binding=BINDING
    )
    assert verified.measurement == measurement_of(measure_this_process())
    assert verified.version == version("veracruz-sonora")
    assert root.platform == "linux-software-root"


def test_what_was_loaded_after_the_root_is_in_its_evidence(tmp_path, monkeypatch):
    monkeypatch.setattr("sonora.evidence.own_process._mapped_libraries", set)
    public = serialization.load_pem_public_key(SoftwareRoot.create(tmp_path).read_bytes())
    root = SoftwareRoot.load(tmp_path)
    (tmp_path / "loaded_later.py").write_text("")
    specification = importlib.util.spec_from_file_location(
        "loaded_later", tmp_path / "loaded_later.py"
    )
    before = measurement_of(measure_this_process())
    sys.modules["loaded_later"] = importlib.util.module_from_spec(specification)
    try:
        evidence = root.evidence(BINDING)
    finally:
        del sys.modules["loaded_later"]
    verified = verify_software_evidence(
        evidence, key_for={instance_id_of(public): public}.get, binding=BINDING
    )
    assert verified.measurement != before


@pytest.mark.parametrize("there_already", [KEY_FILE, PUBLIC_KEY_FILE])
def test_a_root_that_exists_is_not_replaced_and_none_is_half_made(tmp_path, there_already):
    (tmp_path / there_already).write_text("mine")
    with pytest.raises(SonoraError, match=f"{there_already} exists already"):
        SoftwareRoot.create(tmp_path)
    assert (tmp_path / there_already).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [there_already]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SonoraError, match=r"file/state: Not a directory"):
        SoftwareRoot.create(tmp_path / "file" / "state")


def test_a_missing_key_comes_with_the_way_to_make_one(tmp_path):
    with pytest.raises(SonoraError, match=f"make one with: sonora init --state {tmp_path}"):
        SoftwareRoot.load(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_key_that_others_may_read_or_write_is_refused(tmp_path, mode):
    write_key(tmp_path, ec.generate_private_key(ec.SECP256R1()), mode=mode)
    with pytest.raises(SonoraError, match="chmod 600"):
        SoftwareRoot.load(tmp_path)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()]
)
def test_a_key_of_another_kind_is_refused(tmp_path, key):
    write_key(tmp_path, key)
    with pytest.raises(SonoraError, match="is not a P-256 key"):
        SoftwareRoot.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        bytes(50_000),
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        ),
    ],
)
def test_what_is_no_key_is_refused_without_being_quoted(tmp_path, content):
    (tmp_path / KEY_FILE).write_bytes(content)
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(SonoraError, match=f"{KEY_FILE} is not a private key in PEM"):
        SoftwareRoot.load(tmp_path)


def test_a_folder_in_the_place_of_the_key_is_named(tmp_path):
    (tmp_path / KEY_FILE).mkdir()
    with pytest.raises(SonoraError, match="cannot be read"):
        SoftwareRoot.load(tmp_path)


def test_a_root_does_not_show_its_key(tmp_path):
    SoftwareRoot.create(tmp_path)
    secret = (tmp_path / KEY_FILE).read_text().splitlines()[1]
    root = SoftwareRoot.load(tmp_path)
    assert secret not in repr(root) + repr(vars(root))
