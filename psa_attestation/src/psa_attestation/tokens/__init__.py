"""PSA attestation tokens (RFC 9783): claims, tokens, and the token about a runtime."""
