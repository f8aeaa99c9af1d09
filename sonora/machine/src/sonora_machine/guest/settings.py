"""What the machine is told: by its measured command line, and by the emulator it may run in.

Nothing that is told from outside is trusted, nor has to be: the address of the attestation service
decides only where evidence is sent, and a policy is what the attestation result says it is.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_PREFIX: Final = "veracruz."
_GIVEN: Final = Path("/sys/firmware/qemu_fw_cfg/by_name/opt/veracruz")
_BUILT_IN: Final = Path("/etc/veracruz/policy.json")
EVIDENCE: Final = ("tpm", "tsm", "nsm")
_NAMES: Final = frozenset({"address", "evidence", "tabasco"})
_ADDRESS: Final = re.compile(
    r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252}):[0-9]{1,5}"
)
_MAX_BYTES: Final = 1024 * 1024


class MachineSettingsError(Exception):
    """The machine is told too little, or what it does not know."""


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """What to start, and how.

    Attributes:
        evidence: what vouches for the machine: `tpm`, `tsm` or `nsm`.
        address: of the network, `dhcp` or `ADDRESS/PREFIX,GATEWAY`.
        tabasco: the attestation service, `HOST:PORT`.
        policy: the global policy's bytes.
    """

    evidence: str
    address: str
    tabasco: str
    policy: bytes

    @classmethod
    def read(cls, command_line: str, given: Path = _GIVEN, built_in: Path = _BUILT_IN) -> Self:
        """MachineSettings of this boot.

        Args:
            command_line: the kernel's.
            given: a folder per value that an emulator hands in.
            built_in: a policy that the image was built with, which no other takes the place of.

        Raises:
            MachineSettingsError: something is missing, unknown, or said twice.
        """
        words = _own_words(command_line)
        evidence = words.get("evidence", "")
        if evidence not in EVIDENCE:
            raise MachineSettingsError(
                f"veracruz.evidence={evidence}: one of {', '.join(EVIDENCE)}"
            )
        tabasco = words.get("tabasco") or _handed(given, "tabasco").decode("ascii", "replace")
        tabasco = tabasco.strip()
        # It becomes an argument of a command: nothing that could be an option, or two arguments.
        if not _ADDRESS.fullmatch(tabasco):
            raise MachineSettingsError(
                f"the attestation service {tabasco[:100]!r} is no HOST:PORT: say it by"
                " veracruz.tabasco=HOST:PORT, or hand it in"
            )
        policy = built_in.read_bytes() if built_in.is_file() else _handed(given, "policy")
        if not policy:
            raise MachineSettingsError("no policy: built into the image, or handed in")
        return cls(evidence, words.get("address", "dhcp"), tabasco, policy)


def _own_words(command_line: str) -> dict[str, str]:
    words: dict[str, str] = {}
    for word in command_line.split():
        if not word.startswith(_PREFIX):
            continue
        name, _, value = word.removeprefix(_PREFIX).partition("=")
        if name not in _NAMES:
            raise MachineSettingsError(f"veracruz.{name}: known are {', '.join(sorted(_NAMES))}")
        if name in words:
            raise MachineSettingsError(f"veracruz.{name} is said twice")
        words[name] = value
    return words


def _handed(folder: Path, name: str) -> bytes:
    """A value that the emulator hands in; empty if it does not."""
    try:
        with (folder / name / "raw").open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return b""
    if len(data) > _MAX_BYTES:
        raise MachineSettingsError(f"{name}: more than {_MAX_BYTES} bytes were handed in")
    return data
