"""For which machines an image is: told by the dynamic loader in it."""

from typing import Final

from veracruz_image.errors import ImageError
from veracruz_image.manifest import Manifest

ARCHITECTURES: Final = {"ld-linux-x86-64.so.2": "x86_64", "ld-linux-aarch64.so.1": "aarch64"}
"""As `uname -m` names them, by the loader's name, which the platform's ABI fixes."""


def architecture_of(manifest: Manifest) -> str:
    """The architecture of the machines that an image runs on.

    Raises:
        ImageError: it has no dynamic loader that we know, or those of several.
    """
    names = {path.rpartition("/")[2] for path in manifest.entries}
    found = {name for loader, name in ARCHITECTURES.items() if loader in names}
    if len(found) != 1:
        known = " or ".join(ARCHITECTURES)
        raise ImageError(f"the image does not say for which machines it is: it has no {known}")
    return found.pop()
