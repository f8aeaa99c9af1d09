"""What can be wrong with a machine image.

VeracruzError
└ MachineError              it cannot be built, read, measured or started
  └ ImageFormatError        a file is not of the form that it should have
"""

from veracruz_utils.errors import VeracruzError


class MachineError(VeracruzError):
    """A machine image cannot be built, read, measured or started."""


class ImageFormatError(MachineError):
    """A file is not of the form that it should have: PE, UKI, EIF, firmware or event log."""
