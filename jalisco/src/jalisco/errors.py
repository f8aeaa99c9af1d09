"""How a session with an isolate fails, seen from the principal's machine.

SessionError             exit_code 1: the session broke, or was misused
├ SessionLostError       exit_code 4: Sinaloa is not there, or it or the isolate went away
│ └ NoBulkPortError      exit_code 4: nobody takes sessions over bare TCP there
├ BridgeBusyError        exit_code 4: Sinaloa serves as many sessions as it may
├ IsolateSilentError     exit_code 4: no answer in the time allowed
├ IsolateRefusedError    exit_code 3: the isolate does not accept our certificate
└ WrongIsolateError      exit_code 3: what answered is not the isolate that was attested
"""

from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError


class SessionError(VeracruzError):
    """A session with an isolate failed."""


class SessionLostError(SessionError, UnreachableError):
    """Nobody is there to reach, or the session was cut."""


class NoBulkPortError(SessionLostError):
    """Nobody is there who takes sessions over bare TCP."""


class BridgeBusyError(SessionError, UnreachableError):
    """Sinaloa takes no further session now."""


class IsolateSilentError(SessionError, UnreachableError):
    """Nothing came, or nothing was taken, for the time allowed."""


class IsolateRefusedError(SessionError, RefusedError):
    """The isolate refused our certificate."""


class WrongIsolateError(SessionError, RefusedError):
    """The other end does not hold the attested certificate and its key."""
