"""What deserves a second look before signing a policy, as rules with codes.

A rule has a code for programs, a severity and a remedy; what it finds is a sentence. `error` means
that the policy cannot do what it is for, `warning` that it allows what few would want, `note` that
it leaves something open. docs/reference/policy-rules.md lists them all, from this table.
"""

from datetime import datetime
from typing import Final

from durango.policy.pinned_runtimes import pinned_runtimes
from durango.policy.rules import content, people, platforms, text, time
from durango.policy.rules.rule import Checked, PolicyRule, Remark, Severity, all_rules
from durango.releases import Releases
from veracruz_utils.policy import Policy

__all__ = ["RULES", "Checked", "PolicyRule", "Remark", "Severity", "check_policy"]

_ROOMS: Final = (time, platforms, people, content, text)
"""Where the rules are: loading them lists them."""
RULES: Final = tuple(all_rules())


def check_policy(policy: Policy, *, releases: Releases, at: datetime) -> list[Remark]:
    """What the rules find in a policy, the most severe first.

    Args:
        policy: read without a look at dates, which are rules of their own.
        releases: those that are known here.
        at: the time it is.

    Raises:
        ReleaseError: the trusted keys cannot be relied on.
    """
    checked = Checked(policy, at, tuple(pinned_runtimes(policy, releases)), bool(releases.keys()))
    found = [Remark(rule, text) for rule in RULES for text in rule.find(checked)]
    by_weight = list(Severity)
    return sorted(found, key=lambda finding: by_weight.index(finding.rule.severity))
