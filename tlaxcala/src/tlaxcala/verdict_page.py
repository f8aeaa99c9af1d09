"""Verdicts on files as a page of one file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from execution_engine import abi
from execution_engine.limits import EngineLimits
from execution_engine.strategy import engine_version
from tlaxcala._version import VERSION
from tlaxcala.verdict import Verdict, description
from veracruz_shells.page import bullets, page, section, table, verdict


def verdict_page(verdicts: Sequence[Verdict], *, limits: EngineLimits) -> str:
    """What `tlaxcala check` says of these files, and by which limits."""
    count, certified = len(verdicts), sum(each.certified for each in verdicts)
    which = f"{'all' if certified == count else certified} of {count} files are certified"
    if count == 1:
        which = "certified" if certified else "refused"
    return page(
        "Certification of programs",
        verdict(
            which,
            "A certified module assumes nothing but the Veracruz ABI: the engine loads it and can "
            "call it. That says nothing about what it computes, or whether that is right.",
            good=certified == count,
        ),
        *map(_file, verdicts),
        section("The limits that they were held to", table(_rows(asdict(limits)))),
        about=f"Made by tlaxcala {VERSION} for {engine_version()}, version {abi.VERSION} of the "
        "ABI. Everybody who has the files can check them again.",
    )


def _file(found: Verdict) -> str:
    findings = [(f"{each.code} {each.title}", each.message, each.remedy) for each in found.findings]
    lines = [] if found.report is None else description(found.report)
    return section(
        f"{found.name}: {'certified' if found.certified else 'refused'}",
        table(findings, head=("Rule", "Found", "What to do")),
        bullets(line.strip() for line in lines),
    )


def _rows(limits: Mapping[str, object]) -> list[tuple[str, object]]:
    return [
        (name.replace("_", " "), "none" if value is None else value)
        for name, value in limits.items()
    ]
