"""An image wherever it is: a folder, an archive, or its manifest alone."""

from pathlib import Path

from veracruz_image.archive import MAGIC, check_archive, manifest_in
from veracruz_image.errors import ImageError, ManifestError
from veracruz_image.folder import MANIFEST, ROOT, check, open_folder
from veracruz_image.manifest import MAX_MANIFEST_BYTES, Manifest
from veracruz_utils.digest import Digest


def read_manifest(path: Path) -> Manifest:
    """The manifest of an image, whose content is not looked at.

    Args:
        path: its folder, its archive, or a file with the manifest alone.

    Raises:
        ImageError: there is none.
    """
    return _read(path, whole=False)


def verify_image(path: Path) -> Manifest:
    """The manifest of an image, whose content is what it says.

    Args:
        path: as for `read_manifest`; of a manifest alone there is no content to compare.

    Raises:
        ImageError: there is no image, or it is another one than its manifest says.
    """
    return _read(path, whole=True)


def measurement_of(path: Path) -> Digest:
    """What a policy pins to accept this image, whose content is what its manifest says.

    Args:
        path: as for `verify_image`.

    Raises:
        ImageError: as `verify_image`.
    """
    return verify_image(path).measurement


def _read(path: Path, *, whole: bool) -> Manifest:
    try:
        if path.is_dir():
            return _of_folder(path, whole=whole)
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
            if start == MAGIC:
                file.seek(0)
                return check_archive(file, what=str(path)) if whole else manifest_in(file)
            return Manifest.parse(start + file.read(MAX_MANIFEST_BYTES))
    except OSError as error:
        raise ImageError(f"cannot read the image {path}: {error.strerror}") from error
    except ValueError as error:  # NUL in the name
        raise ImageError(f"cannot read the image {str(path)!r}: {error}") from error
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from error


def _of_folder(path: Path, *, whole: bool) -> Manifest:
    with (path / MANIFEST).open("rb") as file:
        manifest = Manifest.parse(file.read(MAX_MANIFEST_BYTES + 1))
    if whole:
        with open_folder(path / ROOT) as root:
            check(root, manifest, what=str(path))
    return manifest
