"""What is to be said about a policy that was just written."""

from pathlib import Path

from durango.policy.checking import PolicyCheck
from durango.policy.rules import Severity
from veracruz_shells.console import note


def warn_or_refuse(found: PolicyCheck, file: Path) -> None:
    """Tell the warnings about a policy that was written.

    Raises:
        PolicyRefusedError: it cannot be used.
    """
    for finding in found.remarks:
        if finding.rule.severity is Severity.WARNING:
            note(str(finding))
    found.require_usable(name=str(file))
