"""Which image there is to start: a folder, an archive, or what the installed release brings."""

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sonora.errors import SonoraError
from veracruz_image import ROOT, Manifest, read_manifest, unpack
from veracruz_shells.cache import user_cache
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen

RELEASE: Final = "veracruz_runtime_image"
"""The package that brings a release's image."""
ARCHIVE: Final = "image.tar.xz"


@frozen
class RuntimeImage:
    """An image to start; it is checked when it is.

    Attributes:
        folder: where it is.
        manifest: what is in it.
    """

    folder: Path
    manifest: Manifest

    @property
    def root(self) -> Path:
        """The folder that becomes the root of everything."""
        return self.folder / ROOT

    @property
    def measurement(self) -> Digest:
        """What policies pin to accept it."""
        return self.manifest.measurement


def find_image(path: Path | None = None) -> RuntimeImage:
    """The image to start.

    Args:
        path: a folder or an archive; the installed release's by default.

    Raises:
        SonoraError: there is no release installed.
        ImageError: there is no image at the path, or its archive is not what it says.
    """
    chosen = installed_archive() if path is None else path
    if chosen is None:
        raise SonoraError(
            f"there is no runtime image: install the package {RELEASE.replace('_', '-')}, or build"
            " one with `sonora image build FOLDER` and name it with --image"
        )
    if not chosen.is_dir():
        return _unpacked(chosen)
    return RuntimeImage(chosen.absolute(), read_manifest(chosen))


def installed_archive() -> Path | None:
    """The image of the release that is installed, if one is."""
    spec = find_spec(RELEASE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / ARCHIVE


def cache_folder() -> Path:
    """Where this user's unpacked and local images are."""
    return user_cache()


def _unpacked(archive: Path) -> RuntimeImage:
    """An archive's image, unpacked once; whoever starts it holds it against the manifest again."""
    manifest = read_manifest(archive)
    folder = (cache_folder() / "images" / str(manifest.measurement)).absolute()
    image = RuntimeImage(folder, manifest)
    if folder.is_dir():
        if read_manifest(folder).measurement != manifest.measurement:
            raise SonoraError(f"{folder} holds another image than its name says: remove it")
        return image
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unpacking.", dir=folder.parent) as draft:
            unpack(archive, Path(draft) / "image")
            (Path(draft) / "image").rename(folder)
    except OSError as error:
        # Somebody else may have unpacked the same meanwhile.
        if not folder.is_dir():
            raise SonoraError(f"cannot unpack the image to {folder}: {error.strerror}") from error
    return image
