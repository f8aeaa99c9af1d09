"""Receipts: what a runtime did in one round, signed with its attested key."""
