"""What is asked of proven facts before they are accepted, and the answers."""

import hmac
from collections.abc import Iterator

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.proven import Proven, TcbStatus
from veracruz_utils.frozen import frozen


@frozen
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


@frozen
class AppraisalCheck:
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
    stage: VerificationStage = VerificationStage.APPRAISAL

    @property
    def error(self) -> EvidenceError:
        """The refusal that this is when it did not pass."""
        return EvidenceError(self.fault, self.stage, self.detail)


def checks(proven: Proven, acceptance: Acceptance) -> Iterator[AppraisalCheck]:
    """All that `acceptance` asks of `proven`, in the order in which it would be refused."""
    if (expected := acceptance.report_data) is not None:
        yield AppraisalCheck(
            "report-data",
            hmac.compare_digest(proven.report_data, expected),
            Fault.REPORT_DATA,
            f"report data is {proven.report_data.hex()}, expected {expected.hex()}",
            VerificationStage.BINDING,
        )
    if proven.debug is not None:
        yield AppraisalCheck(
            "debug",
            acceptance.debug or not proven.debug,
            Fault.DEBUG,
            "its memory can be inspected by whoever runs it" if proven.debug else "not debuggable",
        )
    if proven.tcb_status is not None:
        # Nothing is known of an unsupported platform, so there is nothing to accept.
        statuses = acceptance.tcb_statuses - {TcbStatus.UNSUPPORTED}
        yield AppraisalCheck(
            "tcb-status",
            proven.tcb_status in statuses,
            Fault.TCB_STATUS,
            f"the platform is {proven.tcb_status}, "
            f"the policy accepts {', '.join(sorted(statuses)) or 'nothing'}",
        )
    if acceptance.advisories is not None:
        others = sorted(set(proven.advisories) - acceptance.advisories)
        detail = (
            f"advisories apply: {', '.join(others)}" if others else "all that apply are accepted"
        )
        yield AppraisalCheck("advisories", not others, Fault.ADVISORY, detail)
    for concern in proven.concerns:
        yield AppraisalCheck(
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
