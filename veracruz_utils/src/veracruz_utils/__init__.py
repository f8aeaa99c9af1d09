"""Global policy, identities, digests, secrets and the error root of Veracruz."""
