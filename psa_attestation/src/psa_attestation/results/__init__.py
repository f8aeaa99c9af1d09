"""Attestation results (EAR, draft-ietf-rats-ear): as CWT and as JWT."""
