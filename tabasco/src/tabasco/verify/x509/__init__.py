"""Certificates, their chains and their revocation lists."""
