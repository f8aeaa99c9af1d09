"""COSE_Sign1 and COSE_Mac0 (RFC 9052): signed with one half, verified with the other."""
