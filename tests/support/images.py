"""Copies of the local image for tests that change one."""

import os
import shutil
from pathlib import Path

from sonora.image.source import RuntimeImage
from veracruz_image import MANIFEST, ROOT, Manifest, found_in, open_folder, read_manifest


def copy_of(image: RuntimeImage, folder: Path) -> RuntimeImage:
    """The image once more, in files that are shared until they are `replace`d."""
    shutil.copytree(image.folder, folder, symlinks=True, copy_function=os.link)
    return RuntimeImage(folder, image.manifest)


def replace(path: Path, content: bytes) -> None:
    """Give a file of a copy another content, and the original none of it."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)


def remade(folder: Path) -> RuntimeImage:
    """The image in a folder that was changed, with a manifest that says so."""
    with open_folder(folder / ROOT) as root:
        manifest = Manifest.of(found_in(root))
    replace(folder / MANIFEST, manifest.text)
    return RuntimeImage(folder, read_manifest(folder))
