"""Errors of `psa_attestation` as errors of evidence."""

import contextlib
from collections.abc import Iterator
from typing import Final

from psa_attestation.errors import AttestationError, ErrorCode
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage

_FAULTS: Final = {
    ErrorCode.TRAILING_BYTES: Fault.TRAILING_BYTES,
    ErrorCode.ALG_UNKNOWN: Fault.UNSUPPORTED_ALGORITHM,
    ErrorCode.ALG_KEY_MISMATCH: Fault.UNSUPPORTED_ALGORITHM,
    ErrorCode.KEY_UNSUPPORTED: Fault.UNSUPPORTED_ALGORITHM,
    ErrorCode.SIGNATURE: Fault.SIGNATURE,
    ErrorCode.SIGNATURE_ENCODING: Fault.SIGNATURE,
    ErrorCode.PROFILE_UNKNOWN: Fault.UNSUPPORTED_VERSION,
    ErrorCode.NONCE_MISMATCH: Fault.NONCE,
}


@contextlib.contextmanager
def as_evidence_error(what: str) -> Iterator[None]:
    """An `AttestationError` inside leaves as an `EvidenceError` about `what`."""
    try:
        yield
    except AttestationError as error:
        fault = _FAULTS.get(error.code, Fault.MALFORMED)
        stage = (
            VerificationStage.SIGNATURE if fault is Fault.SIGNATURE else VerificationStage.FORMAT
        )
        raise EvidenceError(fault, stage, f"{what}: {error}") from error
