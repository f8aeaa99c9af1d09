"""CoRIM: bundles of reference values and attestation keys (draft-ietf-rats-corim)."""
