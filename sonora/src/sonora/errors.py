"""Errors of the root attestation isolate.

VeracruzError
├ SonoraError          Sonora cannot do what it was asked
│ └ LaunchError        there is no isolate for this policy
└ RefusedError
  └ EnrolmentRefusedError   Tabasco does not enrol this root
"""

from veracruz_utils.errors import RefusedError, VeracruzError


class SonoraError(VeracruzError):
    """The root attestation isolate cannot do what it was asked."""


class LaunchError(SonoraError):
    """There is no isolate for this policy; the message says why, for people."""


class EnrolmentRefusedError(RefusedError):
    """Tabasco does not enrol this root attestation isolate."""
