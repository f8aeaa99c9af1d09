"""Random numbers for each kind of isolate, here the Linux process; descriptors over sockets."""

from platform_services.errors import DescriptorsLostError, PlatformError, ServiceUnavailableError
from platform_services.random import LinuxRandomSource, RandomSource

__all__ = [
    "DescriptorsLostError",
    "LinuxRandomSource",
    "PlatformError",
    "RandomSource",
    "ServiceUnavailableError",
]
