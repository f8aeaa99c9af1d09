"""What runs in the machine as its first process; the standard library is all that it needs."""

__all__: list[str] = []
