"""Attestation service: enrolment, registry and token verification."""

from tabasco.errors import BusyError, DatabaseError, Reason, RefusalError, TabascoError

__all__ = [
    "BusyError",
    "DatabaseError",
    "Reason",
    "RefusalError",
    "TabascoError",
]
