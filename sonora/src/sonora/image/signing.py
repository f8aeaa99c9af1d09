"""What a release measures, signed: made where images are released, read by `durango release`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from psa_attestation.cbor.values import WritingError
from psa_attestation.corim.release import ImageRelease, sign_release
from sonora.errors import SonoraError
from veracruz_image import architecture_of, verify_image
from veracruz_shells.console import note, read_file

_MAX_KEY_BYTES: Final = 16 * 1024


def sign_images(
    images: Sequence[Path],
    key: ec.EllipticCurvePrivateKey,
    *,
    version: str,
    signer: str,
    at: datetime,
    lifetime: timedelta,
) -> tuple[ImageRelease, bytes]:
    """The release that these images are, and the signed file that says so.

    Args:
        images: a folder or archive for each architecture; each is held against its manifest first.
        key: the release key.
        version: of the release.
        signer: how who releases it is called.
        at: from when on the file counts.
        lifetime: for how long.

    Raises:
        ImageError: an image is not what its manifest says.
        SonoraError: two are for the same machines, or this is no release that could be read.
    """
    measurements: dict[str, bytes] = {}
    for image in images:
        manifest = verify_image(image)
        architecture = architecture_of(manifest)
        if architecture in measurements:
            raise SonoraError(f"{image} is the second image for {architecture}: give one for each")
        measurements[architecture] = manifest.measurement.value
    issued = int(at.timestamp())
    expires = int((at + lifetime).timestamp())
    release = ImageRelease(version, measurements, signer, issued, expires)
    try:
        return release, sign_release(release, key)
    except WritingError as error:
        raise SonoraError(str(error)) from error


def read_release_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in a PEM file; says so if others may read it too.

    Raises:
        VeracruzError: it cannot be read, is anything else, or encrypted.
    """
    key = parse_release_key(
        read_file(path, limit=_MAX_KEY_BYTES, what="release key"), name=str(path)
    )
    if str(path) != "-" and path.stat().st_mode & 0o077:
        note(f"warning: others on this machine may read {path}: chmod 600 {path}")
    return key


def parse_release_key(pem: bytes, *, name: str) -> ec.EllipticCurvePrivateKey:
    """The private key in a PEM file.

    Raises:
        SonoraError: it is anything else, or encrypted.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SonoraError(f"{name} is not a private key in PEM without a passphrase") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SonoraError(f"{name} is not a key on P-256, P-384 or P-521")
    return key
