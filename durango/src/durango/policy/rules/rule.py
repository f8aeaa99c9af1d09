"""What a rule is, what it looks at and what it finds."""

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

from durango.policy.pinned_runtimes import PinnedRuntime
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import (
    Policy,
    PolicyIdentity,
    Role,
)


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@frozen
class Checked:
    """What rules look at.

    Attributes:
        policy: the policy.
        at: the time it is.
        pinned: its measurements, with the releases that they belong to.
        trusts_releases: whether any key for releases is trusted here.
    """

    policy: Policy
    at: datetime
    pinned: tuple[PinnedRuntime, ...]
    trusts_releases: bool

    def holders(self, role: Role) -> list[PolicyIdentity]:
        """The principals with this role."""
        return [each for each in self.policy.identities if role in each.roles]

    @property
    def providers(self) -> list[PolicyIdentity]:
        """The principals that give inputs or stream items."""
        places = {*self.policy.data_provision_order, *self.policy.streaming_order}
        return [each for each in self.policy.identities if each.client_id in places]


@frozen
class PolicyRule:
    """A rule.

    Attributes:
        code: for programs; never used again for another.
        severity: of what it finds.
        title: what it looks for.
        remedy: what to do.
        find: a sentence for each place where it applies.
    """

    code: str
    severity: Severity
    title: str
    remedy: str
    find: Callable[[Checked], Iterable[str]]


@frozen
class Remark:
    """What a rule found."""

    rule: PolicyRule
    text: str

    @property
    def facts(self) -> dict[str, object]:
        """For programs; the keys are stable."""
        return {
            "code": self.rule.code,
            "severity": self.rule.severity,
            "text": self.text,
            "remedy": self.rule.remedy,
        }

    def __str__(self) -> str:
        return f"{self.rule.severity}: {self.text}: {self.rule.remedy} [{self.rule.code}]"


_RULES: Final[list[PolicyRule]] = []


def rule(
    code: str, severity: Severity, title: str, remedy: str
) -> Callable[[Callable[[Checked], Iterable[str]]], Callable[[Checked], Iterable[str]]]:
    """A decorator: what it is put on finds what the rule with this code looks for."""

    def add(find: Callable[[Checked], Iterable[str]]) -> Callable[[Checked], Iterable[str]]:
        _RULES.append(PolicyRule(code, severity, title, remedy, find))
        return find

    return add


def all_rules() -> list[PolicyRule]:
    """Every rule of the modules that were loaded, by its code."""
    return sorted(_RULES, key=lambda rule: rule.code)
