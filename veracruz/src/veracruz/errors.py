"""Errors of the demonstration and of the units.

VeracruzError
├ ServiceError    a service did not start, or ended before its time
└ UnitError       units cannot be written for this installation
"""

from veracruz_utils.errors import VeracruzError


class ServiceError(VeracruzError):
    """A service did not start, or ended before its time; the message has its last words."""


class UnitError(VeracruzError):
    """Units cannot be written for this installation; the message says why."""
