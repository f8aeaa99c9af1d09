"""What to do about a refusal: what helps, and nothing else. A test follows each of them."""

from collections.abc import Mapping
from typing import Final

from psa_attestation.errors import AttestationError, ErrorCode
from tabasco.appraisal.checks import AppraisalCheck
from tabasco.verify.errors import EvidenceError, Fault
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import Proven, TcbStatus

_OF_THE_PAST: Final = "; what held then, and not what holds now, is told by --at TIME"
_BY_KEY: Final = "give the signer's key, if you trust it: --key"
_REPLACED: Final = "replace what is revoked: a revocation is for ever"
_BY_REASON: Final[Mapping[str, str]] = {
    Fault.COLLATERAL_MISSING: "import it into the store: tabasco collateral import FILE",
    Fault.COLLATERAL_EXPIRED: f"get the newest: tabasco collateral fetch{_OF_THE_PAST}",
    Fault.COLLATERAL_MISMATCH: "get the collateral of this very platform",
    Fault.COLLATERAL_ROLLBACK: "get the newest: what was issued for less security is not used",
    Fault.EXPIRED: f"have fresh evidence made{_OF_THE_PAST}",
    Fault.NOT_YET_VALID: "compare the clocks; another time to verify for is named by --at TIME",
    Fault.REVOKED: _REPLACED,
    Fault.EVENT_LOG: "give the log of this very boot, whole, as the firmware wrote it",
    Fault.UNKNOWN_SIGNER: _BY_KEY,
    Fault.UNKNOWN_KIND: "say what it was meant to be, to be told what is wrong with it: --kind",
    ErrorCode.KEY_UNKNOWN: _BY_KEY,
    ErrorCode.UNKNOWN_INSTANCE: _BY_KEY,
}
_WITH_ROOTS: Final = frozenset(
    {
        EvidenceKind.SGX,
        EvidenceKind.TDX,
        EvidenceKind.NITRO,
        EvidenceKind.NITRO_TPM,
        EvidenceKind.TPM,
        EvidenceKind.NVIDIA,
        EvidenceKind.NVIDIA_RIM,
        EvidenceKind.CONFIDENTIAL_SPACE,
    }
)
"""Kinds whose root is not pinned for good."""


def remedy_of_error(
    error: EvidenceError | AttestationError, kind: EvidenceKind | None
) -> str | None:
    """What to do about evidence that a verifier refused."""
    if isinstance(error, EvidenceError):
        if error.remedy is not None:
            return error.remedy
        if error.fault is Fault.UNKNOWN_ROOT and kind in _WITH_ROOTS:
            return "give the root's certificate, if you trust it: --root"
        return _BY_REASON.get(error.fault)
    return _BY_REASON.get(error.code)


def remedy_of_check(check: AppraisalCheck, proven: Proven, *, by_policy: bool) -> str | None:
    """What to do about authentic evidence that was not accepted.

    Args:
        check: the one that refused; one of several attesters has its name in front.
        proven: what it looked at.
        by_policy: whether a policy decided, which then counts in place of options.
    """
    # A part has its name in front, as `Decision` has it; nothing else in a name has a colon.
    *parts, name = check.name.split(": ")
    for part in parts:
        proven = proven.parts[part]
    if name == "tcb-status" and proven.tcb_status is TcbStatus.UNSUPPORTED:
        return "the vendor's collateral knows no such platform: it is never accepted"
    if check.fault is Fault.REVOKED:
        return _REPLACED
    named = _by_name(name, proven)
    if named is not None:
        words, option, field = named
        by = f"the policy accepts it by {field} in [{proven.kind}]" if by_policy else option
        return f"{words}: {by}"
    template = _BY_POLICY.get(name.partition(".")[0])
    return None if template is None else template.format(kind=proven.kind)


_BY_POLICY: Final[Mapping[str, str]] = {
    "measurement": "if your build says so, name it in the policy: [{kind}.measurements]",
    "measurements": "if your build says so, name it in the policy: [{kind}.measurements]",
    "component": "if you know it, name it in the policy: [[{kind}.components]]",
    "named": "if you know the key, name it in the policy: [{kind}.facts] attestation-key",
    "kind": "if it is what you want, give the policy a table for it: [{kind}]",
}


def _by_name(check: str, proven: Proven) -> tuple[str, str, str] | None:
    """What is accepted by its name: words before it, the option for it, the policy's field."""
    if check in {concern.name for concern in proven.concerns}:
        words = "have the attester changed, or accept it if you know what it means"
        return words, f"--accept-concern {check}", f'concerns = ["{check}"]'
    words = "update the platform, or accept it as it is"
    match check:
        case "tcb-status":
            status = proven.tcb_status
            return words, f"--accept-status {status}", f'tcb_statuses = ["{status}"]'
        case "advisories":
            options = " ".join(f"--accept-advisory {each}" for each in proven.advisories)
            names = ", ".join(f'"{each}"' for each in proven.advisories)
            return words, options, f"advisories = [{names}]"
        case "debug":
            words = "have the attester run without debugging, or accept it for development"
            return words, "--accept-debug", "debug = true"
        case _:
            return None
