"""Keys for releases, releases that they signed, and images that are small enough for a test."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.corim.release import ImageRelease, sign_release
from veracruz_image import MANIFEST, ROOT, Manifest, found_in, open_folder
from veracruz_utils.key_files import digest_of, pem_of

KEY = ec.derive_private_key(0x5EA1, ec.SECP256R1())
STRANGER = ec.derive_private_key(0x5EA2, ec.SECP256R1())
FINGERPRINT = digest_of(KEY.public_key()).hex()
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
RELEASE = ImageRelease(
    version="0.1.0",
    measurements={"x86_64": b"\x11" * 32},
    signer="Veracruz releases",
    issued_at=int((NOW - DAY).timestamp()),
    expires_at=int((NOW + 300 * DAY).timestamp()),
)


def key_file(folder: Path, key: ec.EllipticCurvePrivateKey = KEY) -> Path:
    """The public key in a file."""
    path = folder / "release.pub.pem"
    path.write_bytes(pem_of(key.public_key()))
    return path


def release_file(
    folder: Path,
    *,
    key: ec.EllipticCurvePrivateKey = KEY,
    name: str = "release.corim",
    issued: timedelta = -DAY,
    expires: timedelta = 300 * DAY,
    **changes: object,
) -> Path:
    """A signed release in a file, with changes to the usual one."""
    changes |= {
        "issued_at": int((NOW + issued).timestamp()),
        "expires_at": int((NOW + expires).timestamp()),
    }
    path = folder / name
    path.write_bytes(sign_release(replace(RELEASE, **changes), key))
    return path


def small_image(folder: Path, loader: str = "ld-linux-x86-64.so.2") -> Path:
    """A folder that is an image, of three files."""
    for name in (loader, "libc.so.6", "python3.11/os.py"):
        file = folder / ROOT / "usr/lib" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
        file.chmod(0o644)
    for path in (folder / ROOT).rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    with open_folder(folder / ROOT) as root:
        (folder / MANIFEST).write_bytes(Manifest.of(found_in(root)).text)
    return folder
