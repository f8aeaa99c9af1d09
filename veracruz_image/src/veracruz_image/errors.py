"""What can be wrong with an image.

VeracruzError
└ ImageError                it cannot be read or written, or is too large to be one
  ├ ManifestError           this is no manifest of an image
  └ ImageChangedError       the content is not what the manifest says
"""

from collections.abc import Sequence

from veracruz_utils.errors import VeracruzError

_NAMED: int = 10
"""Differences that a message names; the rest is counted."""


class ImageError(VeracruzError):
    """An image cannot be read or written, or is too large to be one."""


class ManifestError(ImageError):
    """This is no manifest of an image."""


class ImageChangedError(ImageError):
    """The content is not what the manifest says.

    Attributes:
        differences: each in one line.
    """

    def __init__(self, what: str, differences: Sequence[str]) -> None:
        self.differences = tuple(differences)
        named = "; ".join(self.differences[:_NAMED])
        more = len(self.differences) - _NAMED
        rest = f"; and {more} more" if more > 0 else ""
        super().__init__(f"{what} is not what its manifest says: {named}{rest}")
