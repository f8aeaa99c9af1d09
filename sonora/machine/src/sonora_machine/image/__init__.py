"""Builds a machine image out of a lock of packages and the wheels of a release."""

__all__: list[str] = []
