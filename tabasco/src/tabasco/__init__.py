"""Attestation service: enrolment, registry and token verification."""

from tabasco.errors import BusyError, DatabaseError, RefusalError, RejectionReason, TabascoError
from tabasco.service.attestation import AttestationService, Settings

__all__ = [
    "AttestationService",
    "BusyError",
    "DatabaseError",
    "RefusalError",
    "RejectionReason",
    "Settings",
    "TabascoError",
]
