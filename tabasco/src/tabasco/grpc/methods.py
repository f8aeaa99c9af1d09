"""The service on gRPC: bytes to requests, answers to bytes, errors to statuses without details.

RefusalError                PERMISSION_DENIED    its reason and the reason's sentence
WireError                   INVALID_ARGUMENT     what is wrong with the message
BusyError                   RESOURCE_EXHAUSTED   a fixed sentence
anything else               INTERNAL             a fixed sentence; the log has more
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from colima import WireError, decode, encode
from colima.tabasco import (
    MAX_SESSION_EVIDENCE_BYTES,
    SERVICE,
    Auxiliary,
    BeginEnrolmentRequest,
    CompleteEnrolmentRequest,
    DescribeServiceRequest,
    GetKeySetRequest,
    GetKeySetResponse,
    OpenSessionRequest,
    OpenSessionResponse,
    RequestCredentialRequest,
    SubmitEvidenceRequest,
    SubmitEvidenceResponse,
    VerifyTokenRequest,
)
from psa_attestation.errors import AttestationError
from psa_attestation.evidence.native import NativeEvidence
from tabasco import metrics
from tabasco.errors import BusyError, RefusalError
from tabasco.service.attestation import AttestationService
from tabasco.service.sessions import Submission
from veracruz_shells.call_errors import CallError, CallStatus, outcome_of
from veracruz_shells.call_handlers import PeerMethod, UnaryMethod
from veracruz_shells.log import about
from veracruz_shells.refusal_quota import QuotaError, RefusalQuota
from veracruz_shells.service import ServiceLimits
from veracruz_shells.traces import tell
from veracruz_utils.errors import VeracruzError

_RequestT = TypeVar("_RequestT")

LIMITS: Final = ServiceLimits(
    message_bytes=MAX_SESSION_EVIDENCE_BYTES + 4096, calls=16, calls_of_peer=8
)
"""What clients may make the service hold; the database needs as many connections as `calls`."""

_log = logging.getLogger(__name__)


def methods_of(service: AttestationService) -> dict[str, UnaryMethod]:
    """The gRPC methods of `service`, by their full names."""
    return {
        f"/{SERVICE}/Describe": _method(DescribeServiceRequest, service.describe),
        f"/{SERVICE}/BeginEnrolment": _method(BeginEnrolmentRequest, service.begin_enrolment),
        f"/{SERVICE}/RequestCredential": _method(
            RequestCredentialRequest, service.request_credential
        ),
        f"/{SERVICE}/CompleteEnrolment": _method(
            CompleteEnrolmentRequest, service.complete_enrolment
        ),
        f"/{SERVICE}/VerifyToken": _method(VerifyTokenRequest, service.verify_token),
        f"/{SERVICE}/OpenSession": _method(OpenSessionRequest, _opener(service)),
        f"/{SERVICE}/SubmitEvidence": _method(SubmitEvidenceRequest, _submitter(service)),
        f"/{SERVICE}/GetKeySet": _method(
            GetKeySetRequest, lambda _: GetKeySetResponse(service.key_set())
        ),
    }


def bounded(methods: Mapping[str, UnaryMethod], quota: RefusalQuota) -> dict[str, PeerMethod]:
    """The methods, for peers that are not refused again and again."""
    return {name: _logged(name, _bounded(method, quota)) for name, method in methods.items()}


def _logged(name: str, method: PeerMethod) -> PeerMethod:
    short = name.rpartition("/")[2]

    def asked_by(request: bytes, peer: str) -> bytes:
        begun, answer = time.monotonic(), b""
        counted = outcome = "internal"
        try:
            answer = method(request, peer)
            counted = outcome = "answered"
        except VeracruzError as error:
            counted = outcome = outcome_of(error)
            if isinstance(error, RefusalError):
                outcome = f"refused: {error.reason.value}"
                tell(refusal=error.reason.value)
            raise
        finally:
            seconds = round(time.monotonic() - begun, 6)
            metrics.REQUESTS.add(interface="grpc", outcome=counted)
            metrics.REQUEST_SECONDS.add(seconds, interface="grpc")
            metrics.REQUEST_BYTES.add(len(request), interface="grpc", direction="in")
            metrics.REQUEST_BYTES.add(len(answer), interface="grpc", direction="out")
            told = about(
                peer=peer,
                method=short,
                bytes_in=len(request),
                bytes_out=len(answer),
                duration_s=seconds,
                outcome=outcome,
            )
            _log.info("call ended", extra=told)
        return answer

    return asked_by


def _bounded(method: UnaryMethod, quota: RefusalQuota) -> PeerMethod:
    def asked_by(request: bytes, peer: str) -> bytes:
        try:
            quota.check(peer, now=time.monotonic())
        except QuotaError as error:
            raise CallError(CallStatus.RESOURCE_EXHAUSTED, str(error)) from error
        try:
            return method(request)
        except RefusalError:
            quota.count(peer, now=time.monotonic())
            raise

    return asked_by


def _native_of(kind: str, evidence: bytes, auxiliary: Sequence[Auxiliary]) -> NativeEvidence:
    """Evidence as it came over the wire.

    Raises:
        WireError: a part was given twice.
    """
    parts = {part.name: part.content for part in auxiliary}
    if len(parts) != len(auxiliary):
        raise WireError("an auxiliary part is there twice")
    return NativeEvidence(kind, evidence, parts)


def _opener(
    service: AttestationService,
) -> Callable[[OpenSessionRequest], OpenSessionResponse]:
    return lambda request: OpenSessionResponse(*service.open_session(request.kind))


def _submitter(
    service: AttestationService,
) -> Callable[[SubmitEvidenceRequest], SubmitEvidenceResponse]:
    def submit(request: SubmitEvidenceRequest) -> SubmitEvidenceResponse:
        native = _native_of(request.kind, request.evidence, request.auxiliary)
        submission = Submission(request.nonce, request.kind, native.encode(), request.public_key)
        signed = service.submit_evidence(
            submission, pinned_key=request.pinned_key, as_jwt=request.as_jwt
        )
        return SubmitEvidenceResponse(signed)

    return submit


def _method(cls: type[_RequestT], answer: Callable[[_RequestT], object]) -> UnaryMethod:
    def method(data: bytes) -> bytes:
        try:
            return encode(answer(decode(cls, data)))
        except RefusalError as error:
            _log.info("refused: %s (%s)", error.reason.value, error.detail or "no detail")
            raise
        except (WireError, AttestationError) as error:
            raise CallError(CallStatus.INVALID_ARGUMENT, str(error)) from error
        except BusyError as error:
            _log.warning("too many challenges outstanding")
            raise CallError(CallStatus.RESOURCE_EXHAUSTED, str(error)) from error
        except VeracruzError as error:
            # Its text is for our operator: it names files and keys.
            raise _InternalError from error

    return method


class _InternalError(Exception):
    """Not a `VeracruzError`, so that a caller learns nothing but that we failed."""
