"""The report on a piece of evidence as a page of one file."""

from collections.abc import Iterable, Iterator
from typing import Final

from tabasco.appraisal.inspection import (
    EvidenceVerdict,
    Inspection,
    is_accepted,
    not_proven_lines,
    proven_rows,
)
from tabasco.verify.proven import Proven
from veracruz_shells.page import Code, Step, bullets, page, section, steps, table, verdict

_LONG: Final = 32
_SAID: Final = "What evidence says of itself is told as it is."


def evidence_page(found: Inspection, *, file: str, warnings: Iterable[str] = ()) -> str:
    """What `tabasco verify` found: verdict and reason, what is proven, checked, and not proven.

    Args:
        found: the report.
        file: what the evidence was read from.
        warnings: of what was asked for.
    """
    refusal = found.refusal
    reasons = []
    if refusal is not None:
        reasons = [
            f"refused: {refusal.detail}",
            f"stage {refusal.stage}, reason {refusal.reason}",
            *([] if refusal.remedy is None else [f"what to do: {refusal.remedy}"]),
        ]
    kind = found.kind or "unknown"
    return page(
        f"Evidence of {kind}",
        verdict(found.verdict, *reasons, good=found.verdict is EvidenceVerdict.ACCEPTED),
        section("Warnings", bullets(warnings)),
        *_proven(found),
        section(
            "What was checked",
            steps(
                Step(each.name, (("says", each.detail),), passed=each.passed)
                for each in found.decision.all_checks
            )
            if found.decision.checks or found.decision.parts
            else "",
        ),
        section("What is not proven", bullets(not_proven_lines(found))),
        about=f"{file}: {kind} evidence, verified for {found.at:%Y-%m-%d %H:%M:%S %Z} by `tabasco "
        f"verify`. {_SAID}",
    )


def _proven(found: Inspection) -> Iterator[str]:
    if found.proven is None:
        return
    yield section("What is proven", *_facts(found.proven))
    for name, part in found.proven.parts.items():
        end = "accepted" if is_accepted(found.decision, name) else "refused"
        yield section(f"{name} ({part.kind}): {end}", *_facts(part))


def _facts(proven: Proven) -> tuple[str, str]:
    rows = (
        (name, Code(value) if len(value) >= _LONG and " " not in value else value)
        for name, value in proven_rows(proven)
    )
    return table(rows), bullets(f"warning: {each}" for each in proven.warnings)
