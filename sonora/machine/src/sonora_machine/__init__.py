"""A machine image that anybody can build, and measure without starting it."""

__all__: list[str] = []
