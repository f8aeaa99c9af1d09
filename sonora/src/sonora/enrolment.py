"""Enrolment with Tabasco: a fresh key, native evidence over it, and a place in the registry.

The key is made here, lives in this process's memory and is replaced when its enrolment nears its
end.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
)

from colima import decode, encode, tabasco
from psa_attestation import ENROLMENT_AUDIENCE, enrolment_binding, instance_id_of
from sonora.errors import EnrolmentRefusedError, SonoraError
from sonora.evidence.base import EvidenceSource
from veracruz_utils.errors import RefusedError, UnreachableError

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
Call = Callable[[str, bytes], bytes]
"""A unary call of Tabasco: method name and request bytes to response bytes."""

_RENEW_AT: Final = 0.9
_RETRY_S: Final = 30.0
"""Between attempts at a renewal while the old enrolment is still good."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An enrolled key; good until `expires_at`, in seconds of the monotonic clock."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    instance_id: bytes
    renew_at: float
    expires_at: float


def enrol(call: Call, source: EvidenceSource, *, measurement: bytes, version: str) -> Enrolment:
    """Enrol a fresh key.

    Args:
        call: how Tabasco is reached.
        source: of this root attester's native evidence.
        measurement: of this root attester, 32 bytes.
        version: of this root attester.

    Raises:
        EnrolmentRefusedError: Tabasco does not accept the evidence.
        SonoraError: Tabasco enrolled something else.
        UnreachableError: Tabasco does not answer.
    """
    now = time.monotonic()
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    begun = _ask(
        call,
        "BeginEnrolment",
        tabasco.BeginEnrolmentRequest(source.platform),
        tabasco.BeginEnrolmentResponse,
    )
    binding = enrolment_binding(
        platform=source.platform,
        audience=ENROLMENT_AUDIENCE,
        challenge=begun.challenge,
        public_key=public_key,
    )
    evidence = source.evidence(measurement=measurement, version=version, binding=binding)
    request = tabasco.CompleteEnrolmentRequest(
        begun.challenge, source.platform, evidence, public_key, _prove_possession(key, binding)
    )
    done = _ask(call, "CompleteEnrolment", request, tabasco.CompleteEnrolmentResponse)
    if done.instance_id != instance_id_of(key.public_key()):
        raise SonoraError("tabasco answers with the instance id of another key")
    return Enrolment(
        key,
        done.instance_id,
        renew_at=now + _RENEW_AT * done.expires_in_s,
        expires_at=now + done.expires_in_s,
    )


class EnrolledKey:
    """The key to sign with now; enrols again in good time.

    Safe to share between threads. While Tabasco cannot be reached an enrolment is used to its end,
    and another is asked for only now and then, so that not every token waits for Tabasco.
    """

    def __init__(
        self, renew: Callable[[], Enrolment], *, first: Callable[[], Enrolment] | None = None
    ) -> None:
        self._renew = renew
        self._lock = threading.Lock()
        self._current = (first or renew)()
        self._next_attempt = self._current.renew_at

    @property
    def instance_id(self) -> bytes:
        """The Instance ID of the current key (33 bytes)."""
        return self._current.instance_id

    def key(self) -> ec.EllipticCurvePrivateKey:
        """The current key.

        Raises:
            EnrolmentRefusedError, UnreachableError: the enrolment ended, another was not to be had.
        """
        with self._lock:
            now = time.monotonic()
            expired = now >= self._current.expires_at
            if expired or now >= self._next_attempt:
                try:
                    self._current = self._renew()
                    self._next_attempt = self._current.renew_at
                except Exception:
                    if expired:
                        raise
                    self._next_attempt = time.monotonic() + _RETRY_S
            return self._current.key


def patiently(renew: Callable[[], Enrolment], *, patience_s: float) -> Enrolment:
    """Enrol, trying again for so many seconds while Tabasco cannot be reached; 0 tries once.

    Pauses grow from half a second to 15, with chance in them, so that many attesters that lost one
    Tabasco do not come back to it all at once. A refusal is final.

    Raises:
        EnrolmentRefusedError, SonoraError: as `enrol`.
        UnreachableError: Tabasco did not answer all the while.
    """
    attempts = Retrying(
        retry=retry_if_exception_type(UnreachableError),
        wait=wait_exponential_jitter(multiplier=0.5, max=15, jitter=1),
        stop=stop_after_delay(patience_s),
        before_sleep=_tell,
        reraise=True,
    )
    return attempts(renew)


def _tell(state: RetryCallState) -> None:
    _LOG.warning("tabasco cannot be reached, attempt %d: trying again", state.attempt_number)


def _ask(call: Call, method: str, request: object, answer: type[_T]) -> _T:
    try:
        return decode(answer, call(method, encode(request)))
    except RefusedError as error:
        raise EnrolmentRefusedError(f"tabasco refuses to enrol this root: {error}") from error


def _prove_possession(key: ec.EllipticCurvePrivateKey, binding: bytes) -> bytes:
    """The ES256 signature over the binding as r and s, 64 bytes."""
    r, s = utils.decode_dss_signature(key.sign(binding, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)
