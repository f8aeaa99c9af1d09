"""The registers in which hardware measures the machine around an isolate, by kind of platform.

A policy may pin them, and Tabasco tells those that evidence proved. Registers that only say what a
host chose, or which chip it is, are not among them.
"""

from collections.abc import Mapping
from typing import Final

from veracruz_utils.frozen import frozen


@frozen
class RegisterBank:
    """The registers of one kind of platform: their names, and the size of a value in bytes."""

    names: tuple[str, ...]
    value_bytes: int


REGISTER_BANKS: Final[Mapping[str, RegisterBank]] = {
    "tpm": RegisterBank(tuple(f"pcr{number}" for number in range(24)), 32),  # the bank of SHA-256
    "sev-snp": RegisterBank(("measurement",), 48),
    "tdx": RegisterBank(("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"), 48),
    "nitro": RegisterBank(tuple(f"pcr{number}" for number in range(16)), 48),
}
"""By the name of the platform; on others nothing measures a machine."""


@frozen
class PinnedRegister:
    """A register whose value a policy pins: its name, and the values that are accepted."""

    name: str
    values: frozenset[bytes]
