"""How what goes wrong in a call travels: as a gRPC status with a line of text.

It comes out at the client as the error that went in:

    ====================  =========================================
    raised by a method    status
    ====================  =========================================
    RefusedError          PERMISSION_DENIED
    UnreachableError      UNAVAILABLE
    CallError             its own
    other VeracruzError   FAILED_PRECONDITION (a `CallError` there)
    anything else: a bug  INTERNAL, without its text
    ====================  =========================================
"""

import re
from enum import StrEnum
from typing import Final, cast

from veracruz_shells.grpc_setup import grpc
from veracruz_shells.grpc_tls import TLS_REMEDY, handshake_failure
from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError

# A status travels in the trailers, which a peer bounds (8 KiB by default in gRPC).
_MAX_DETAILS: Final = 400  # characters of text in a status
# What failed is read from the status code alone; this only finds the system's reason to show in it.
_CONNECT_FAILURE: Final = re.compile(
    r"(?:[Cc]onnect(?: to remote host)?: |lookup error:)([A-Za-z ]{1,40}?)(?: for |[^A-Za-z ]|$)"
)


class CallStatus(StrEnum):
    """What a service answers when it does not do what was asked."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"


class CallError(VeracruzError):
    """A call that the service did not carry out; raised in a method, and again by its caller."""

    def __init__(self, status: CallStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotBegunError(CallError):
    """A call that its method never saw."""


class GivenUpError(VeracruzError):
    """A call whose request did not come in time, or gave way to others."""

    def __init__(self) -> None:
        super().__init__("the request did not come: try again")


def status_of(error: VeracruzError) -> tuple[grpc.StatusCode, str]:
    """The status that tells a client of an error, and its text."""
    return _code_of(error), " ".join(str(error).split())[:_MAX_DETAILS]


def outcome_of(error: VeracruzError) -> str:
    """How a call ended that raised this, for logs and metrics."""
    return _code_of(error).name.lower().replace("_", "-")


def error_of_call(error: grpc.RpcError, *, peer: str, remedy: str | None = None) -> VeracruzError:
    """What a failed call means, in our words; for callers of streams, as `unary` does it itself."""
    outcome = cast("grpc.Call", error)  # what every call raises is both
    code, text = outcome.code(), outcome.details() or ""
    details = repr(text[:_MAX_DETAILS])
    remedy = remedy or f"start it with '{peer.split(maxsplit=1)[0]} serve', or correct the address"
    if code is grpc.StatusCode.UNAVAILABLE:
        return UnreachableError(f"{peer} {_unavailable(text, remedy)}")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return UnreachableError(f"{peer} did not answer in time: {remedy}")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return VeracruzError(f"{peer} is another service ({code.name}): correct the address")
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return RefusedError(f"{peer} refuses: {details}")
    if code.name in CallStatus.__members__:
        return CallError(CallStatus[code.name], f"{peer} answers: {details}")
    return VeracruzError(f"{peer} fails with {code.name}: {details}")


def _code_of(error: VeracruzError) -> grpc.StatusCode:
    match error:
        case GivenUpError():
            return grpc.StatusCode.CANCELLED
        case CallError():
            return grpc.StatusCode[error.status.name]
        case RefusedError():
            return grpc.StatusCode.PERMISSION_DENIED
        case UnreachableError():
            return grpc.StatusCode.UNAVAILABLE
    return grpc.StatusCode.FAILED_PRECONDITION


def _unavailable(text: str, remedy: str) -> str:
    """What became of a connection, and what to do."""
    failed = handshake_failure(text)
    if failed is not None:
        return f"and we do not agree on TLS ({failed}): {TLS_REMEDY}"
    reason = _CONNECT_FAILURE.search(text)
    if reason is None:
        return f"is not available: {text[:_MAX_DETAILS]!r}: {remedy}"
    return f"cannot be reached ({reason[1].strip().lower()}): {remedy}"
