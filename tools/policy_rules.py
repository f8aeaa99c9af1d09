"""Write the page of the rules that `durango policy check` applies, from their table."""

from itertools import groupby
from pathlib import Path

from durango.policy.rules import RULES

FILE = Path(__file__).parent.parent / "docs/reference/policy-rules.md"
ROOMS = {
    "1": "Time",
    "2": "Platforms, runtimes, and who vouches for them",
    "3": "Who learns, and who decides",
    "4": "What goes in and what comes out",
    "5": "People, and the text itself",
}
HEAD = """# What `durango policy check` looks for

An `error` means that the policy cannot do what it is for, and the command ends with status 3; a
`warning` that it allows what few would want; a `note` that it leaves something open. Codes are
stable. `tools/policy_rules.py` writes this page.

Files in hand are held against the policy besides: `--program`, `--certificate`, `--image`,
`--machine`, `--tabasco-key`, and `--certification` for the file of `tlaxcala certify`. One that is
not what the policy says ends the command with status 3, too.
"""


def rendered() -> str:
    """The content of the file."""
    parts = [HEAD]
    for room, rules in groupby(RULES, key=lambda rule: rule.code[1]):
        rows = [
            f"| {rule.code} | {rule.severity} | {rule.title} | {rule.remedy} |" for rule in rules
        ]
        head = ["| Code | Severity | Looks for | Remedy |", "|---|---|---|---|"]
        parts.append("\n".join([f"## {ROOMS[room]}", "", *head, *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    FILE.write_text(rendered())
