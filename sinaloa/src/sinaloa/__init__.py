"""The untrusted bridge: routes opaque bytes between principals and an isolate.

It may drop, delay, replay or forge what passes, and gains nothing by it.
"""

from sinaloa.bridge import Bridge
from sinaloa.errors import SinaloaError, SonoraUnreachableError
from sinaloa.isolate import End, IsolateLink

__all__ = ["Bridge", "End", "IsolateLink", "SinaloaError", "SonoraUnreachableError"]
