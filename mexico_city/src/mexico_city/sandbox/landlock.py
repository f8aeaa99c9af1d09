"""Landlock: no file, no port, no abstract socket and no process outside, whatever a path says.

A ruleset without rules denies all that it handles, which is all that this kernel knows to handle.
Domains nest: the front process may signal the guest, whose domain is inside its own, and not the
other way round.
"""

import os
import struct
from typing import Final

from mexico_city.sandbox import kernel

# The same numbers on every architecture.
_CREATE_RULESET: Final = 444
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1

# By version: rights to files, of which each next version has more; then, together two bits each,
# bind and connect of TCP (4), and abstract Unix sockets and signals (6).
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
_MOST_FILE_RIGHTS: Final = 16
_NETWORK_SINCE: Final = 4
_SCOPES_SINCE: Final = 6


def enter() -> bool:
    """Enter a domain that denies everything; False on a kernel without Landlock."""
    try:
        version = kernel.system_call(_CREATE_RULESET, None, 0, _VERSION)
    except OSError:
        return False
    files = (1 << _FILE_RIGHTS.get(version, _MOST_FILE_RIGHTS)) - 1
    handled = struct.pack("Q", files)
    if version >= _NETWORK_SINCE:
        handled += struct.pack("Q", 0b11)
    if version >= _SCOPES_SINCE:
        handled += struct.pack("Q", 0b11)
    ruleset = kernel.system_call(_CREATE_RULESET, handled, len(handled), 0)
    try:
        kernel.system_call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True
