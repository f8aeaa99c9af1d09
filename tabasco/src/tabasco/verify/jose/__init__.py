"""JSON Web Signatures of attestation services, and their keys."""
