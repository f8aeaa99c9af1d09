"""Certifying a module: what the engine would refuse, and what it could not call."""

from collections.abc import Iterator

from execution_engine import HOST_CALLS, EngineLimits, ModuleSummary, examine
from execution_engine.abi import ENTRY_TYPES
from tlaxcala.report import Finding, Report
from tlaxcala.rules import ENTRY_TYPE, NO_ENTRY, RULES_OF_THE_ENGINE, Rule
from veracruz_utils.digest import Digest


def check(code: bytes, *, limits: EngineLimits | None = None) -> Report:
    """Whether `code` assumes only the ABI, and every rule that it breaks.

    Args:
        code: the bytes of a module; anything at all gives a report.
        limits: those of a policy; without, those of a policy that names none.
    """
    seen = examine(code, limits=limits or EngineLimits())
    findings = [
        _finding(RULES_OF_THE_ENGINE[problem.code], problem.detail) for problem in seen.problems
    ]
    if seen.summary is None:
        return Report(Digest.of(code), len(code), (), None, tuple(findings))
    findings.extend(_entry_findings(seen.summary))
    return Report(
        digest=seen.summary.digest,
        size=len(code),
        host_calls=_host_calls(seen.summary),
        entry=None if seen.summary.entry is None else str(seen.summary.entry),
        findings=tuple(findings),
    )


def _entry_findings(summary: ModuleSummary) -> Iterator[Finding]:
    wanted = " or ".join(str(type_) for type_ in ENTRY_TYPES)
    if summary.entry is None:
        yield _finding(NO_ENTRY, f"the module exports none, the engine calls {wanted}")
    elif not summary.runnable:
        yield _finding(ENTRY_TYPE, f"it is {summary.entry}, the engine calls {wanted}")


def _host_calls(summary: ModuleSummary) -> tuple[str, ...]:
    imported = {one.name for one in summary.imports}
    return tuple(call.name for call in HOST_CALLS if call.import_name in imported)


def _finding(rule: Rule, message: str) -> Finding:
    return Finding(rule.code, rule.title, message, rule.remedy)
