"""Errors of the trusted runtime.

    VeracruzError
    └ RuntimeFailure          the runtime cannot serve at all
      └ PolicyUnusableError   it will not serve this policy

What a principal did wrong is no exception that leaves this package: it is `DeniedError`, which
carries the answer to send and is caught where requests are handled.
"""

from colima.runtime import RefusalReason, Refused, ResponseStatus
from veracruz_utils.errors import VeracruzError


class RuntimeFailure(VeracruzError):  # noqa: N818 - a failure of the runtime, not of a request
    """The runtime cannot start or go on."""


class PolicyUnusableError(RuntimeFailure):
    """The runtime will not serve this policy; the message is one line for people."""


_STATUS = {
    RefusalReason.WRONG_ROLE: ResponseStatus.INVALID_ROLE,
    RefusalReason.WRONG_STATE: ResponseStatus.NOT_READY,
    RefusalReason.BUSY: ResponseStatus.NOT_READY,
    RefusalReason.CONSENT_MISSING: ResponseStatus.NOT_READY,
    RefusalReason.TRAPPED: ResponseStatus.VM_ERROR,
    RefusalReason.LIMIT_REACHED: ResponseStatus.VM_ERROR,
    RefusalReason.GUEST_LOST: ResponseStatus.VM_ERROR,
    RefusalReason.PROGRAM_REFUSED: ResponseStatus.VM_ERROR,
    RefusalReason.SHUT_DOWN: ResponseStatus.GENERIC,
    RefusalReason.EXPIRED: ResponseStatus.GENERIC,
    RefusalReason.STALLED: ResponseStatus.GENERIC,
    RefusalReason.FLOODED: ResponseStatus.GENERIC,
}


class DeniedError(Exception):
    """A request is refused and has changed nothing; `answer` says why in public facts."""

    def __init__(self, reason: RefusalReason, *, found: str = "", expected: str = "") -> None:
        super().__init__(reason.name)
        status = _STATUS.get(reason, ResponseStatus.INVALID_REQUEST)
        self.answer = Refused(status, reason, found, expected)
