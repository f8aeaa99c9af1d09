"""The error of pictures."""

from veracruz_utils.errors import VeracruzError


class PictureError(VeracruzError):
    """A result has no picture, or none can be drawn of this one."""
