"""What all tests share."""

import os
import signal
import sysconfig

import pytest
from hypothesis import settings

from support.command_server import commands

# These tests run beside others on small machines: how long an example takes says nothing.
settings.register_profile("veracruz", deadline=None)
settings.load_profile("veracruz")

# What a shell starts in the background ignores interrupts, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def quick_path(tmp_path_factory):
    """A PATH with our commands, on which those of the SDK need no start-up of their own."""
    names = ["veracruz-sdk", "freestanding-execution-engine"]
    with commands(names, tmp_path_factory.mktemp("commands")) as folder:
        yield os.pathsep.join([str(folder), sysconfig.get_path("scripts"), os.environ["PATH"]])
