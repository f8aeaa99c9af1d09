"""What can be at a path of an image, as values."""

from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen


@frozen
class ImageFolder:
    """A folder with these permissions."""

    mode: int


@frozen
class ImageFile:
    """A regular file with these permissions, size in bytes and SHA-256."""

    mode: int
    size: int
    digest: Digest


@frozen
class ImageLink:
    """A symbolic link with this text."""

    target: str


@frozen
class Irregular:
    """What no image has: a device, a socket, a queue, or what cannot be read; `what` says which."""

    what: str


ImageEntry = ImageFolder | ImageFile | ImageLink
