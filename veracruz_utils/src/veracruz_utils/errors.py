"""The root of every error we raise.

    VeracruzError               exit_code 1: the operation failed
    ├ RefusedError              exit_code 3: attestation or policy says no
    └ UnreachableError          exit_code 4: a peer cannot be reached

Each package derives its own root from `VeracruzError`; a command line prints the
message and leaves with `exit_code` (0 done, 1 failed, 2 usage, 3 refused by
attestation or policy, 4 peer unreachable, 130 interrupted).
"""

from typing import ClassVar


class VeracruzError(Exception):
    """Something failed; the message names the thing, both sides and any remedy."""

    exit_code: ClassVar[int] = 1


class RefusedError(VeracruzError):
    """Attestation or policy does not allow this."""

    exit_code: ClassVar[int] = 3


class UnreachableError(VeracruzError):
    """A service or peer cannot be reached, or went away."""

    exit_code: ClassVar[int] = 4
