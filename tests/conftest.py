"""What all tests share."""

import signal

from hypothesis import settings

# These tests run beside others on small machines: how long an example takes says nothing.
settings.register_profile("veracruz", deadline=None)
settings.load_profile("veracruz")

# What a shell starts in the background ignores interrupts, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
