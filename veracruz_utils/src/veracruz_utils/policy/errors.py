"""Why a policy is refused.

RefusedError
└ PolicyError       carries `code`, `path` and `detail`
"""

from enum import StrEnum
from typing import Self

from veracruz_utils.errors import RefusedError


class PolicyErrorCode(StrEnum):
    """The reasons; each has a stable name. docs/reference/policy.md has those of 2021 beside."""

    TOO_LARGE = "too-large"
    MALFORMED_JSON = "malformed-json"
    DUPLICATE_FIELD = "duplicate-field"
    UNKNOWN_FIELD = "unknown-field"
    MISSING_FIELD = "missing-field"
    INVALID_VALUE = "invalid-value"
    UNSUPPORTED_VERSION = "unsupported-version"
    CERTIFICATE_FORMAT = "certificate-format"
    CERTIFICATE_INVALID = "certificate-invalid"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_YET_VALID = "certificate-not-yet-valid"
    DUPLICATED_CERTIFICATE = "duplicated-certificate"
    DUPLICATED_CLIENT_ID = "duplicated-client-id"
    EMPTY_ROLE = "empty-role"
    NO_PROGRAM_PROVIDER = "no-program-provider"
    SEVERAL_PROGRAM_PROVIDERS = "several-program-providers"
    DATA_PROVIDER = "data-provider"
    NO_RESULT_RETRIEVER = "no-result-retriever"
    ENCLAVE_EXPIRED = "enclave-expired"
    CIPHERSUITE_UNKNOWN = "ciphersuite-unknown"
    CIPHERSUITE_UNSUPPORTED = "ciphersuite-unsupported"
    MISSING_PLATFORM = "missing-platform"
    MACHINE = "machine"
    URL_INVALID = "url-invalid"
    LIMIT_OUT_OF_RANGE = "limit-out-of-range"
    NAME = "name"
    AGREEMENT = "agreement"
    INPUT_TERMS = "input-terms"
    PRIVACY = "privacy"


class PolicyError(RefusedError):
    """A policy that cannot be used.

    Attributes:
        code: the reason, for programs.
        path: where in the JSON text, such as `$.identities[0].roles`; `$` is the whole.
        detail: the reason, for people.
    """

    def __init__(
        self, code: PolicyErrorCode, detail: str, *, path: str = "$", name: str = "policy"
    ) -> None:
        super().__init__(f"{name}: {detail}" if path == "$" else f"{name}: {path}: {detail}")
        self.code = code
        self.path = path
        self.detail = detail

    def in_file(self, name: str) -> Self:
        """The same of a policy in the file with this name."""
        return type(self)(self.code, self.detail, path=self.path, name=f"policy {name}")
