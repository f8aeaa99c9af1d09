"""Attestation service: enrolment, registry and token verification.

Here are its errors; the service, which loads the database, is in `tabasco.service.attestation`.
"""

from tabasco.errors import BusyError, DatabaseError, RefusalError, RejectionReason, TabascoError

__all__ = [
    "BusyError",
    "DatabaseError",
    "RefusalError",
    "RejectionReason",
    "TabascoError",
]
