"""What every verifier of native hardware evidence shares.

Two steps, kept apart. A verifier says what evidence *proves*: its bytes are well formed, every
signature, chain and binding holds at the given time, and here are the facts (`Proven`). Whether
those facts are *acceptable* is for `appraise`, by a policy that denies what it does not allow.
So authentic evidence of a debuggable or outdated machine is reported as exactly that, and not as
malformed. Time is always given; nothing here reads a clock, a file or the network.
"""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from veracruz_utils.errors import RefusedError


class Stage(StrEnum):
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
    FACT = "fact"
    RESULT_STATUS = "result-status"
    UNKNOWN_KIND = "unknown-kind"
    NOT_ALLOWED = "not-allowed"


class EvidenceError(RefusedError):
    """Evidence that proves nothing, or nothing acceptable."""

    def __init__(self, fault: Fault, stage: Stage, detail: str) -> None:
        super().__init__(f"{stage}: {fault}: {detail}")
        self.fault = fault
        self.stage = stage
        self.detail = detail


class TcbStatus(StrEnum):
    """The standing of a platform's trusted computing base, in Intel's words; worst last."""

    UP_TO_DATE = "UpToDate"
    SW_HARDENING_NEEDED = "SWHardeningNeeded"
    CONFIGURATION_NEEDED = "ConfigurationNeeded"
    CONFIGURATION_AND_SW_HARDENING_NEEDED = "ConfigurationAndSWHardeningNeeded"
    TD_RELAUNCH_ADVISED = "TDRelaunchAdvised"
    TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = "TDRelaunchAdvisedConfigurationNeeded"
    OUT_OF_DATE = "OutOfDate"
    OUT_OF_DATE_CONFIGURATION_NEEDED = "OutOfDateConfigurationNeeded"
    REVOKED = "Revoked"
    UNSUPPORTED = "Unsupported"


@dataclass(frozen=True, slots=True)
class Concern:
    """Something authentic about a platform that a policy has to accept by name, or it is refused.

    Attributes:
        name: stable, such as `tdx.sept-ve-disable-off` or `snp.vmpl=2`.
        fault: why it is refused when nobody accepts it.
        detail: for people.
    """

    name: str
    fault: Fault
    detail: str


ATTESTATION_KEY: Final = "attestation-key"
"""The fact that says which uncertified key of a TPM signed: SHA-256 of its DER, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What authentic evidence says.

    Attributes:
        kind: of evidence, such as `sgx`, `tdx`, `sev-snp`, `nitro`, `arm-cca`, `tpm`.
        measurements: by the platform's own names (`mrenclave`, `mrtd`, `rtmr0`, `pcr0`, ...).
        report_data: what the attester bound into it, as it stands there.
        debug: whether its memory can be inspected; None where the evidence does not say.
        valid_until: when the first certificate or collateral used ends.
        tcb_status: Intel platforms only.
        advisories: that apply to the platform's TCB level, sorted.
        facts: everything else a policy may look at, by name, in plain text.
        warnings: for people; nothing that a policy decides on.
        concerns: what is refused unless a policy accepts it by name.
    """

    kind: str
    measurements: Mapping[str, bytes]
    report_data: bytes
    debug: bool | None
    valid_until: datetime
    tcb_status: TcbStatus | None = None
    advisories: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    concerns: tuple[Concern, ...] = ()


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a policy accepts; as it stands, only what is fully up to date and not debuggable."""

    tcb_statuses: frozenset[TcbStatus] = frozenset({TcbStatus.UP_TO_DATE})
    """An unsupported platform is refused even if it is named here."""
    advisories: frozenset[str] | None = None
    """Advisories that may apply; None accepts any list that comes with an accepted status."""
    debug: bool = False
    report_data: bytes | None = None
    """The exact bytes expected; None leaves the binding to the caller."""
    concerns: frozenset[str] = frozenset()
    """Names of the concerns that are accepted."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question that a policy asks of proven facts, and the answer.

    Attributes:
        name: what was looked at: `debug`, `tcb-status`, `measurement.mrenclave`, ...
        passed: whether the policy accepts it.
        fault: why it is refused otherwise.
        detail: both sides, for people.
        stage: where in the verification it stands.
    """

    name: str
    passed: bool
    fault: Fault
    detail: str
    stage: Stage = Stage.APPRAISAL

    @property
    def error(self) -> EvidenceError:
        """The refusal that this is when it did not pass."""
        return EvidenceError(self.fault, self.stage, self.detail)


def checks(proven: Proven, acceptance: Acceptance) -> Iterator[Check]:
    """All that `acceptance` asks of `proven`, in the order in which it would be refused."""
    if (expected := acceptance.report_data) is not None:
        yield Check(
            "report-data",
            hmac.compare_digest(proven.report_data, expected),
            Fault.REPORT_DATA,
            f"report data is {proven.report_data.hex()}, expected {expected.hex()}",
            Stage.BINDING,
        )
    if proven.debug is not None:
        yield Check(
            "debug",
            acceptance.debug or not proven.debug,
            Fault.DEBUG,
            "its memory can be inspected by whoever runs it" if proven.debug else "not debuggable",
        )
    if proven.tcb_status is not None:
        # Nothing is known of an unsupported platform, so there is nothing to accept.
        statuses = acceptance.tcb_statuses - {TcbStatus.UNSUPPORTED}
        yield Check(
            "tcb-status",
            proven.tcb_status in statuses,
            Fault.TCB_STATUS,
            f"the platform is {proven.tcb_status}, "
            f"the policy accepts {', '.join(sorted(statuses)) or 'nothing'}",
        )
    if acceptance.advisories is not None:
        others = sorted(set(proven.advisories) - acceptance.advisories)
        told = f"advisories apply: {', '.join(others)}" if others else "none that is not accepted"
        yield Check("advisories", not others, Fault.ADVISORY, told)
    for concern in proven.concerns:
        yield Check(
            concern.name,
            concern.name in acceptance.concerns,
            concern.fault,
            f"{concern.detail} ({concern.name})",
        )


def appraise(proven: Proven, acceptance: Acceptance) -> None:
    """Refuse what `acceptance` does not accept.

    Raises:
        EvidenceError: with stage `appraisal`, or `binding` for report data.
    """
    for check in checks(proven, acceptance):
        if not check.passed:
            raise check.error
