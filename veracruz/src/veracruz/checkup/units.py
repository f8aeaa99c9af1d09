"""What systemd is told of a service, and what it says of that."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from sonora.doctor import FindingState, HostFinding
from veracruz.deployment import unit_text

UNIT_FOLDERS: Final = (
    Path("/etc/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
    Path("/usr/lib/systemd/system"),
)
_MOST_BYTES: Final = 65536
_TIMEOUT_S: Final = 30.0
_SCORE: Final = re.compile(r"exposure level for \S+: (\d+\.\d)")
_PROGRAM: Final = re.compile(r"^ExecStart=(/\S+)/bin/\S+", re.MULTILINE)


def unit_of(name: str, folders: Sequence[Path]) -> str | None:
    """The text of a service's unit, if one is installed."""
    for folder in folders:
        try:
            with (folder / f"veracruz-{name}.service").open("rb") as file:
                return file.read(_MOST_BYTES).decode("utf-8", "replace")
        except OSError:
            continue
    return None


def look_at_unit(name: str, unit: str | None) -> tuple[HostFinding, ...]:
    """What there is to say of a unit."""
    means = "By its unit a service starts with the machine, as a user of its own."
    if unit is None:
        remedy = "veracruz units --output /etc, unless something else starts it"
        return (HostFinding("unit", FindingState.NOTE, "not installed", means, remedy),)
    return (_unit(name, unit, means), *_state(name))


def _unit(name: str, unit: str, means: str) -> HostFinding:
    prefix = _PROGRAM.search(unit)
    if prefix is None:
        found = "starts no program of an installation"
        return HostFinding("unit", FindingState.MISSING, found, means, _ANEW, needed=True)
    if not Path(prefix[1], "bin", name).exists():
        found = f"starts {prefix[1]}/bin/{name}, which is not there"
        return HostFinding("unit", FindingState.MISSING, found, means, _ANEW, needed=True)
    score = _score(name)
    more = f", exposure {score} of 10" if score else ""
    if unit != unit_text(name, PurePosixPath(prefix[1])):
        found = f"installed, other than this version writes it{more}"
        remedy = "keep changes in a drop-in (systemctl edit) and write it anew with --force"
        return HostFinding("unit", FindingState.NOTE, found, means, remedy)
    return HostFinding("unit", FindingState.GOOD, f"installed, as this version has it{more}", means)


_ANEW: Final = "veracruz units --output /etc --prefix FOLDER --force"


def _state(name: str) -> tuple[HostFinding, ...]:
    said = _ask("systemctl", "is-active", f"veracruz-{name}.service")
    if not said or "System has not been booted" in said:
        return ()
    state, means = said.split()[0], "Whether systemd has it running."
    if state == "active":
        return (HostFinding("running", FindingState.GOOD, state, means),)
    remedy = f"journalctl -u veracruz-{name}, then systemctl restart veracruz-{name}"
    return (HostFinding("running", FindingState.MISSING, state, means, remedy, needed=True),)


def _score(name: str) -> str:
    said = _ask("systemd-analyze", "security", "--no-pager", f"veracruz-{name}.service")
    found = _SCORE.search(said)
    return found[1] if found else ""


def _ask(program: str, *words: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - a tool of systemd
            [path, *words], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr
