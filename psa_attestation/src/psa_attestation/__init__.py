"""Strict CBOR, COSE, PSA attestation tokens and attestation results."""
