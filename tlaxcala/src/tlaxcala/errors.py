"""What ends a command of Tlaxcala otherwise than by a verdict.

TlaxcalaError        exit_code 1
└ CertificateError   the file is no certificate of ours
"""

from veracruz_utils.errors import VeracruzError


class TlaxcalaError(VeracruzError):
    """Nothing can be said."""


class CertificateError(TlaxcalaError):
    """The bytes are no certificate; those of another module are one all the same."""
