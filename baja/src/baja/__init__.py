"""TLS endpoint core over OpenSSL memory BIOs, and certificate making."""
