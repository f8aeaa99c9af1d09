"""What deserves a second look before signing a policy, as rules with codes.

A rule has a code for programs, a severity and a remedy; what it finds is a sentence. `error` means
that the policy cannot do what it is for, `warning` that it allows what few would want, `note` that
it leaves something open. docs/reference/policy-rules.md lists them all, from this table.
"""

from datetime import datetime
from typing import Final

from durango.policy.pinned_runtimes import PinnedRuntime
from durango.policy.rules import content, people, platforms, text, time
from durango.policy.rules.rule import Checked, PolicyRule, Remark, Severity, all_rules
from veracruz_utils.policy import Policy

__all__ = ["RULES", "Checked", "PolicyRule", "Remark", "Severity", "remarks_on"]

_ROOMS: Final = (time, platforms, people, content, text)
"""Where the rules are: loading them lists them."""
RULES: Final = tuple(all_rules())


def remarks_on(
    policy: Policy, pinned: tuple[PinnedRuntime, ...], *, trusts_releases: bool, at: datetime
) -> list[Remark]:
    """What the rules find in a policy, the most severe first.

    Args:
        policy: read without a look at dates, which are rules of their own.
        pinned: its measurements, with the releases that they belong to.
        trusts_releases: whether any key for releases is trusted here.
        at: the time it is.
    """
    checked = Checked(policy, at, pinned, trusts_releases)
    found = [Remark(rule, text) for rule in RULES for text in rule.find(checked)]
    by_weight = list(Severity)
    return sorted(found, key=lambda finding: by_weight.index(finding.rule.severity))
