"""Attestation service: enrolment, registry and token verification."""
