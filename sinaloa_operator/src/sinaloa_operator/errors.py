"""What the operator refuses.

VeracruzError
└ OperatorError                 the operator cannot do its work
  └ ObjectRefusedError          an object asks for what must not be placed; has a reason
"""

from veracruz_utils.errors import VeracruzError


class OperatorError(VeracruzError):
    """The operator cannot do its work."""


class ObjectRefusedError(OperatorError):
    """An object asks for what must not be placed.

    Attributes:
        reason: one word for conditions and events.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
