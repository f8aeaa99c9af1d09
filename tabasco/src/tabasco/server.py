"""The service on gRPC: bytes to requests, answers to bytes, errors to statuses without details.

RefusalError                PERMISSION_DENIED    its reason and the reason's sentence
WireError                   INVALID_ARGUMENT     what is wrong with the message
BusyError                   RESOURCE_EXHAUSTED   a fixed sentence
anything else               INTERNAL             a fixed sentence; the log has more
"""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from colima import WireError, decode, encode
from colima.tabasco import (
    MAX_EVIDENCE_BYTES,
    SERVICE,
    BeginEnrolmentRequest,
    CompleteEnrolmentRequest,
    DescribeRequest,
    VerifyTokenRequest,
)
from tabasco.errors import BusyError, RefusalError
from tabasco.service import AttestationService
from veracruz_utils.errors import VeracruzError
from veracruz_utils.service import CallError, ServiceLimits, Status, UnaryMethod

_RequestT = TypeVar("_RequestT")

LIMITS: Final = ServiceLimits(message_bytes=MAX_EVIDENCE_BYTES + 4096, calls=16)
"""What clients may make the service hold; the database needs as many connections as `calls`."""

_log = logging.getLogger(__name__)


def methods_of(service: AttestationService) -> dict[str, UnaryMethod]:
    """The gRPC methods of `service`, by their full names."""
    return {
        f"/{SERVICE}/Describe": _method(DescribeRequest, service.describe),
        f"/{SERVICE}/BeginEnrolment": _method(BeginEnrolmentRequest, service.begin_enrolment),
        f"/{SERVICE}/CompleteEnrolment": _method(
            CompleteEnrolmentRequest, service.complete_enrolment
        ),
        f"/{SERVICE}/VerifyToken": _method(VerifyTokenRequest, service.verify_token),
    }


def _method(cls: type[_RequestT], answer: Callable[[_RequestT], object]) -> UnaryMethod:
    def method(data: bytes) -> bytes:
        try:
            return encode(answer(decode(cls, data)))
        except RefusalError as error:
            _log.info("refused: %s (%s)", error.reason.value, error.detail or "no detail")
            raise
        except WireError as error:
            raise CallError(Status.INVALID_ARGUMENT, str(error)) from error
        except BusyError as error:
            _log.warning("too many challenges outstanding")
            raise CallError(Status.RESOURCE_EXHAUSTED, str(error)) from error
        except VeracruzError as error:
            # Its text is for our operator: it names files and keys.
            raise _InternalError from error

    return method


class _InternalError(Exception):
    """Not a `VeracruzError`, so that a caller learns nothing but that we failed."""
