"""The runtime image: what is in it, what it is measured as, and what differs between two."""

from veracruz_image.architecture import ARCHITECTURES, architecture_of
from veracruz_image.archive import unpack, write_archive
from veracruz_image.differences import ImageDifference, differences
from veracruz_image.entries import ImageEntry, ImageFile, ImageFolder, ImageLink, Irregular
from veracruz_image.errors import ImageChangedError, ImageError, ManifestError
from veracruz_image.folder import MANIFEST, ROOT, check, copy, found_in, open_folder
from veracruz_image.image import measurement_of, read_manifest, verify_image
from veracruz_image.manifest import Manifest

__all__ = [
    "ARCHITECTURES",
    "MANIFEST",
    "ROOT",
    "ImageChangedError",
    "ImageDifference",
    "ImageEntry",
    "ImageError",
    "ImageFile",
    "ImageFolder",
    "ImageLink",
    "Irregular",
    "Manifest",
    "ManifestError",
    "architecture_of",
    "check",
    "copy",
    "differences",
    "found_in",
    "measurement_of",
    "open_folder",
    "read_manifest",
    "unpack",
    "verify_image",
    "write_archive",
]
