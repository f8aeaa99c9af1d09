"""Attestation service: enrolment, registry and token verification."""

from tabasco.errors import BusyError, DatabaseError, Reason, RefusalError, TabascoError
from tabasco.service.attestation import AttestationService, Settings

__all__ = [
    "AttestationService",
    "BusyError",
    "DatabaseError",
    "Reason",
    "RefusalError",
    "Settings",
    "TabascoError",
]
