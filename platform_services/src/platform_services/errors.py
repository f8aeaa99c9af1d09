"""What can go wrong between the runtime and its platform.

    PlatformError                 a service of the platform failed
    ├ ServiceUnavailableError     the platform does not offer it now
    └ DescriptorsLostError        descriptors came, and this process had no room for them

All are outcomes that a caller reports, not bugs.
"""

from veracruz_utils.errors import VeracruzError


class PlatformError(VeracruzError):
    """A service of the platform failed."""


class ServiceUnavailableError(PlatformError):
    """The platform does not offer this service now; a guest sees status -7."""


class DescriptorsLostError(PlatformError):
    """The kernel closed descriptors that came: this process has as many open files as it may."""
