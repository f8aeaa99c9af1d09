"""Errors of the trusted runtime.

    VeracruzError
    └ RuntimeFailure          the runtime cannot serve at all
      └ PolicyUnusableError   it will not serve this policy

What a principal did wrong is not an exception that leaves this package: it is `Refusal`, which
carries the answer to send and is caught where requests are handled.
"""

from colima.runtime import Reason, Refused, Status
from veracruz_utils.errors import VeracruzError


class RuntimeFailure(VeracruzError):  # noqa: N818 - a failure of the runtime, not of a request
    """The runtime cannot start or go on."""


class PolicyUnusableError(RuntimeFailure):
    """The runtime will not serve this policy; the message is one line for people."""


_STATUS = {
    Reason.WRONG_ROLE: Status.INVALID_ROLE,
    Reason.WRONG_STATE: Status.NOT_READY,
    Reason.BUSY: Status.NOT_READY,
    Reason.TRAPPED: Status.VM_ERROR,
    Reason.LIMIT_REACHED: Status.VM_ERROR,
    Reason.GUEST_LOST: Status.VM_ERROR,
    Reason.PROGRAM_REFUSED: Status.VM_ERROR,
}


class Refusal(Exception):  # noqa: N818 - an answer on its way to a principal
    """A request is refused and has changed nothing; `answer` says why in public facts."""

    def __init__(self, reason: Reason, *, found: str = "", expected: str = "") -> None:
        super().__init__(reason.name)
        status = _STATUS.get(reason, Status.INVALID_REQUEST)
        self.answer = Refused(status, reason, found, expected)
