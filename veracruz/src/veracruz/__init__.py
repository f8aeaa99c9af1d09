"""All of Veracruz in one install, and a demonstration of it."""

from veracruz.errors import ServiceError
from veracruz.local import LocalServices
from veracruz.services import Service

__all__ = ["LocalServices", "Service", "ServiceError"]
