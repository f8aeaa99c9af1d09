"""Errors of the demonstration.

VeracruzError
└ ServiceError    a service did not start, or ended before its time
"""

from veracruz_utils.errors import VeracruzError


class ServiceError(VeracruzError):
    """A service did not start, or ended before its time; the message has its last words."""
