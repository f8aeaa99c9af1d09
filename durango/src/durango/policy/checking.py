"""A policy checked by all rules, and held against what a party has in hand."""

from datetime import UTC, datetime
from pathlib import Path

from durango._html import heading, table
from durango.policy.hands import (
    Held,
    hold_certificate,
    hold_certification,
    hold_image,
    hold_program,
    hold_tabasco_key,
)
from durango.policy.machines import hold_machine
from durango.policy.pinned_runtimes import PinnedRuntime, describe_runtimes, pinned_runtimes
from durango.policy.rules import Remark, Severity, remarks_on
from durango.releases import Releases
from veracruz_utils.errors import RefusedError
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy


class PolicyRefusedError(RefusedError):
    """A policy that cannot do what it is for, or is not the one for what a party has in hand."""


@frozen
class PolicyCheck:
    """What a check of a policy found; `str` of it is text, a line each.

    Attributes:
        policy: what was checked.
        runtimes: the measurements that it accepts, with the releases that they belong to.
        held: what each file in hand is.
        remarks: what the rules found, the most severe first.
    """

    policy: Policy
    runtimes: tuple[PinnedRuntime, ...]
    held: tuple[Held, ...]
    remarks: tuple[Remark, ...]

    @property
    def usable(self) -> bool:
        """Whether no rule found an error and all that is in hand is what the policy says."""
        return not self._reasons

    @property
    def facts(self) -> dict[str, object]:
        """For programs; the keys are stable."""
        return {
            "digest": self.policy.digest,
            "usable": self.usable,
            "runtimes": [each.facts for each in self.runtimes],
            "held": [each.facts for each in self.held],
            "findings": [each.facts for each in self.remarks],
            "warnings": [
                f"{each.text}: {each.rule.remedy}"
                for each in self.remarks
                if each.rule.severity is Severity.WARNING
            ],
        }

    def require_usable(self, *, name: str = "the policy") -> None:
        """Refuse a policy that is not `usable`.

        Args:
            name: what the error calls the policy.

        Raises:
            PolicyRefusedError: it is not; the message has the first reason.
        """
        if self._reasons:
            raise PolicyRefusedError(f"{name} cannot be used: {self._reasons[0]}")

    @property
    def _reasons(self) -> list[str]:
        ask = "ask whoever wrote the policy which of the two is meant"
        misfits = [f"{each.text}: {ask}" for each in self.held if not each.fits]
        errors = [each for each in self.remarks if each.rule.severity is Severity.ERROR]
        return [*misfits, *(f"{each.text}: {each.rule.remedy}" for each in errors)]

    def __str__(self) -> str:
        lines = [f"policy {self.policy.digest}", *describe_runtimes(self.runtimes)]
        lines += [f"{'ok' if each.fits else 'not so'}: {each.text}" for each in self.held]
        lines += map(str, self.remarks)
        return "\n".join([*lines, "it can be used"] if self.usable else lines)

    def __repr__(self) -> str:
        state = "usable" if self.usable else "not usable"
        return f"<PolicyCheck: policy {self.policy.digest.short}, {state}, {self._counted}>"

    def _repr_html_(self) -> str:
        state = "can be used" if self.usable else "cannot be used"
        held = [("ok" if each.fits else "not so", each.what, each.text, "") for each in self.held]
        found = [
            (each.rule.severity, each.rule.code, each.text, each.rule.remedy)
            for each in self.remarks
        ]
        head = heading(f"policy {self.policy.digest.short} {state}: {self._counted}")
        return head + table(("", "what", "finding", "remedy"), [*held, *found])

    @property
    def _counted(self) -> str:
        counts = [
            (sum(each.rule.severity is severity for each in self.remarks), severity.value)
            for severity in Severity
        ]
        words = [f"{count} {name}{'s' if count != 1 else ''}" for count, name in counts]
        return ", ".join(words)


def check_policy(
    policy: Policy,
    *,
    program: Path | str | None = None,
    certificate: Path | str | None = None,
    image: Path | str | None = None,
    machine: Path | str | None = None,
    tabasco_key: Path | str | None = None,
    certification: Path | str | None = None,
    releases: Releases | None = None,
    at: datetime | None = None,
) -> PolicyCheck:
    """What deserves a second look before a policy is signed.

    Args:
        policy: as `read_policy` gave it, without a look at dates, which are rules of their own.
        program: a file: is this the program?
        certificate: a file (PEM): which principal is this?
        image: a folder or file: is the runtime in this image accepted?
        machine: a file of `sonora machine measure`: does the policy name this machine?
        tabasco_key: a file (PEM): is this the key of the attestation service?
        certification: a file of `tlaxcala certify`: do the limits reach it?
        releases: those that are known here, to name the runtimes that are accepted.
        at: the time it is; None is now.

    Raises:
        ReleaseError: the trusted keys cannot be relied on.
        VeracruzError: a file cannot be read, or is none of its kind.
    """
    at = at or datetime.now(UTC)
    pinned = tuple(pinned_runtimes(policy, releases))
    held: list[Held] = []
    if program is not None:
        held.append(hold_program(policy, Path(program)))
    if certificate is not None:
        held.append(hold_certificate(policy, Path(certificate)))
    if image is not None:
        held.append(hold_image(policy, Path(image), pinned))
    if machine is not None:
        held.append(hold_machine(policy, Path(machine)))
    if tabasco_key is not None:
        held.append(hold_tabasco_key(policy, Path(tabasco_key)))
    if certification is not None:
        held.append(hold_certification(policy, Path(certification)))
    trusting = releases is not None and bool(releases.keys())
    found = remarks_on(policy, pinned, trusts_releases=trusting, at=at)
    return PolicyCheck(policy, pinned, tuple(held), tuple(found))
