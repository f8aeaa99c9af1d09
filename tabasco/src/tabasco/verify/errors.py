"""Why evidence is refused, and at which step of its verification."""

from enum import StrEnum

from veracruz_utils.errors import RefusedError


class VerificationStage(StrEnum):
    """Where verification ended."""

    FORMAT = "format"
    SIGNATURE = "signature"
    CHAIN = "chain"
    COLLATERAL = "collateral"
    BINDING = "binding"
    APPRAISAL = "appraisal"


class Fault(StrEnum):
    """Why evidence is refused; stable, for tests, interfaces and documentation."""

    MALFORMED = "malformed"
    TRAILING_BYTES = "trailing-bytes"
    UNSUPPORTED_VERSION = "unsupported-version"
    UNSUPPORTED_ALGORITHM = "unsupported-algorithm"
    UNSIGNED = "unsigned"
    SIGNATURE = "signature"
    KEY_BINDING = "key-binding"
    CHAIN = "chain"
    UNKNOWN_ROOT = "unknown-root"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    COLLATERAL_MISSING = "collateral-missing"
    COLLATERAL_SIGNATURE = "collateral-signature"
    COLLATERAL_EXPIRED = "collateral-expired"
    COLLATERAL_MISMATCH = "collateral-mismatch"
    COLLATERAL_ROLLBACK = "collateral-rollback"
    ENCLAVE_IDENTITY = "enclave-identity"
    CERTIFICATE_MISMATCH = "certificate-mismatch"
    REPORT_DATA = "report-data"
    NONCE = "nonce"
    UNKNOWN_SIGNER = "unknown-signer"
    DEBUG = "debug"
    LIFECYCLE = "lifecycle"
    TCB_STATUS = "tcb-status"
    ADVISORY = "advisory"
    TCB_FLOOR = "tcb-floor"
    PRIVILEGE_LEVEL = "privilege-level"
    ATTRIBUTES = "attributes"
    MEASUREMENT = "measurement"
    EVENT_LOG = "event-log"
    FACT = "fact"
    RESULT_STATUS = "result-status"
    UNKNOWN_KIND = "unknown-kind"
    NOT_ALLOWED = "not-allowed"


class EvidenceError(RefusedError):
    """Evidence that proves nothing, or nothing acceptable."""

    def __init__(
        self, fault: Fault, stage: VerificationStage, detail: str, *, remedy: str | None = None
    ) -> None:
        super().__init__(f"{stage}: {fault}: {detail}")
        self.remedy = remedy
        self.fault = fault
        self.stage = stage
        self.detail = detail


def malformed(detail: str) -> EvidenceError:
    """The error of evidence that has not the form it should have."""
    return EvidenceError(Fault.MALFORMED, VerificationStage.FORMAT, detail)
