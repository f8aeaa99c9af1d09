"""What all tests share."""

from hypothesis import settings

# These tests run beside others on small machines: how long an example takes says nothing.
settings.register_profile("veracruz", deadline=None)
settings.load_profile("veracruz")
