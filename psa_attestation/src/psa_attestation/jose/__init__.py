"""JSON Web Signatures and JSON Web Keys (RFC 7515, RFC 7517)."""
