"""All of Veracruz in one install, and a demonstration of it."""

from veracruz.errors import ServiceError
from veracruz.services import Service

__all__ = ["Service", "ServiceError"]
