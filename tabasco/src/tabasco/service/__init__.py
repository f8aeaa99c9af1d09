"""The attestation service without its network: enrolment, sessions, results."""
