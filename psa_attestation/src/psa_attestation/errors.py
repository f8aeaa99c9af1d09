"""Why attestation evidence, a token, a result or a receipt was refused.

    VeracruzError
    └ RefusedError              exit_code 3
      └ AttestationError        carries `code`, `stage` and `detail`

`ErrorCode` and `Stage` are closed sets with stable names: callers, tests and other programs compare
them and never the text. A service answers strangers with less: the code goes into its own log.
"""

from enum import StrEnum, unique

from veracruz_utils.errors import RefusedError


@unique
class Stage(StrEnum):
    """Where in the verification the refusal happened, in the order of the checks."""

    ENCODING = "encoding"
    ENVELOPE = "envelope"
    CLAIMS = "claims"
    KEY = "key"
    SIGNATURE = "signature"
    FRESHNESS = "freshness"
    LIFECYCLE = "lifecycle"
    BINDING = "binding"


@unique
class ErrorCode(StrEnum):
    """The reason of a refusal."""

    # encoding (CBOR)
    MALFORMED = "malformed"
    TRAILING_BYTES = "trailing-bytes"
    INDEFINITE_LENGTH = "indefinite-length"
    DUPLICATE_KEY = "duplicate-key"
    MAP_KEY = "map-key"
    NESTING_LIMIT = "nesting-limit"
    LENGTH_LIMIT = "length-limit"
    SIZE_LIMIT = "size-limit"
    UTF8 = "utf8"
    SIMPLE_VALUE = "simple-value"
    UNEXPECTED_TAG = "unexpected-tag"

    # envelope (COSE)
    MISSING_TAG_18 = "missing-tag-18"
    CWT_TAG_NOT_USED = "cwt-tag-not-used"
    TYPE_CONFUSION = "type-confusion"
    ALG_NOT_PROTECTED = "alg-not-protected"
    ALG_UNKNOWN = "alg-unknown"
    ALG_KEY_MISMATCH = "alg-key-mismatch"
    CRIT = "crit"
    LABEL_IN_BOTH_BUCKETS = "label-in-both-buckets"
    PAYLOAD_NIL = "payload-nil"

    # claims of a token
    PROFILE_UNKNOWN = "profile-unknown"
    PROFILE_NOT_ALLOWED = "profile-not-allowed"
    MIXED_PROFILES = "mixed-profiles"
    MISSING_CLAIM = "missing-claim"
    CLAIM_TYPE = "claim-type"
    CLAIM_VALUE = "claim-value"
    NONCE_MUST_BE_SINGLE = "nonce-must-be-single"
    NONCE_LENGTH = "nonce-length"
    CLIENT_ID_ZERO = "client-id-zero"
    CLIENT_ID_RANGE = "client-id-range"
    INSTANCE_ID_LENGTH = "instance-id-length"
    INSTANCE_ID_TYPE = "instance-id-type"
    IMPLEMENTATION_ID_LENGTH = "implementation-id-length"
    LIFECYCLE_RANGE = "lifecycle-range"
    BOOT_SEED_LENGTH = "boot-seed-length"
    CERTIFICATION_REFERENCE = "certification-reference"
    SW_COMPONENTS_EMPTY = "sw-components-empty"
    SW_COMPONENT_MEASUREMENT = "sw-component-measurement"
    SW_COMPONENT_SIGNER = "sw-component-signer"
    HASH_LENGTH = "hash-length"

    # key and signature
    KEY_UNSUPPORTED = "key-unsupported"
    KEY_UNKNOWN = "key-unknown"
    UNKNOWN_INSTANCE = "unknown-instance"
    SIGNATURE_ENCODING = "signature-encoding"
    SIGNATURE = "signature"
    CERTIFICATE = "certificate"

    # freshness, lifecycle, binding
    NONCE_MISMATCH = "nonce-mismatch"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    LIFECYCLE_UNTRUSTED = "lifecycle-untrusted"
    PLATFORM_MISMATCH = "platform-mismatch"
    CERTIFICATE_MISMATCH = "certificate-mismatch"

    # results
    STATUS_BETTER_THAN_VECTOR = "status-better-than-vector"
    SUBMODS_EMPTY = "submods-empty"


class AttestationError(RefusedError):
    """Evidence, a token, a result or a receipt is refused.

    Attributes:
        code: the reason, from a closed set.
        stage: the check that refused.
        detail: one line for people; without secrets, with foreign text cut and quoted.
    """

    def __init__(self, code: ErrorCode, stage: Stage, detail: str) -> None:
        super().__init__(code, stage, detail)
        self.code = code
        self.stage = stage
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.detail} [{self.code.value}]"
