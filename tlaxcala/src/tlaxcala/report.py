"""What Tlaxcala says of a module."""

from dataclasses import dataclass

from veracruz_utils.digest import Digest


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule broken: where and by what, and what to do about it."""

    code: str
    title: str
    message: str
    remedy: str

    def as_json(self) -> dict[str, object]:
        """The finding as an object of JSON."""
        return {
            "code": self.code,
            "title": self.title,
            "message": self.message,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on one module.

    Attributes:
        digest: SHA-256 of its bytes, what a policy names as `program_digest`.
        size: its size in bytes.
        host_calls: the host calls it imports, without prefix, each once, in order of the ABI.
        entry: the type of its `main`, or None without one.
        findings: the rules it breaks.
    """

    digest: Digest
    size: int
    host_calls: tuple[str, ...]
    entry: str | None
    findings: tuple[Finding, ...]

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
            "findings": [finding.as_json() for finding in self.findings],
        }
