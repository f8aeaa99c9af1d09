"""The security lifecycle of a device (RFC 9783 section 4.3.1)."""

from enum import Enum
from typing import Final

from psa_attestation.errors import AttestationError, ErrorCode, Stage


class Lifecycle(Enum):
    """A lifecycle state; the value is its high byte, the low byte is the implementation's own."""

    UNKNOWN = 0x00
    ASSEMBLY_AND_TEST = 0x10
    PSA_ROT_PROVISIONING = 0x20
    SECURED = 0x30
    NON_PSA_ROT_DEBUG = 0x40
    RECOVERABLE_PSA_ROT_DEBUG = 0x50
    DECOMMISSIONED = 0x60

    @property
    def number(self) -> int:
        """The lowest claim value of this state."""
        return self.value << 8


SECURED: Final = Lifecycle.SECURED.number

# RFC 9783 section 4.3.1: evidence of any other state can be forged by whoever debugs the device.
TRUSTWORTHY: Final = frozenset({Lifecycle.SECURED, Lifecycle.NON_PSA_ROT_DEBUG})


def lifecycle_of(value: int) -> Lifecycle:
    """The state that the claim `value` (16 bits) stands for.

    Raises:
        AttestationError: `lifecycle-range`: no state has this value.
    """
    try:
        return Lifecycle(value >> 8)
    except ValueError:
        raise AttestationError(
            ErrorCode.LIFECYCLE_RANGE, Stage.CLAIMS, f"lifecycle {value:#x} is not a state"
        ) from None
