"""A certificate: that a module assumes only the ABI, for others to check again.

It is a convenience and not an authority: nothing signs it, and whoever relies on it makes it again
from the module. That is possible because its bytes depend on the module, the limits and the
versions only; `differences` compares the two.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Final

from execution_engine import abi
from execution_engine.abi import HOST_CALLS
from execution_engine.limits import EngineLimits
from execution_engine.strategy import engine_version
from execution_engine.text import printable
from tlaxcala._version import VERSION
from tlaxcala.errors import CertificateError
from tlaxcala.report import CertificationReport
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonError, read_json

FORMAT: Final = "veracruz-tlaxcala-certificate"
FORMAT_VERSION: Final = 1
MAX_CERTIFICATE_BYTES: Final = 256 * 1024

# The limits that show in a module before it runs; the others are for the run.
STATIC_LIMITS: Final = (
    "module_bytes",
    "memory_bytes",
    "function_bytes",
    "locals",
    "nesting",
    "tables",
    "table_elements",
)
# Not about the module: another version of tool or engine may come to the same result.
_MADE_BY: Final = ("tool", "engine")
_MAX_SHOWN: Final = 100
_ABSENT: Final = object()


@frozen
class Difference:
    """A value in a certificate that differs from what was found.

    Attributes:
        path: of the value.
        certificate: the value in the certificate, as JSON; None if it has none.
        found: the value that was found, as JSON; None if certificates have no such value.
        matters: whether it is about the module; versions of tool and engine are not.
    """

    path: str
    certificate: str | None
    found: str | None
    matters: bool

    def __str__(self) -> str:
        says, found = self.certificate or "nothing", self.found or "nothing"
        return f"{self.path}: the certificate says {says}, found {found}"


def certify(report: CertificationReport, *, limits: EngineLimits) -> bytes:
    """The certificate of a module, the same bytes whenever and wherever it is made.

    Args:
        report: what was found.
        limits: the limits it was checked against.

    Raises:
        CertificateError: the module breaks a rule.
    """
    if not report.certified:
        broken = ", ".join(dict.fromkeys(finding.code for finding in report.findings))
        raise CertificateError(
            f"module {report.digest} is refused ({broken}): it gets no certificate"
        )
    return (json.dumps(_document(report, limits), indent=2) + "\n").encode()


def differences(
    certificate: bytes, report: CertificationReport, *, limits: EngineLimits
) -> tuple[Difference, ...]:
    """Every difference between a certificate and what was found; empty if it holds.

    Args:
        certificate: the bytes of the file.
        report: what was found in the module now.
        limits: the limits it was checked against now.

    Raises:
        CertificateError: the bytes are not a certificate.
    """
    theirs, ours = _parse(certificate), _document(report, limits)
    try:
        return tuple(
            found
            for name in dict.fromkeys((*ours, *theirs))
            for found in _differences((name,), theirs.get(name, _ABSENT), ours.get(name, _ABSENT))
        )
    except RecursionError as error:
        raise CertificateError("not a certificate: nested too deep") from error


def _document(report: CertificationReport, limits: EngineLimits) -> dict[str, object]:
    found = report.as_json()
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "verdict": "certified" if report.certified else "refused",
        "module": {"digest": found["digest"], "size": found["size"]},
        "abi": {"version": abi.VERSION, "digest": abi_digest()},
        "limits": {name: getattr(limits, name) for name in STATIC_LIMITS},
        "host_calls": found["host_calls"],
        "entry": found["entry"],
        "profile": found["profile"],
        "tool": {"name": "tlaxcala", "version": VERSION},
        "engine": engine_version(),
    }


def abi_digest() -> str:
    """SHA-256 over the table of host calls and entry points: no two ABIs share it."""
    calls = [f"{abi.MODULE}.{call.import_name} {call.type}" for call in HOST_CALLS]
    entries = [f"{abi.ENTRY_POINT} {type_}" for type_ in abi.ENTRY_TYPES]
    rest = [f"{abi.INITIALIZER} {abi.INITIALIZER_TYPE}", f"memory {abi.MEMORY}"]
    return hashlib.sha256("\n".join(calls + entries + rest).encode()).hexdigest()


def _parse(certificate: bytes) -> Mapping[str, object]:
    try:
        value = read_json(certificate, max_bytes=MAX_CERTIFICATE_BYTES)
    except JsonError as error:
        raise CertificateError(f"not a certificate: it {printable(str(error), 200)}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise CertificateError(f"not a certificate: its format is not {FORMAT!r}")
    if (version := value.get("format_version")) != FORMAT_VERSION:
        shown = printable(repr(version), 20)
        raise CertificateError(
            f"the certificate has format_version {shown}, expected {FORMAT_VERSION}"
        )
    return value


def _differences(path: tuple[str, ...], theirs: object, ours: object) -> Iterator[Difference]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in dict.fromkeys((*ours, *theirs)):
            where = (*path, name)
            yield from _differences(where, theirs.get(name, _ABSENT), ours.get(name, _ABSENT))
        return
    said, found = _written(theirs), _written(ours)
    if said != found:  # as text, in which True is not 1, nor 1.0
        shown = ".".join(printable(name, 64) for name in path)
        yield Difference(shown, said and _cut(said), found and _cut(found), path[0] not in _MADE_BY)


def _written(value: object) -> str | None:
    return None if value is _ABSENT else json.dumps(value, sort_keys=True)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
