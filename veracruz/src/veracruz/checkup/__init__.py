"""`veracruz doctor`: this host, and each service that is set up here, without starting anything.

`settings` says how a service is set up, `services` looks at what it needs by that, `units` at what
systemd is told of it. What the host gives isolates is `sonora doctor`'s.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sonora.doctor import HostFinding, diagnose
from veracruz.checkup.services import look_at_service
from veracruz.checkup.settings import SERVICES, ServiceSettings
from veracruz.checkup.units import UNIT_FOLDERS, look_at_unit, unit_of

__all__ = ["SERVICES", "UNIT_FOLDERS", "Checkup", "examine"]

HOST: Final = "host"


class Checkup:
    """What was found, by whose it is.

    Args:
        findings: of the host and of each service.
    """

    def __init__(self, findings: dict[str, tuple[HostFinding, ...]]) -> None:
        self.findings = findings

    @property
    def wrong(self) -> list[str]:
        """What has to be mended, as `service: name`."""
        return [
            f"{whose}: {each.name}"
            for whose, found in self.findings.items()
            for each in found
            if each.is_wrong
        ]

    def as_json(self) -> dict[str, object]:
        """For programs."""
        found = {whose: [each.as_json() for each in all_] for whose, all_ in self.findings.items()}
        return {"well": not self.wrong, "wrong": self.wrong, "findings": found}

    def as_text(self) -> str:
        """For people."""
        parts = [
            "\n".join([f"{whose}:", *(each.as_text() for each in found)])
            for whose, found in self.findings.items()
        ]
        end = f"to be mended: {', '.join(self.wrong)}" if self.wrong else "all is well"
        if len(self.findings) == 1:
            end += "; no service is set up here: see veracruz units, or name one by --service"
        return "\n\n".join([*parts, end])


def examine(services: Sequence[str], *, unit_folders: Sequence[Path] = UNIT_FOLDERS) -> Checkup:
    """Look at this host and at these services; at those that are set up here if none is named.

    To be called while this process has one thread: layers of isolation are tried in forks of it.
    """
    findings = {HOST: diagnose().findings}
    for name in SERVICES:
        unit = unit_of(name, unit_folders)
        settings = ServiceSettings.of(name, unit)
        if name in services or (not services and (unit or settings.file)):
            findings[name] = (
                *look_at_unit(name, unit),
                *look_at_service(name, settings),
            )
    return Checkup(findings)
