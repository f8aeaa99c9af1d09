"""CBOR (RFC 8949): what it is in Python, written deterministically, read strictly."""
