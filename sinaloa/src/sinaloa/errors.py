"""What goes wrong at the bridge.

VeracruzError
└ SinaloaError                  the isolate cannot be launched, or ended
  └ SonoraUnreachableError      also an UnreachableError: Sonora is not there, or went away
"""

from veracruz_utils.errors import UnreachableError, VeracruzError


class SinaloaError(VeracruzError):
    """The bridge cannot do its work."""


class SonoraUnreachableError(SinaloaError, UnreachableError):
    """Sonora cannot be reached, went away or does not answer."""
