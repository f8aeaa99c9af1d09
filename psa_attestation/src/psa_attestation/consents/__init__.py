"""Consents: that a principal agrees to a policy, signed with the key of its certificate."""
