"""What can be at a path of an image, as values."""

from dataclasses import dataclass

from veracruz_utils.digest import Digest


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """A folder with these permissions."""

    mode: int


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A regular file with these permissions, size in bytes and SHA-256."""

    mode: int
    size: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class ImageLink:
    """A symbolic link with this text."""

    target: str


@dataclass(frozen=True, slots=True)
class Irregular:
    """What no image has: a device, a socket, a queue, or what cannot be read; `what` says which."""

    what: str


ImageEntry = ImageFolder | ImageFile | ImageLink
