"""What all tests share."""

import gc
import os
import signal

import pytest
from hypothesis import settings

# These tests run beside others on small machines: how long an example takes says nothing.
settings.register_profile("veracruz", deadline=None)
settings.load_profile("veracruz")

# What a shell starts in the background ignores interrupts, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Let the collector look at ten thousand tests never: each fork would copy all their pages."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Of three tests that are running one waits for processes, or for a time to be over."""
    return len(os.sched_getaffinity(0)) * 3 // 2


@pytest.fixture
def unprotected(monkeypatch):
    """Commands of Sonora's in this process leave it as it is: what they give up is gone for good.

    The tests after would be in a process without core files, closed to others, as would be all that
    they start.
    """
    monkeypatch.setattr("sonora.cli.protect_this_process", lambda: None)
