"""A report about one piece of evidence: what is proven, what is not, and why it is refused.

Authentic evidence that is not acceptable is kept apart from bytes that prove nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from psa_attestation.errors import AttestationError, Stage
from tabasco.appraisal.checks import Acceptance
from tabasco.appraisal.policy import AppraisalPolicy, Decision, References
from tabasco.appraisal.remedies import remedy_of_check, remedy_of_error
from tabasco.appraisal.revocation import RevokedAmong, with_revocations
from tabasco.verify.detection import kind_of
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.proven import NO_END, Proven
from veracruz_utils.frozen import frozen

REFUSED: Final = 3
"""The exit status of a command whose report is a refusal."""

_HARDWARE: Final = frozenset(
    {
        EvidenceKind.SGX,
        EvidenceKind.TDX,
        EvidenceKind.SEV_SNP,
        EvidenceKind.NITRO,
        EvidenceKind.NITRO_TPM,
        EvidenceKind.ARM_CCA,
        EvidenceKind.TPM,
        EvidenceKind.TPM_AZURE,
        EvidenceKind.NVIDIA,
        EvidenceKind.COMPOSITE,
    }
)
_PADDED: Final = frozenset({EvidenceKind.SGX, EvidenceKind.TDX, EvidenceKind.SEV_SNP})
_REPORT_DATA_BYTES: Final = 64
_AFTER_SIGNATURE: Final = frozenset(
    {
        VerificationStage.APPRAISAL,
        VerificationStage.BINDING,
        Stage.FRESHNESS,
        Stage.LIFECYCLE,
    }
)
"""Stages whose refusals are of evidence that is authentic."""


_REVOCATIONS_UNKNOWN: Final = (
    "that nothing in it is revoked: no database with revocations was asked"
)


class EvidenceVerdict(StrEnum):
    """What comes of a verification."""

    ACCEPTED = "accepted"
    UNACCEPTABLE = "authentic but not acceptable"
    NOT_AUTHENTIC = "not authentic"


@frozen
class Rejection:
    """Why evidence is refused, and what to do about it; `reason` is from a closed set."""

    stage: str
    reason: str
    detail: str
    remedy: str | None

    @classmethod
    def of(cls, error: EvidenceError | AttestationError, remedy: str | None) -> "Rejection":
        """What an error says."""
        reason = error.fault if isinstance(error, EvidenceError) else error.code
        return cls(str(error.stage), str(reason), error.detail, remedy)


@frozen
class Inspection:
    """All there is to say about a piece of evidence; `proven` is None when it proves nothing.

    `kind` is None when the bytes have the form of none.
    """

    kind: EvidenceKind | None
    at: datetime
    verdict: EvidenceVerdict
    proven: Proven | None
    decision: Decision
    refusal: Rejection | None
    not_proven: tuple[str, ...]


def inspect(
    data: bytes,
    kind: EvidenceKind | None,
    *,
    means: Means,
    acceptance: Acceptance,
    policy: AppraisalPolicy | None,
    at: datetime,
    references: References = lambda _kind, _name: (),
    revoked: RevokedAmong | None = None,
) -> Inspection:
    """Verify evidence and say what came of it.

    Args:
        data: the evidence.
        kind: of evidence it is taken for; None for the one that its form says.
        means: what the verifier may use.
        acceptance: what is accepted when there is no policy; its report data count either way, and
            are filled up with zeros where the platform has 64 bytes.
        policy: what is accepted.
        at: the time to verify for.
        references: where the policy draws reference values from; by default there are none.
        revoked: which values are revoked; None where nobody knows, which the report says.
    """
    try:
        kind = kind or kind_of(data)
        proven = verify_evidence(data, kind, means=means, at=at)
    except (EvidenceError, AttestationError) as error:
        authentic = error.stage in _AFTER_SIGNATURE and not _is_forgery(error)
        verdict = EvidenceVerdict.UNACCEPTABLE if authentic else EvidenceVerdict.NOT_AUTHENTIC
        refusal = Rejection.of(error, remedy_of_error(error, kind))
        return Inspection(kind, at, verdict, None, Decision(()), refusal, ())
    if acceptance.report_data is not None and kind in _PADDED:
        padded = acceptance.report_data.ljust(_REPORT_DATA_BYTES, b"\0")
        acceptance = replace(acceptance, report_data=padded)
    if policy is not None:
        decision = policy.evaluate(
            proven, report_data=acceptance.report_data, references=references
        )
    else:
        decision = Decision.without_policy(proven, acceptance)
    if revoked is not None:
        decision = with_revocations(decision, proven, revoked)
    refused = decision.refused_by
    remedy = None
    if refused is not None:
        remedy = remedy_of_check(refused, proven, by_policy=policy is not None)
    return Inspection(
        kind,
        at,
        EvidenceVerdict.ACCEPTED if refused is None else EvidenceVerdict.UNACCEPTABLE,
        proven,
        decision,
        None if refused is None else Rejection.of(refused.error, remedy),
        (
            *_not_proven(proven, kind, means, acceptance, policy),
            *(() if revoked is not None else (_REVOCATIONS_UNKNOWN,)),
        ),
    )


def _is_forgery(error: EvidenceError | AttestationError) -> bool:
    """A binding between keys that does not hold is no question of what a policy accepts."""
    return isinstance(error, EvidenceError) and error.fault in {
        Fault.KEY_BINDING,
        Fault.CERTIFICATE_MISMATCH,
    }


def _not_proven(
    proven: Proven,
    kind: EvidenceKind,
    means: Means,
    acceptance: Acceptance,
    policy: AppraisalPolicy | None,
) -> Sequence[str]:
    found = []
    if means.nonce is None and acceptance.report_data is None:
        found.append("that it is fresh or about your session: no nonce or report data was expected")
    measured = any(each.measurements for each in (proven, *proven.parts.values()))
    if measured and policy is None:
        found.append("that the measured code is the one you want: no policy lists measurements")
    if kind in _HARDWARE:
        found.append("that the code is free of flaws, or safe from side channels and from probes")
    if kind in _NOT_SAID:
        found.append(_NOT_SAID[kind])
    return found


_NOT_SAID: Final[Mapping[EvidenceKind, str]] = {
    EvidenceKind.TPM: "whether memory can be inspected: a quote does not say",
    EvidenceKind.NITRO_TPM: "whether memory can be inspected: a document does not say",
    EvidenceKind.CONFIDENTIAL_SPACE: "anything but what Google's verifier says",
    EvidenceKind.MAA: "anything but what Azure's verifier says",
    EvidenceKind.NVIDIA: "which machine the device is plugged into: a report does not say",
    EvidenceKind.NVIDIA_NRAS: "anything but what NVIDIA's service says",
    EvidenceKind.NVIDIA_RIM: "that the reference values in it are right: NVIDIA says so",
    EvidenceKind.COMPOSITE: "that the devices are in this machine: they answer one challenge",
    EvidenceKind.PSA: "which hardware signed: a registered key did",
    EvidenceKind.EAR: "anything but what its verifier says",
    EvidenceKind.CORIM: "that the reference values in it are right: their provider says so",
}


def as_json(found: Inspection) -> dict[str, object]:
    """The report for programs; the keys are stable."""
    proven, refusal = found.proven, found.refusal
    return {
        "kind": found.kind and found.kind.value,
        "at": found.at.isoformat(),
        "verdict": found.verdict.name.lower().replace("_", "-"),
        "authentic": found.verdict is not EvidenceVerdict.NOT_AUTHENTIC,
        "accepted": found.verdict is EvidenceVerdict.ACCEPTED,
        "refusal": None
        if refusal is None
        else {
            "stage": refusal.stage,
            "reason": refusal.reason,
            "detail": refusal.detail,
            "remedy": refusal.remedy,
        },
        "proven": None if proven is None else _proven_json(proven),
        "not_proven": list(found.not_proven),
        "parts": {} if proven is None else _parts_json(proven, found.decision),
        "checks": [
            {"name": each.name, "passed": each.passed, "reason": each.fault, "detail": each.detail}
            for each in found.decision.all_checks
        ],
    }


def _parts_json(proven: Proven, decision: Decision) -> dict[str, object]:
    """What is proven of each attester, and whether it is accepted."""
    return {
        name: {
            "kind": part.kind.value,
            "accepted": is_accepted(decision, name),
            "proven": _proven_json(part),
        }
        for name, part in proven.parts.items()
    }


def is_accepted(decision: Decision, name: str) -> bool:
    """Whether this part of several is accepted."""
    part = decision.parts.get(name)
    return part is not None and part.refused_by is None


def _proven_json(proven: Proven) -> dict[str, object]:
    return {
        "measurements": {name: value.hex() for name, value in proven.measurements.items()},
        "report_data": proven.report_data.hex(),
        "debug": proven.debug,
        "tcb_status": proven.tcb_status,
        "advisories": list(proven.advisories),
        "facts": {name: str(value) for name, value in proven.facts.items()},
        "valid_until": None if proven.valid_until == NO_END else proven.valid_until.isoformat(),
        "warnings": list(proven.warnings),
        "events": None
        if proven.events is None
        else {
            name: [
                {"number": each.number, "type": each.kind, "digest": each.digest.hex()}
                for each in events
            ]
            for name, events in proven.events.items()
        },
    }


def as_text(found: Inspection) -> str:
    """The report for people."""
    lines = [
        f"{found.kind or 'unknown'} evidence, verified for {found.at:%Y-%m-%d %H:%M:%S %Z}",
        "",
    ]
    lines.append(f"verdict: {found.verdict}")
    if found.refusal is not None:
        lines.append(f"  refused: {found.refusal.detail}")
        lines.append(f"  stage {found.refusal.stage}, reason {found.refusal.reason}")
        if found.refusal.remedy is not None:
            lines.append(f"  what to do: {found.refusal.remedy}")
    if found.proven is not None:
        lines += ["", "proven:", *_proven_lines(found.proven)]
        for name, part in found.proven.parts.items():
            verdict = "accepted" if is_accepted(found.decision, name) else "refused"
            lines += ["", f"{name} ({part.kind}): {verdict}", *_proven_lines(part)]
    if checks := tuple(found.decision.all_checks):
        lines += ["", "checked:"]
        lines += [
            f"  {'ok' if each.passed else 'NO':<3} {each.name}: {each.detail}" for each in checks
        ]
    if found.proven is None:
        lines += ["", *(f"NOT proven: {each}" for each in not_proven_lines(found))]
    elif found.not_proven:
        lines += ["", "NOT proven:", *(f"  {each}" for each in found.not_proven)]
    return "\n".join(map(_on_one_line, lines))


def not_proven_lines(found: Inspection) -> tuple[str, ...]:
    """What the evidence leaves open, for people."""
    if found.proven is not None:
        return found.not_proven
    least = (
        "more than who signed"
        if found.verdict is EvidenceVerdict.UNACCEPTABLE
        else "anything at all"
    )
    return (f"{least}; the content is not shown",)


def _on_one_line(line: str) -> str:
    """A line without characters that would make it two, or something else on a terminal.

    What evidence says is told as it is, and some of it is chosen by whom nobody trusts.
    """
    if line.isprintable():
        return line
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in line
    )


def _proven_lines(proven: Proven) -> Sequence[str]:
    rows = proven_rows(proven)
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"  {name:<{width}}  {value}" for name, value in rows]
    return [*lines, *(f"  warning: {each}" for each in proven.warnings)]


def proven_rows(proven: Proven) -> list[tuple[str, str]]:
    """What is proven of an attester, each with its name, for people."""
    rows = [(name, value.hex()) for name, value in proven.measurements.items() if any(value)]
    if proven.report_data:
        rows.append(("report data", proven.report_data.hex()))
    if proven.debug is not None:
        rows.append(("debug", "yes" if proven.debug else "no"))
    if proven.tcb_status is not None:
        rows.append(("TCB status", proven.tcb_status))
        rows.append(("advisories", ", ".join(proven.advisories) or "none"))
    rows += sorted((name, str(value)) for name, value in proven.facts.items())
    if proven.valid_until != NO_END:
        rows.append(("valid until", f"{proven.valid_until:%Y-%m-%d %H:%M:%S %Z}"))
    return rows
