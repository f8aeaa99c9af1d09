"""Locks of a program that has one thread: what it waits for, nobody else will ever do.

So a lock that is held is not waited for: with a timeout that time passes, on the clock that a
program sees, and without one it is an error that says so.
"""

import _thread
import queue
import select
import threading
import time

from veracruz_core import clocks


class Lock:
    """A lock that its one thread takes, and takes no second time."""

    def __init__(self):
        self._held = False

    def acquire(self, blocking=True, timeout=-1):  # noqa: FBT002 - as Python's
        """Take it; False if it is held and the time is over, or is not to be waited for."""
        _check(blocking, timeout)
        if not self._held:
            self._held = True
            return True
        return _waited(blocking, timeout)

    def release(self):
        """Give it back."""
        if not self._held:
            raise RuntimeError("release unlocked lock")
        self._held = False

    def locked(self):
        """Whether it is held."""
        return self._held

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()


class RLock:
    """A lock that its one thread takes as often as it likes."""

    def __init__(self):
        self._count = 0

    def acquire(self, blocking=True, timeout=-1):  # noqa: FBT002 - as Python's
        """Take it once more."""
        _check(blocking, timeout)
        self._count += 1
        return True

    def release(self):
        """Give it back once."""
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1

    def locked(self):
        """Whether it is held."""
        return self._count > 0

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()

    # What `threading.Condition` asks of it.

    def _is_owned(self):
        return self._count > 0

    def _recursion_count(self):
        return self._count

    def _release_save(self):
        count, self._count = self._count, 0
        return count

    def _acquire_restore(self, count):
        self._count = count


def install():
    """Put them in the place of Python's."""
    _thread.allocate_lock = _thread.allocate = _thread.lock = _thread.LockType = Lock
    _thread.RLock = RLock
    threading.Lock = threading._allocate_lock = threading._LockType = Lock
    threading.RLock = threading._CRLock = threading._PyRLock = RLock
    threading._time = time.monotonic
    queue.SimpleQueue = queue._PySimpleQueue
    queue.time = time.monotonic
    select.select = _select
    for name in ("poll", "epoll", "kqueue"):
        if hasattr(select, name):
            delattr(select, name)


def _check(blocking, timeout):
    if not blocking and timeout != -1:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0 and timeout != -1:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > _thread.TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")


def _waited(blocking, timeout):
    if not blocking:
        return False
    if timeout == -1:
        raise RuntimeError("waits for a lock that nobody gives back: there are no other threads")
    clocks.sleep(timeout)
    return False


def _select(readable, writable, exceptional, timeout=None):
    if readable or writable or exceptional:
        raise OSError("there are no files in an isolate to wait for")
    if timeout is None:
        raise RuntimeError("waits for something that never happens")
    clocks.sleep(timeout)
    return [], [], []
