"""The command line: `tlaxcala check FILE...`.

Exit status: 0 every file is certified, 1 one is not (or cannot be read), 2 wrong usage.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from execution_engine import EngineLimits
from tlaxcala.check import check
from tlaxcala.report import Finding, Report
from tlaxcala.rules import RULES, UNREADABLE, Rule
from veracruz_utils.console import command_group, emit, json_option, read_file
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import MAX_POLICY_BYTES, Policy

# Larger files are not read; what is larger than the limit in force is reported as that.
_MAX_FILE_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is said of one file; `report` is None when it could not be read."""

    file: str
    report: Report | None
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, object]:
        if self.report is not None:
            return {"file": self.file, **self.report.as_json()}
        findings = [finding.as_json() for finding in self.findings]
        return {"file": self.file, "certified": False, "digest": None, "findings": findings}

    def as_text(self) -> str:
        lines = [f"{self.file}: {'refused' if self.findings else 'certified'}"]
        if self.report is not None:
            calls = ", ".join(self.report.host_calls) or "none"
            lines.append(f"  SHA-256 {self.report.digest}, {self.report.size} bytes")
            lines.append(f"  host calls: {calls}")
        for finding in self.findings:
            lines.append(f"  {finding.code} {finding.title}: {finding.message}")
            lines.append(f"         {finding.remedy}")
        return "\n".join(lines)


def _explain(context: click.Context, _option: click.Parameter, code: str | None) -> None:
    if code is None:
        return
    rule = RULES.get(code.upper())
    if rule is None:
        raise click.BadParameter(f"{code[:20]!r} is none of {', '.join(RULES)}")
    click.echo(_explanation(rule))
    context.exit()


explain_option: Final = click.option(
    "--explain",
    metavar="CODE",
    is_eager=True,
    expose_value=False,
    callback=_explain,
    help="Say what a finding's code means and what to do about it, and exit.",
)


@command_group(
    "tlaxcala",
    distribution="veracruz-tlaxcala",
    help="Certify that WebAssembly modules assume only the Veracruz ABI.",
)
@explain_option
def main() -> None:
    """The group; what it does is in its commands."""


@main.command("check")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path),
    help="Hold modules to the limits of this policy, not to the default ones.",
)
@json_option
@explain_option
@click.pass_context
def check_files(
    context: click.Context,
    files: tuple[Path, ...],
    policy_file: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Say of each FILE whether the engine would load it and could call it; `-` is standard input.

    A module is certified when it imports nothing but host calls, with their types, exports the
    memory and entry point that the engine uses, has no start section, keeps to the supported
    features and to every static limit. Exit status 0: all are certified; 1: one is not.
    """
    limits = _limits(policy_file)
    verdicts = [_verdict(file, limits) for file in files]
    certified = not any(verdict.findings for verdict in verdicts)
    emit(
        {"certified": certified, "files": [verdict.as_json() for verdict in verdicts]},
        "\n".join(verdict.as_text() for verdict in verdicts),
        as_json=as_json,
    )
    context.exit(0 if certified else 1)


def _limits(policy_file: Path | None) -> EngineLimits:
    if policy_file is None:
        return EngineLimits()
    raw = read_file(policy_file, limit=MAX_POLICY_BYTES, what="policy")
    return EngineLimits.from_policy(Policy.parse(raw, at=datetime.now(UTC)).limits)


def _verdict(file: Path, limits: EngineLimits) -> _Verdict:
    name = ascii(str(file))[1:-1]
    try:
        code = read_file(file, limit=_MAX_FILE_BYTES, what="module")
    except VeracruzError as error:
        finding = Finding(UNREADABLE.code, UNREADABLE.title, str(error), UNREADABLE.remedy)
        return _Verdict(name, None, (finding,))
    report = check(code, limits=limits)
    return _Verdict(name, report, report.findings)


def _explanation(rule: Rule) -> str:
    return f"{rule.code} {rule.title}\n\n{rule.explanation}\n\nTo do: {rule.remedy}"
