"""What Tlaxcala reports about a module."""

from dataclasses import asdict
from typing import Self

from tlaxcala.parts import ProgramParts
from tlaxcala.profile import ModuleProfile
from tlaxcala.rules import Rule
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen


@frozen
class Finding:
    """One rule broken: where and by what, and what to do about it."""

    code: str
    title: str
    message: str
    remedy: str

    @classmethod
    def of(cls, rule: Rule, message: str, remedy: str | None = None) -> Self:
        """`rule` is broken; `message` names both sides, `remedy` is one that is more particular."""
        return cls(rule.code, rule.title, message, remedy or rule.remedy)

    def as_json(self) -> dict[str, object]:
        """The finding as an object of JSON."""
        return asdict(self)


@frozen
class CertificationReport:
    """The verdict on one module.

    Attributes:
        digest: SHA-256 of its bytes, what a policy names as `program_digest`.
        size: its size in bytes.
        host_calls: the host calls it imports, without prefix, each once, in order of the ABI.
        entry: the type of its `main`, or None without one.
        profile: what it is, or None unless it is a valid module of bearable size.
        findings: the rules it breaks.
        parts: which core it begins with and what its author wrote, or None of any other module.
    """

    digest: Digest
    size: int
    host_calls: tuple[str, ...]
    entry: str | None
    profile: ModuleProfile | None
    findings: tuple[Finding, ...]
    parts: ProgramParts | None = None

    @property
    def certified(self) -> bool:
        """Whether the module assumes only the ABI: the engine loads it and can call it."""
        return not self.findings

    def as_json(self) -> dict[str, object]:
        """The report as an object of JSON; the keys stay."""
        return {
            "certified": self.certified,
            "digest": str(self.digest),
            "size": self.size,
            "host_calls": list(self.host_calls),
            "entry": self.entry,
            "profile": None if self.profile is None else self.profile.as_json(),
            "parts": None if self.parts is None else self.parts.as_json(),
            "findings": [finding.as_json() for finding in self.findings],
        }
