"""The verdict on one file, for people and for programs."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from execution_engine.limits import EngineLimits
from execution_engine.text import printable
from tlaxcala.check import check
from tlaxcala.parts import ProgramParts
from tlaxcala.profile import ModuleProfile
from tlaxcala.report import CertificationReport, Finding
from tlaxcala.rules import UNREADABLE
from veracruz_shells.console import read_file
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

# The largest that a policy can allow. Larger files are not read.
_MAX_FILE_BYTES: Final = 256 * 1024 * 1024
MAX_NAME: Final = 4096


@frozen
class Verdict:
    """The verdict on a file; `report` is None when it could not be read."""

    path: Path
    report: CertificationReport | None
    findings: tuple[Finding, ...]

    @property
    def certified(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    @property
    def name(self) -> str:
        """The file's name, fit for a terminal."""
        return printable(str(self.path), MAX_NAME)

    def as_json(self) -> dict[str, object]:
        """The verdict as an object of JSON; the keys stay."""
        if self.report is not None:
            return {"file": self.name, **self.report.as_json()}
        findings = [finding.as_json() for finding in self.findings]
        return {"file": self.name, "certified": False, "digest": None, "findings": findings}

    def as_text(self) -> str:
        """The verdict for people: a line, each finding, and what the module is."""
        lines = [f"{self.name}: {'certified' if self.certified else 'refused'}"]
        for remedy, findings in groupby(self.findings, lambda finding: finding.remedy):
            lines += [f"  {one.code} {one.title}: {one.message}" for one in findings]
            lines.append(f"         {remedy}")
        if self.report is not None:
            lines.extend(f"  {line}" for line in description(self.report))
        return "\n".join(lines)


def judge(path: Path, *, limits: EngineLimits, program: Digest | None) -> Verdict:
    """The verdict on a file; `-` is standard input."""
    try:
        code = read_file(path, limit=_MAX_FILE_BYTES, what="module")
    except VeracruzError as error:
        return Verdict(path, None, (Finding.of(UNREADABLE, str(error)),))
    report = check(code, limits=limits, program=program)
    return Verdict(path, report, report.findings)


def description(report: CertificationReport) -> Iterator[str]:
    """What a module is, in lines for people."""
    yield f"SHA-256 {report.digest}, {report.size} bytes"
    yield f"host calls: {_listed(report.host_calls)}"
    if report.profile is not None:
        yield from _profile_lines(report.profile)
    if report.parts is not None:
        yield from _part_lines(report.parts)


def _profile_lines(profile: ModuleProfile) -> Iterator[str]:
    calls, code, storage = profile.calls, profile.code, profile.storage
    yield f"reached from {_listed(calls.entries)}: {_listed(calls.host_calls)}"
    if calls.leaves:
        yield "may leave from within: a trap after it has set `veracruz_exit` is a return of `main`"
    yield (
        f"functions: {code.functions} ({calls.functions} reached), {code.size} bytes, the largest "
        f"{code.largest_function}, {code.instructions} instructions, {code.loops} loops"
    )
    if code.indirect_calls:
        yield (
            f"indirect calls: {code.indirect_calls}, taken to reach each of the "
            f"{calls.indirect_targets} functions of their types that are referred to"
        )
    most = "no maximum" if storage.memory_maximum is None else f"{storage.memory_maximum} at most"
    yield f"memory: {storage.memory_initial} bytes at first, {most}"
    yield f"data: {storage.data_size} bytes, segments: {storage.data_segments}"
    yield f"tables: {storage.tables}, elements: {storage.table_elements}"
    yield from _custom_lines(profile)


def _part_lines(parts: ProgramParts) -> Iterator[str]:
    yield f"core: SHA-256 {parts.core}, {parts.core_size} bytes, the same for all programs on it"
    yield f"author's part: SHA-256 {parts.author}, {parts.author_size} bytes"
    if parts.file_count is None:
        yield "  not in the form that is read here: only its core knows what is in it"
        return
    for file in parts.files:
        yield f"  {printable(file.name, MAX_NAME)}: {file.size} bytes, SHA-256 {file.digest}"
    if parts.file_count > len(parts.files):
        yield f"  and {parts.file_count - len(parts.files)} more files"


def _custom_lines(profile: ModuleProfile) -> Iterator[str]:
    custom = profile.custom_sections
    if custom.count:
        names = _listed(tuple(one.name for one in custom.listed))
        yield f"custom sections: {custom.count}, {custom.size} bytes: {names}"
    for one in custom.producers:
        yield f"made by, as it says itself: {one.field} {one.name} {one.version}".rstrip()
    if custom.named_functions is not None:
        yield f"names {custom.named_functions} functions"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
