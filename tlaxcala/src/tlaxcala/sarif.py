"""Verdicts as SARIF 2.1.0, which editors and code hosts show beside the files.

Every rule is described, every file is an artifact with its digest and, where it has one, its
profile; each finding is a result on the whole file: a module has no lines to point at.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tlaxcala._version import VERSION
from tlaxcala.report import Finding
from tlaxcala.rules import RULES, Rule
from tlaxcala.verdict import Verdict

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

_Object = dict[str, object]
_PLACES: Final = {code: place for place, code in enumerate(RULES)}


def sarif(verdicts: Sequence[Verdict]) -> _Object:
    """One run of Tlaxcala over these files, as a SARIF log."""
    certified = all(verdict.certified for verdict in verdicts)
    # A file named twice is one artifact: the standard wants them unique.
    files = {_uri(verdict.path): verdict for verdict in verdicts}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "invocations": [{"executionSuccessful": True, "exitCode": 0 if certified else 1}],
                "artifacts": [_artifact(uri, verdict) for uri, verdict in files.items()],
                "results": [
                    _result(finding, uri, place)
                    for place, (uri, verdict) in enumerate(files.items())
                    for finding in verdict.findings
                ],
            }
        ],
    }


def _driver() -> _Object:
    return {
        "name": "tlaxcala",
        "version": VERSION,
        "semanticVersion": VERSION,
        "rules": [_rule(rule) for rule in RULES.values()],
    }


def _rule(rule: Rule) -> _Object:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": "error"},
    }


def _artifact(uri: str, verdict: Verdict) -> _Object:
    artifact: _Object = {
        "location": {"uri": uri},
        "roles": ["analysisTarget"],
        "mimeType": "application/wasm",
    }
    report = verdict.report
    if report is not None:
        artifact["length"] = report.size
        artifact["hashes"] = {"sha-256": str(report.digest)}
        if report.profile is not None:
            artifact["properties"] = {"profile": report.profile.as_json()}
    return artifact


def _result(finding: Finding, uri: str, artifact: int) -> _Object:
    place = {"artifactLocation": {"uri": uri, "index": artifact}}
    return {
        "ruleId": finding.code,
        "ruleIndex": _PLACES[finding.code],
        "level": "error",
        "message": {"text": f"{finding.title}: {finding.message}"},
        "locations": [{"physicalLocation": place}],
    }


def _uri(path: Path) -> str:
    """A path as a relative reference, or as a `file` URI if it is absolute."""
    return ("file://" if path.is_absolute() else "") + quote(os.fsencode(path))
