"""Signed releases, from the command that makes them to the tool that believes them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from psa_attestation.corim.release import verify_release
from sonora.cli import main
from sonora.errors import SonoraError
from sonora.image.signing import parse_release_key, sign_images
from support.releases import KEY, small_image
from veracruz_image import ImageChangedError, measurement_of

NOW = datetime(2026, 11, 30, tzinfo=UTC)
YEAR = timedelta(days=365)


def private_pem(key=KEY, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@pytest.fixture
def image(tmp_path):
    return small_image(tmp_path / "image")


@pytest.fixture
def arm_image(tmp_path):
    return small_image(tmp_path / "arm", loader="ld-linux-aarch64.so.1")


def signed(*images, version="0.1.0", signer="Veracruz releases"):
    return sign_images(images, KEY, version=version, signer=signer, at=NOW, lifetime=YEAR)


def test_a_release_says_what_its_images_measure(image, arm_image):
    release, data = signed(image, arm_image)
    assert release.measurements == {
        "x86_64": measurement_of(image).value,
        "aarch64": measurement_of(arm_image).value,
    }
    at = int((NOW + YEAR).timestamp())
    assert verify_release(data, key=KEY.public_key(), at=at) == release


def test_two_images_for_the_same_machines_are_refused(image):
    with pytest.raises(SonoraError, match="second image for x86_64"):
        signed(image, image)


def test_an_image_that_is_not_what_its_manifest_says_is_not_signed(image):
    (image / "root/usr/lib/libc.so.6").write_bytes(b"LIBC.so.6")
    with pytest.raises(ImageChangedError):
        signed(image)


@pytest.mark.parametrize("words", [{"version": "first"}, {"signer": ""}])
def test_what_nobody_could_read_is_not_signed(image, words):
    with pytest.raises(SonoraError, match="would be refused"):
        signed(image, **words)


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (b"", "not a private key in PEM"),
        (private_pem(encryption=BestAvailableEncryption(b"secret")), "without a passphrase"),
        (private_pem(rsa.generate_private_key(65537, 2048)), "not a key on P-256"),
    ],
)
def test_what_is_no_key_for_releases_is_told(pem, words):
    with pytest.raises(SonoraError, match=words):
        parse_release_key(pem, name="key.pem")
    assert isinstance(parse_release_key(private_pem(), name="key"), ec.EllipticCurvePrivateKey)


@pytest.mark.usefixtures("unprotected")
def test_the_command_writes_the_file_and_says_what_is_in_it(tmp_path, image):
    key = tmp_path / "key.pem"
    key.write_bytes(private_pem())
    key.chmod(0o600)
    output = tmp_path / "release.corim"
    command = [
        "image", "sign", str(image), "--key", str(key), "--version", "0.1.0",
        "--signer", "Veracruz releases", "--days", "30", "--output", str(output),
    ]  # fmt: skip
    done = CliRunner().invoke(main, [*command, "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    release = verify_release(
        output.read_bytes(), key=KEY.public_key(), at=int(datetime.now(UTC).timestamp())
    )
    assert facts["version"] == release.version == "0.1.0"
    assert facts["measurements"] == {"x86_64": str(measurement_of(image))}
    assert release.expires_at - release.issued_at == 30 * 86_400
    assert done.stderr == ""
    key.chmod(0o644)
    again = CliRunner().invoke(main, [*command, "--force"])
    assert again.exit_code == 0
    assert "warning: others on this machine may read" in again.stderr
    assert CliRunner().invoke(main, command).exit_code == 1
