"""What can be wrong with a machine image.

VeracruzError
└ MachineError              it cannot be built, read, measured or started
  ├ ImageFormatError        a file is not of the form that it should have
  ├ MachineRefusedError     what runs in it was refused, by attestation or policy
  └ MachineUnreachableError what runs in it did not reach its peer
"""

from typing import ClassVar

from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError


class MachineError(VeracruzError):
    """A machine image cannot be built, read, measured or started."""


class ImageFormatError(MachineError):
    """A file is not of the form that it should have: PE, UKI, EIF, firmware or event log."""


class MachineRefusedError(MachineError):
    """What runs in a machine was refused by attestation or policy, and so the machine ended."""

    exit_code: ClassVar[int] = RefusedError.exit_code


class MachineUnreachableError(MachineError):
    """What runs in a machine did not reach its peer, and so the machine ended."""

    exit_code: ClassVar[int] = UnreachableError.exit_code
