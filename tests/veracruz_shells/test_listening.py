import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from veracruz_shells.listening import StopRequests

WAITING = """
import threading, time
from veracruz_shells.listening import StopRequests

def work():
    while True:
        time.sleep(0.0001)

for _ in range(8):  # who waits gives way to these
    threading.Thread(target=work, daemon=True).start()
requests = StopRequests()
with requests.signals():
    for _ in range(3000):
        print("now", flush=True)
        requests.wait()
"""


@pytest.fixture
def requests():
    requests = StopRequests()
    yield requests
    requests.close()


def test_no_signal_is_missed_whenever_it_comes():
    """Not even one in a thousand, which comes when the wait is just about to begin."""
    delays = random.Random(11)
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE) as waiting:
        given_up = threading.Timer(60, waiting.kill)
        given_up.start()
        for _ in waiting.stdout:
            time.sleep(delays.random() * 0.0004)
            waiting.send_signal(signal.SIGTERM)
        given_up.cancel()
    assert waiting.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_which_signal_it_was_is_told_and_the_handlers_before_come_back(requests, number):
    before = signal.getsignal(number)
    with requests.signals():
        signal.raise_signal(number)
        assert requests.wait() is number
    assert signal.getsignal(number) is before


def test_another_signal_ends_no_wait(requests):
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with requests.signals():
            signal.raise_signal(signal.SIGUSR1)
            requests.stop()
            assert requests.wait() is None
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_more_requests_than_there_is_room_for_and_late_ones_are_no_error(requests):
    for _ in range(100_000):
        requests.stop()
    assert requests.wait() is None
    requests.close()
    requests.stop()
