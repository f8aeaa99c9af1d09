"""What a principal need not say again: profiles, encrypted keys, other people's key files."""

import tomllib
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    NoEncryption,
    pkcs12,
)

from durango.cli import main
from durango.cli.profiles import Profile
from durango.identity import Identity, load_certificate


def run(*words: object, config: Path, status: int = 0, **how):
    result = CliRunner().invoke(
        main, [str(word) for word in words], env={"DURANGO_CONFIG": str(config)}, **how
    )
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def config(tmp_path) -> Path:
    return tmp_path


def test_a_profile_gives_what_a_command_line_leaves_out(config):
    run("identity", "new", "--name", "north", "--output", config, config=config)
    (config / "config.toml").write_text(
        'profile = "n"\n[profiles.n]\ncertificate = "north.cert.pem"\nkey = "north.key.pem"\n'
        'policy = "policy.json"\n[profiles.other]\npolicy = "another.json"\n'
    )
    told = run("status", config=config, status=1).stderr
    assert f"cannot read policy {config / 'policy.json'}" in told
    told = run("--profile", "other", "policy", "show", config=config, status=1).stderr
    assert f"{config / 'another.json'}" in told
    told = run("policy", "show", "mine.json", config=config, status=1).stderr
    assert "cannot read policy mine.json" in told


def test_what_is_given_is_the_last_argument_where_a_profile_names_the_policy(config):
    run("identity", "new", "--name", "north", "--output", config, config=config)
    (config / "config.toml").write_text(
        'profile = "n"\n[profiles.n]\ncertificate = "north.cert.pem"\nkey = "north.key.pem"\n'
        'policy = "policy.json"\n'
    )
    told = run("data", "send", "input.dat", config=config, status=1).stderr
    assert f"cannot read policy {config / 'policy.json'}" in told
    told = run("data", "send", "mine.json", "input.dat", config=config, status=1).stderr
    assert "cannot read policy mine.json" in told


def test_without_a_profile_everything_has_to_be_said(config):
    told = run("data", "send", "input.dat", config=config, status=2).stderr
    assert "Missing argument 'FILE'" in told
    told = run("status", config=config, status=2).stderr
    assert 'POLICY is missing: give the policy\'s file, or say `policy = "FILE"` in a' in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('profile = "n"', "has no profile 'n'"),
        ("[profiles.n]\ncertifcate = 'x'", "unknown field 'certifcate'"),
        ("profile = [", "is not TOML"),
        (f"profile = {'9' * 5000}", "is not TOML"),
        (f"profile = {'[' * 5000}", "is not TOML"),
        ("profile = 3", "Expected 'str | null'"),
    ],
)
def test_a_configuration_that_is_none_is_told_with_its_file(config, text, told):
    (config / "config.toml").write_text(text)
    found = run("identity", "show", "x", config=config, status=1).stderr
    assert told in found
    assert str(config / "config.toml") in found


def test_a_home_that_is_not_there_is_told(config):
    (config / "config.toml").write_text('profile = "n"\n[profiles.n]\nkey = "~no-such-user/x"')
    told = run("identity", "show", "x", config=config, status=1).stderr
    assert "~no-such-user/x" in told
    assert "internal error" not in told


def test_a_profile_that_is_not_there_is_told(config):
    told = run("--profile", "north", "identity", "show", "x", config=config, status=1).stderr
    assert "there is no profile 'north'" in told


def test_a_key_is_encrypted_under_a_password_and_used_with_it(config):
    (config / "word").write_text("correct horse\n")
    words = ("identity", "new", "--name", "Klinikum Süd", "--output", config, "--encrypt")
    told = run(*words, "--key-password", config / "word", config=config).stdout
    assert "tell it to the others by another way" in told
    key, certificate = config / "Klinikum-Süd.key.pem", config / "Klinikum-Süd.cert.pem"
    assert b"ENCRYPTED PRIVATE KEY" in key.read_bytes()
    loaded = Identity.load(certificate, key, password=lambda _: b"correct horse")
    subject = x509.load_der_x509_certificate(loaded.certificate).subject
    assert subject.rfc4514_string() == "CN=Klinikum Süd"
    (config / "policy.json").write_text("{}")
    send = ("status", config / "policy.json", "--certificate", certificate, "--key", key)
    told = run(*send, config=config, status=2).stderr
    assert "no terminal to ask for its password at: give --key-password FILE" in told
    (config / "wrong").write_text("wrong")
    told = run(*send, "--key-password", config / "wrong", config=config, status=1).stderr
    assert f"the password is not that of {key}" in told
    told = run(*send, "--key-password", config / "word", config=config, status=3).stderr
    assert "policy.json: " in told  # past the key, to the policy


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        ("timeout = nan", 2, "nan is no number of seconds"),
        ("timeout = -1", 2, "is not in the range"),
        ('timeout = "x"', 1, "at 'profiles.other.timeout'"),
        ('certificate = "a\\u0000b"', 1, "no file has NUL in its name"),
    ],
)
def test_what_a_profile_cannot_say_is_told_with_its_place(config, said, status, told):
    text = f'profile = "other"\n[profiles.first]\n[profiles.other]\n{said}\n'
    (config / "config.toml").write_bytes(text.encode("utf-8-sig"))
    files = ("--certificate", "x", "--key", "x")
    assert told in run("status", "x", *files, config=config, status=status).stderr


def test_a_pkcs12_file_is_taken_apart(config):
    made = Identity.create("south", not_before=datetime.now(UTC), lifetime=timedelta(days=2))
    certificate = x509.load_der_x509_certificate(made.certificate)
    packed = pkcs12.serialize_key_and_certificates(
        b"south", made.private_key, certificate, None, BestAvailableEncryption(b"word")
    )
    (config / "south.p12").write_bytes(packed)
    (config / "word").write_text("word\n")
    (config / "wrong").write_text("drow\n")
    take = ("identity", "import", config / "south.p12", "--name", "south", "--output", config)
    told = run(*take, "--password", config / "wrong", config=config, status=1).stderr
    assert "has another password, or is damaged" in told
    told = run(*take, config=config, status=2).stderr
    assert "give --password FILE" in told
    run(*take, "--password", config / "word", config=config)
    found = Identity.load(config / "south.cert.pem", config / "south.key.pem")
    assert found.digest == made.digest
    assert (config / "south.key.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("data", [b"", b"nonsense", b"0" * 70_000])
def test_what_is_no_pkcs12_file_is_refused(config, data):
    (config / "bad.p12").write_bytes(data)
    (config / "word").write_text("word\n")
    take = ("identity", "import", config / "bad.p12", "--name", "x", "--output", config)
    for given in (("--password", config / "word"), ()):
        told = run(*take, *given, config=config, status=1).stderr
        assert "is not PKCS#12" in told or "more than 65536 bytes" in told
    assert not (config / "x.key.pem").exists()


def test_a_pkcs12_file_without_a_password_is_not_asked_for_one(config):
    made = Identity.create("south", not_before=datetime.now(UTC), lifetime=timedelta(days=2))
    certificate = x509.load_der_x509_certificate(made.certificate)
    packed = pkcs12.serialize_key_and_certificates(
        b"south", made.private_key, certificate, None, NoEncryption()
    )
    (config / "south.p12").write_bytes(packed)
    take = ("identity", "import", config / "south.p12", "--output", config, "--name")
    assert "is no name for files" in run(*take, "../south", config=config, status=2).stderr
    run(*take, "south", config=config)
    assert Identity.load(config / "south.cert.pem", config / "south.key.pem") == made


def test_a_name_is_the_same_however_its_letters_are_typed(config):
    named = ("identity", "new", "--output", config, "--name", unicodedata.normalize("NFD", "Süd"))
    run(*named, config=config)
    subject = load_certificate(config / "Süd.cert.pem").subject
    assert subject.rfc4514_string() == "CN=Süd"


def test_an_empty_password_protects_no_key(config):
    (config / "word").write_text("\n")
    named = ("identity", "new", "--output", config, "--name", "x", "--encrypt")
    told = run(*named, "--key-password", config / "word", config=config, status=2).stderr
    assert "is empty, and is no password" in told
    assert not (config / "x.key.pem").exists()


def test_the_page_of_the_configuration_has_every_field_of_a_profile():
    page = Path(__file__).parents[2].joinpath("docs/reference/configuration.md").read_text()
    said = tomllib.loads(page.split("```toml\n")[1].split("```")[0])
    named = {name for profile in said["profiles"].values() for name in profile}
    assert named == set(Profile.__struct_fields__)
