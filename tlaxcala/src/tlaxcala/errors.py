"""Errors that end a command of Tlaxcala without a verdict.

TlaxcalaError        exit_code 1
└ CertificateError   the file is not a certificate
"""

from veracruz_utils.errors import VeracruzError


class TlaxcalaError(VeracruzError):
    """There is no verdict."""


class CertificateError(TlaxcalaError):
    """The bytes are not a certificate, or none can be made."""
