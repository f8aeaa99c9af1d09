"""Certifying a module: what the engine would refuse, and what it could not run."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from execution_engine.abi import ENTRY_TYPES, HOST_CALLS
from execution_engine.errors import RefusalCode
from execution_engine.interface import ModuleSummary
from execution_engine.limits import PAGE_BYTES, EngineLimits
from execution_engine.reader import BinaryError
from execution_engine.wasm.binary import Binary
from execution_engine.wasm.examination import Examination, examine
from execution_engine.wasm.segments import Segment, Setup, read_setup
from execution_engine.world import world_name
from tlaxcala.advice import advice, advice_without_entry
from tlaxcala.parts import ProgramParts
from tlaxcala.profile import ModuleProfile, profile
from tlaxcala.report import CertificationReport, Finding
from tlaxcala.rules import (
    DATA_OUTSIDE,
    ELEMENTS_OUTSIDE,
    ENTRY_TYPE,
    NO_ENTRY,
    RULES,
    RULES_OF_THE_ENGINE,
    WRONG_PROGRAM,
    Rule,
)
from veracruz_utils.digest import Digest

# A module may break a rule a hundred thousand times: more findings than these are only counted.
MAX_ALIKE: Final = 20
_UNREADABLE_INSIDE: Final = frozenset(
    {RefusalCode.MALFORMED, RefusalCode.INVALID, RefusalCode.FEATURE}
)


def check(
    code: bytes, *, limits: EngineLimits | None = None, program: Digest | None = None
) -> CertificationReport:
    """Whether `code` assumes only the ABI, every rule that it breaks, and what it is.

    Args:
        code: the bytes of a module; anything at all gives a report.
        limits: those of a policy; without, those of a policy that names none.
        program: what a policy names as its program's digest; without, any will do.
    """
    limits = limits or EngineLimits()
    seen = examine(code, limits=limits)
    digest = seen.summary.digest if seen.summary else Digest.of(code)
    findings = [
        Finding.of(RULES_OF_THE_ENGINE[found], detail, advice(found, detail))
        for found, detail in seen.problems
    ]
    found = None
    if seen.summary is not None:
        findings.extend(_entry_findings(seen.summary))
    if not any(found in _UNREADABLE_INSIDE for found, _ in seen.problems):
        found, more = _look_inside(seen)
        findings.extend(more)
    if program not in (None, digest):
        findings.append(Finding.of(WRONG_PROGRAM, f"digest is {digest}, the policy's {program}"))
    return CertificationReport(
        digest=digest,
        size=len(code),
        host_calls=_host_calls(seen.summary),
        entry=_entry(seen.summary),
        profile=found,
        findings=tuple(_without_repetition(findings)),
        parts=ProgramParts.of(code),
    )


def _look_inside(seen: Examination) -> tuple[ModuleProfile | None, Sequence[Finding]]:
    """What a valid core module is, and what it does before it runs that it cannot do."""
    if seen.module is None or seen.shapes is None:
        return None, ()
    try:
        setup, shapes = read_setup(seen.module), seen.shapes.all()
    except BinaryError as error:  # the validator knows more than we: nothing can be vouched for
        return None, (Finding.of(RULES_OF_THE_ENGINE[RefusalCode.MALFORMED], str(error)),)
    return profile(seen.module, shapes, setup), tuple(_setup_findings(seen.module, setup))


def _without_repetition(findings: Sequence[Finding]) -> Iterator[Finding]:
    seen: Counter[str] = Counter()
    for finding in findings:
        seen[finding.code] += 1
        if seen[finding.code] <= MAX_ALIKE:
            yield finding
    for code, count in seen.items():
        if count > MAX_ALIKE:
            yield Finding.of(RULES[code], f"and {count - MAX_ALIKE} more of this kind")


def _entry_findings(summary: ModuleSummary) -> Iterator[Finding]:
    if summary.component:
        return  # the engine refuses one without: it is among its problems
    wanted = " or ".join(str(type_) for type_ in ENTRY_TYPES)
    if summary.entry is None:
        detail = f"the module exports none, the engine calls {wanted}"
        yield Finding.of(NO_ENTRY, detail, advice_without_entry(summary.imports))
    elif not summary.runnable:
        yield Finding.of(ENTRY_TYPE, f"it is {summary.entry}, the engine calls {wanted}")


def _setup_findings(declared: Binary, setup: Setup) -> Iterator[Finding]:
    if not declared.imported("memory"):
        rooms = [memory.minimum * PAGE_BYTES for memory in declared.memories]
        yield from _outside(DATA_OUTSIDE, "bytes of memory", setup.data, rooms)
    if not declared.imported("table"):
        rooms = [table.minimum for table in declared.tables]
        yield from _outside(ELEMENTS_OUTSIDE, "elements", setup.elements, rooms)


def _outside(
    rule: Rule, unit: str, segments: Sequence[Segment], rooms: Sequence[int]
) -> Iterator[Finding]:
    for index, segment in enumerate(segments):
        # An offset from an imported global is known only when the module runs.
        if segment.target is None or segment.offset is None:
            continue
        room, end = rooms[segment.target], segment.offset + segment.size
        if end > room:
            message = f"segment {index} ends at {end}, there are {room} {unit} at first"
            yield Finding.of(rule, message)


def _host_calls(summary: ModuleSummary | None) -> tuple[str, ...]:
    imported = {one.name for one in summary.imports} if summary else set()
    names = {call.name: {call.import_name, world_name(call.name)} for call in HOST_CALLS}
    return tuple(name for name, known in names.items() if known & imported)


def _entry(summary: ModuleSummary | None) -> str | None:
    return None if summary is None or summary.entry is None else str(summary.entry)
