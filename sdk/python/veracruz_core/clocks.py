"""Clocks that nobody's machine has a say in: results depend on nothing but inputs and randomness.

All begin at one instant, 2000-01-01 00:00:00 UTC. A look at one takes a microsecond, so that who
waits in a loop waits not for ever, and who sleeps wakes at once, when the clock says that it slept.
"""

import sys
import time
import types

BEGIN_NS = 946_684_800 * 10**9
_LOOK_NS = 1000

_gmtime, _strftime, _asctime = time.gmtime, time.strftime, time.asctime
_since_ns = 0


def _passed():
    global _since_ns
    _since_ns += _LOOK_NS
    return _since_ns


def _wall_ns():
    return BEGIN_NS + _passed()


def _wall():
    return _wall_ns() / 1e9


def _steady():
    return _passed() / 1e9


def sleep(seconds, /):
    """Let so much time pass."""
    global _since_ns
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    _since_ns += int(seconds * 1e9)


def _clock_gettime_ns(clock, /):
    return _wall_ns() if clock == getattr(time, "CLOCK_REALTIME", 0) else _passed()


def _clock_gettime(clock, /):
    return _clock_gettime_ns(clock) / 1e9


def _clock_getres(clock, /):
    return _LOOK_NS / 1e9


def _clock_info(name, /):
    return types.SimpleNamespace(
        adjustable=False, implementation="veracruz", monotonic=name != "time", resolution=1e-6
    )


def _utc(seconds=None, /):
    return _gmtime(_wall() if seconds is None else seconds)


def _formatted(form, moment=None, /):
    return _strftime(form, _utc() if moment is None else moment)


def _as_text(moment=None, /):
    return _asctime(_utc() if moment is None else moment)


def _now_as_text(seconds=None, /):
    return _asctime(_utc(seconds))


def _now(cls, tz=None):
    return cls.fromtimestamp(_wall(), tz)


def _utcnow(cls):
    return cls.fromtimestamp(_wall(), datetime.timezone.utc).replace(tzinfo=None)


def install():
    """Put them in the place of Python's, for good."""
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        setattr(time, name, _steady)
        setattr(time, name + "_ns", _passed)
    time.time, time.time_ns, time.sleep = _wall, _wall_ns, sleep
    time.clock_gettime, time.clock_gettime_ns = _clock_gettime, _clock_gettime_ns
    time.clock_getres, time.get_clock_info = _clock_getres, _clock_info
    time.gmtime = time.localtime = _utc
    time.strftime, time.asctime, time.ctime = _formatted, _as_text, _now_as_text
    _install_dates()


def restart():
    """Begin anew, for a run."""
    global _since_ns
    _since_ns = 0


def _install_dates():
    """The constructors of `datetime` that ask the system themselves, in a type that is built in."""
    global datetime
    import datetime
    import gc

    (attributes,) = gc.get_referents(datetime.datetime.__dict__)
    attributes["now"] = classmethod(_now)
    attributes["utcnow"] = classmethod(_utcnow)
    sys._clear_internal_caches()
    sys._clear_type_cache()
